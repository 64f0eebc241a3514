package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// defaultCallTimeout bounds a call whose context has no deadline.
	defaultCallTimeout = 10 * time.Second
	// maxServing is the number of requests that one Serve works on at a time; more wait in NATS' buffer.
	maxServing = 256

	headerTimeout = "Catalyst-Timeout-Ms"
	headerCode    = "Catalyst-Error-Code"
	headerMessage = "Catalyst-Error-Message"
	headerGone    = "Catalyst-Gone"
)

// ErrNoResponder is returned by Call when no instance serves the subject.
var ErrNoResponder = errors.New("no instance serves the request")

// Handler answers one request. Its context ends with the caller's deadline and with the Serve. The code and the message
// of a fault reach the caller; any other error arrives as INTERNAL without its text.
type Handler func(ctx context.Context, request []byte) ([]byte, error)

// Responder is a subject that this instance serves.
type Responder struct {
	bus    *Bus
	sub    *nats.Subscription
	cancel context.CancelFunc
	slots  chan struct{}

	mu      sync.Mutex
	closed  bool
	working sync.WaitGroup
}

// Serve answers the requests on a subject ("link.call.<node id>") until the context ends or Close is called. Requests
// are worked on concurrently. When it returns, calls of other instances arrive.
func (b *Bus) Serve(ctx context.Context, subject string, handle Handler) (*Responder, error) {
	full, err := requestSubject(subject)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &Responder{bus: b, cancel: cancel, slots: make(chan struct{}, maxServing)}
	r.sub, err = b.conn.Subscribe(full, func(msg *nats.Msg) { r.accept(ctx, msg, handle) })
	if err != nil {
		cancel()
		return nil, fmt.Errorf("serve %s: %w", subject, natsError(err))
	}
	if err := b.flush(ctx); err != nil {
		r.Close()
		return nil, fmt.Errorf("serve %s: %w", subject, err)
	}
	return r, nil
}

// Close stops serving, cancels the requests in work and waits for their handlers.
func (r *Responder) Close() {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	if first {
		// Requests that are on their way are still taken, to be told that nobody serves them. The connection may be
		// closed already, which ends the subscription as well.
		if err := r.sub.Drain(); err != nil && !errors.Is(natsError(err), ErrClosed) {
			r.bus.log.Warn("could not end a NATS subscription", slog.Any("error", err))
		}
	}
	r.working.Wait()
}

// accept is called by NATS for one request after the other.
func (r *Responder) accept(ctx context.Context, msg *nats.Msg, handle Handler) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		r.turnAway(msg)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		<-r.slots
		r.turnAway(msg)
		return
	}
	r.working.Go(func() {
		defer func() { <-r.slots }()
		r.answer(ctx, msg, handle)
	})
}

// turnAway tells a caller at once what it would else learn from the silence.
func (r *Responder) turnAway(msg *nats.Msg) {
	reply := nats.NewMsg("")
	reply.Header.Set(headerGone, "true")
	_ = msg.RespondMsg(reply) // the caller's deadline does it otherwise
}

func (r *Responder) answer(ctx context.Context, msg *nats.Msg, handle Handler) {
	timeout := defaultCallTimeout
	if ms, err := strconv.ParseInt(msg.Header.Get(headerTimeout), 10, 32); err == nil && ms > 0 {
		timeout = time.Duration(ms) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	data, err := handle(ctx, msg.Data)
	reply := &nats.Msg{Data: data}
	if err != nil {
		reply = r.refusal(ctx, err)
	}
	err = msg.RespondMsg(reply)
	if errors.Is(err, nats.ErrMaxPayload) {
		err = msg.RespondMsg(r.refusal(ctx, ErrTooLarge))
	}
	if err != nil && ctx.Err() == nil {
		r.bus.log.WarnContext(ctx, "could not answer a request", slog.Any("error", err))
	}
}

func (r *Responder) refusal(ctx context.Context, err error) *nats.Msg {
	code, message := fault.CodeOf(err), "Something went wrong. Try again."
	if f, ok := errors.AsType[*fault.Error](err); ok {
		message = f.Message
	} else if ctx.Err() == nil {
		r.bus.log.ErrorContext(ctx, "a request from another instance failed", slog.Any("error", err))
	}
	reply := nats.NewMsg("")
	reply.Header.Set(headerCode, string(code))
	reply.Header.Set(headerMessage, strings.Map(printable, message))
	return reply
}

// printable keeps a message on one header line.
func printable(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

// Call asks whichever instance serves the subject. Without a deadline in the context it waits 10 seconds. It returns
// ErrNoResponder when no instance serves it, and the responder's *fault.Error when that refused.
func (b *Bus) Call(ctx context.Context, subject string, request []byte) ([]byte, error) {
	full, err := requestSubject(subject)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, remaining(ctx))
	defer cancel()
	msg := nats.NewMsg(full)
	msg.Data = request
	msg.Header.Set(headerTimeout, strconv.FormatInt(max(1, remaining(ctx).Milliseconds()), 10))
	reply, err := b.conn.RequestMsgWithContext(ctx, msg)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, ErrNoResponder
	case err != nil:
		return nil, fmt.Errorf("call %s: %w", subject, natsError(err))
	}
	if reply.Header.Get(headerGone) != "" {
		return nil, ErrNoResponder
	}
	if code := reply.Header.Get(headerCode); code != "" {
		return nil, fault.New(fault.Code(code), "%s", reply.Header.Get(headerMessage))
	}
	return reply.Data, nil
}

// remaining is the time until the context's deadline, or the default.
func remaining(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return defaultCallTimeout
}

func requestSubject(subject string) (string, error) {
	for part := range strings.SplitSeq(subject, ".") {
		if !validKey(part) {
			return "", fmt.Errorf("%q cannot be the subject of a request", subject)
		}
	}
	return subjectPrefix + "call." + subject, nil
}
