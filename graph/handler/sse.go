package handler

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/catalyst-panel/catalyst/graph/stream"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// keepAlive is how often something is sent on a stream without events, so that no proxy takes it for dead.
const keepAlive = 15 * time.Second

// errExpired is the cause of the end of what a credential opened, when its time is over.
var errExpired = errors.New("the credential has expired")

// stream answers by server-sent events, each operation on its own connection ("distinct connections mode" of the
// graphql-sse protocol).
func (h *Handler) stream(ctx context.Context, w http.ResponseWriter, r *http.Request, params *graphql.RawParams, ends time.Time) {
	ctx, cancel := expiring(ctx, ends)
	defer cancel()
	op, list := h.exec.CreateOperationContext(ctx, params)
	ctx = graphql.WithOperationContext(ctx, op)
	if len(list) == 0 && h.unsafe(w, r, acceptance{media: mediaStream, stream: true}, op) {
		return
	}
	events := eventWriter{w: w, control: http.NewResponseController(w), timeout: h.sockets.limits.WriteTimeout}
	events.begin()
	if len(list) > 0 {
		if events.next(h.exec.DispatchError(ctx, list)) == nil {
			events.complete()
		}
		return
	}
	ctx, ending := stream.WithEnding(ctx)
	if err := h.pump(ctx, &events, op); err != nil {
		return // who has gone is told nothing; who is cut off by a shutdown comes back
	}
	if errs := ending.Errors(); len(errs) > 0 && events.next(h.exec.DispatchError(ctx, errs)) != nil {
		return
	}
	events.complete()
}

// counted serves an event stream among the connections of its address and its user, which WebSockets are, too.
func (h *Handler) counted(ctx context.Context, w http.ResponseWriter, r *http.Request, a acceptance, serve func()) {
	s := h.sockets
	address := addressOf(ctx)
	if !s.claim(s.addresses, address, s.limits.PerAddress) {
		h.refuse(w, r, a, http.StatusTooManyRequests, s.crowded("Your address", s.limits.PerAddress))
		return
	}
	defer s.release(s.addresses, address)
	if v := viewer.FromContext(ctx); v != nil {
		if !s.claim(s.users, v.UserID, s.limits.PerUser) {
			h.refuse(w, r, a, http.StatusTooManyRequests, s.crowded("You", s.limits.PerUser))
			return
		}
		defer s.release(s.users, v.UserID)
	}
	serve()
}

// pump writes an operation's responses until there are no more. It returns an error when the stream was cut off.
func (h *Handler) pump(ctx context.Context, events *eventWriter, op *graphql.OperationContext) error {
	ctx, cancel := context.WithCancel(ctx)
	responses := make(chan *graphql.Response)
	respond, inner := h.exec.DispatchOperation(ctx, op)
	go func() {
		defer close(responses)
		for {
			response := respond(inner)
			if response == nil {
				return
			}
			select {
			case responses <- response:
			case <-ctx.Done():
				return
			}
			if op.Operation.Operation != subscription {
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range responses {
		}
	}()
	beat := time.NewTicker(keepAlive)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-beat.C:
			err = events.comment()
		case response, ok := <-responses:
			if !ok {
				return context.Cause(ctx)
			}
			err = events.next(response)
		}
		if err != nil {
			return err
		}
	}
}

// expiring returns a context that ends with the credential.
func expiring(ctx context.Context, ends time.Time) (context.Context, context.CancelFunc) {
	if ends.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, ends, errExpired)
}

// shutdown reports whether a context ended because the panel stops.
func shutdown(ctx context.Context) bool { return errors.Is(context.Cause(ctx), request.ErrShutdown) }

// eventWriter writes server-sent events, each within the time limit.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (e *eventWriter) begin() {
	header := e.w.Header()
	header.Set("Content-Type", mediaStream+"; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	e.w.WriteHeader(http.StatusOK)
	_ = e.write(":\n\n")
}

func (e *eventWriter) comment() error { return e.write(":\n\n") }

func (e *eventWriter) complete() { _ = e.write("event: complete\ndata:\n\n") }

func (e *eventWriter) next(response *graphql.Response) error {
	body, err := encode(response)
	if err != nil {
		return err
	}
	return e.write("event: next\ndata: " + string(body) + "\n\n")
}

func (e *eventWriter) write(text string) error {
	// A recorder in a test has no deadlines.
	_ = e.control.SetWriteDeadline(time.Now().Add(e.timeout))
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}
