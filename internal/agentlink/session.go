package agentlink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	mrand "math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Status codes with which the panel closes a link, beside 1001 (going away).
const (
	// StatusReplaced means that a newer connection of the node took over.
	StatusReplaced websocket.StatusCode = 4001
	// StatusVersion means that the agent's Hello named another protocol version.
	StatusVersion websocket.StatusCode = 4002
	// StatusRefused means that the node may not be connected: it was deleted or has another key.
	StatusRefused websocket.StatusCode = 4003
	// StatusTimeout means that the agent did not answer a ping or Hello in time.
	StatusTimeout websocket.StatusCode = 4008
	// StatusFailed means that the panel could not work with the link; the agent connects again.
	StatusFailed websocket.StatusCode = 4011
)

const (
	// disconnectTimeout bounds the last word to the database about a session.
	disconnectTimeout = 5 * time.Second
	// maxEpoch is the longest name of an event spool, in bytes; maxText that of other text in Hello.
	maxEpoch = 64
	maxText  = 256
)

// ending is why a session ends, for the log and for the close frame.
type ending struct {
	code   websocket.StatusCode
	reason string
}

func (e *ending) Error() string { return fmt.Sprintf("%s (%d)", e.reason, e.code) }

func goingAway() *ending {
	return &ending{websocket.StatusGoingAway, "The panel is shutting down."}
}

// session is one node's link from its upgrade to its end.
type session struct {
	link   *Link
	nodeID string
	id     string
	remote netip.Addr
	log    *slog.Logger

	ws     *websocket.Conn
	raw    net.Conn
	cancel context.CancelCauseFunc
	ctx    context.Context //nolint:containedctx // the life of the session itself, which others end
	done   chan struct{}   // closed when nothing of the session is running any more

	wire    *wire
	calls   protocol.AgentServiceClient // for this package: Connect's errors, deadlines by the caller
	streams protocol.AgentServiceClient // for the two streams: smaller messages
	shared  protocol.AgentServiceClient // for services: faults and deadlines
	files   protocol.FileServiceClient  // the same for files
	backups protocol.BackupServiceClient

	connected bool           // Nodes.Connected was told
	responder *bus.Responder // calls of other instances; nil on a bus inside the process

	group      sync.WaitGroup
	deliveries *deliveries
	console    *flows
	latency    atomic.Int64
	check      chan struct{}
	synced     chan struct{} // closed after the first attempt to Sync

	mu      sync.Mutex
	known   map[string]struct{} // servers that the panel has named; nil until the first Sync succeeded
	foreign bool                // a message about another's server was logged
}

func newSession(ctx context.Context, l *Link, nodeID string, remote netip.Addr, ws *websocket.Conn, raw net.Conn) *session {
	s := &session{
		link:   l,
		nodeID: nodeID,
		id:     rand.Text(),
		remote: remote,
		ws:     ws,
		raw:    raw,
		done:   make(chan struct{}),
		check:  make(chan struct{}, 1),
		synced: make(chan struct{}),
	}
	s.log = l.log.With(slog.String("node_id", nodeID), slog.String("session_id", s.id))
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.deliveries = newDeliveries(s)
	s.console = newFlows(s)
	return s
}

// end makes the session end for the reason given; the first one counts.
func (s *session) end(why error) { s.cancel(why) }

// refuse ends a session that never ran.
func (s *session) refuse(why *ending) {
	s.cancel(why)
	(&wire{ws: s.ws, raw: s.raw, cancel: func() {}}).close(why.code, why.reason)
	close(s.done)
}

// run works until the session ends.
func (s *session) run(place *place) {
	defer close(s.done)
	err := s.open(s.ctx, place)
	place.leave()
	if err != nil {
		s.end(err)
	}
	<-s.ctx.Done()

	cause := context.Cause(s.ctx)
	if s.responder != nil {
		s.responder.Close()
	}
	s.link.drop(s)
	s.close(endingOf(cause))
	s.deliveries.wait()
	s.group.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), disconnectTimeout)
	defer cancel()
	s.log.InfoContext(ctx, "a node's link has ended", slog.String("reason", cause.Error()))
	if !s.connected {
		return
	}
	if err := s.link.cfg.Nodes.Disconnected(ctx, s.nodeID, s.id); err != nil {
		s.log.WarnContext(ctx, "could not record the end of a node's link", slog.Any("error", err))
	}
}

// close ends the connection, in which the session's goroutines may still be reading and writing.
func (s *session) close(why *ending) {
	w := s.wire
	if w == nil {
		w = &wire{ws: s.ws, raw: s.raw, cancel: func() {}}
	}
	w.close(why.code, why.reason)
}

// endingOf turns the cause of a session's end into what the agent is told. Other causes are for the log only.
func endingOf(cause error) *ending {
	if why, ok := errors.AsType[*ending](cause); ok {
		return why
	}
	return &ending{StatusFailed, "The link failed. Connect again."}
}

// open agrees with the agent, takes the node over from an older session, and starts everything that goes on while the
// link lives.
func (s *session) open(ctx context.Context, place *place) (err error) {
	s.wire, err = newWire(ctx, s.ws, s.raw, s.end)
	if err != nil {
		return err
	}
	s.calls = s.wire.client(maxUnaryMessage)
	s.streams = s.wire.client(maxStreamMessage)
	answered := connect.WithInterceptors(faults{timeout: s.link.timing.Call, link: ctx})
	s.shared, s.files, s.backups = s.wire.client(maxUnaryMessage, answered), s.wire.files(answered), s.wire.backups(answered)

	hello, err := s.hello(ctx)
	if err != nil {
		return err
	}
	if err := place.await(ctx); err != nil {
		return err
	}
	acked, err := s.takeOver(ctx, hello)
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "a node is connected",
		slog.String("agent_version", truncate(hello.GetAgentVersion(), maxText)),
		slog.String("runtime", truncate(hello.GetRuntime(), maxText)),
		slog.String("remote_addr", s.remote.String()))
	s.group.Go(func() { s.ping(ctx) })
	s.group.Go(func() { s.heartbeat(ctx) })
	s.group.Go(func() { s.reconcile(ctx) })
	s.group.Go(func() { s.receiveEvents(ctx, hello.GetEventEpoch(), acked) })
	s.group.Go(func() { s.receiveConsole(ctx) })
	return nil
}

func (s *session) hello(ctx context.Context) (*protocol.HelloResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, s.link.timing.Hello)
	defer cancel()
	response, err := s.calls.Hello(ctx, connect.NewRequest(&protocol.HelloRequest{
		Version:      protocol.Version,
		PanelVersion: s.link.cfg.PanelVersion,
		NodeId:       s.nodeID,
	}))
	if err != nil {
		if ctx.Err() != nil && s.ctx.Err() == nil {
			return nil, &ending{StatusTimeout, "The agent did not answer Hello in time."}
		}
		if code := connect.CodeOf(err); code == connect.CodeFailedPrecondition || code == connect.CodeInvalidArgument {
			return nil, &ending{StatusRefused, "The agent refused the panel: " + agentMessage(err)}
		}
		return nil, fmt.Errorf("hello: %w", err)
	}
	hello := response.Msg
	if hello.GetVersion() != protocol.Version {
		return nil, &ending{StatusVersion, fmt.Sprintf("The panel speaks protocol version %d, the agent %d.",
			protocol.Version, hello.GetVersion())}
	}
	if hello.GetEventEpoch() == "" || len(hello.GetEventEpoch()) > maxEpoch {
		return nil, &ending{StatusFailed, "The agent's event epoch is empty or too long."}
	}
	return hello, nil
}

// agentMessage returns what the agent said with an error, as it can be shown to people.
func agentMessage(err error) string {
	remote, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return ""
	}
	return printable(truncate(remote.Message(), maxText))
}

// takeOver makes this the session that holds the node, and waits until an older one has ended.
func (s *session) takeOver(ctx context.Context, hello *protocol.HelloResponse) (acked uint64, err error) {
	acked, err = s.link.cfg.Nodes.Connected(ctx, LinkInfo{
		NodeID:       s.nodeID,
		SessionID:    s.id,
		Instance:     s.link.cfg.Bus.Instance(),
		AgentVersion: truncate(hello.GetAgentVersion(), maxText),
		Runtime:      truncate(hello.GetRuntime(), maxText),
		System:       hello.GetSystem(),
		EventEpoch:   hello.GetEventEpoch(),
		RemoteAddr:   s.remote,
	})
	if refusal, ok := errors.AsType[*fault.Error](err); ok {
		return 0, &ending{StatusRefused, refusal.Message}
	}
	if err != nil {
		s.log.ErrorContext(ctx, "could not record a node's link", slog.Any("error", err))
		return 0, &ending{StatusFailed, "The panel could not record the link. Connect again."}
	}
	s.connected = true
	if old := s.link.take(s); old != nil {
		old.end(&ending{StatusReplaced, "A newer connection of this node took over."})
		select {
		case <-old.done:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	if !s.link.cfg.Bus.Single() {
		s.link.Recheck(ctx, s.nodeID)
		if s.responder, err = s.serveInstances(ctx); err != nil {
			return 0, err
		}
	}
	return acked, nil
}

// ping finds out when the agent or the network in between is gone without a word.
func (s *session) ping(ctx context.Context) {
	for sleep(ctx, s.link.timing.Ping) == nil {
		began := time.Now()
		pong, cancel := context.WithTimeout(ctx, s.link.timing.PongTimeout)
		err := s.ws.Ping(pong)
		cancel()
		if err != nil {
			s.end(&ending{StatusTimeout, "The agent did not answer a ping in time."})
			return
		}
		s.latency.Store(int64(time.Since(began)))
	}
}

// heartbeat tells the database that the node is here, and ends the session when it may not go on.
func (s *session) heartbeat(ctx context.Context) {
	tick := time.NewTicker(s.link.timing.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.check:
		case <-tick.C:
		}
		err := s.link.cfg.Nodes.Seen(ctx, s.nodeID, s.id)
		switch {
		case errors.Is(err, ErrFenced):
			s.end(&ending{StatusReplaced, "Another connection holds this node, or the node may not be connected any more."})
			return
		case err != nil && ctx.Err() == nil:
			s.log.WarnContext(ctx, "could not record a node's heart-beat", slog.Any("error", err))
		}
	}
}

// checkNow makes the next heart-beat come at once.
func (s *session) checkNow() {
	select {
	case s.check <- struct{}{}:
	default:
	}
}

// know notes servers that the panel has named on this link.
func (s *session) know(serverIDs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[string]struct{})
	}
	for _, id := range serverIDs {
		s.known[id] = struct{}{}
	}
}

// owns reports whether a message about a server is worth a look: the panel has named the server on this link, or could
// not name any yet. The services decide; this keeps the obviously foreign away from them.
func (s *session) owns(ctx context.Context, serverID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.known[serverID]
	if known || s.known == nil && kind.ValidID(kind.PrefixServer, serverID) {
		return true
	}
	if !s.foreign {
		s.foreign = true
		s.log.WarnContext(ctx, "a node speaks of a server that is not its own", slog.String("server_id", truncate(serverID, maxText)))
	}
	return false
}

// persist tries until it succeeds or the session ends; the pauses grow.
func (s *session) persist(ctx context.Context, what string, try func(context.Context) error) error {
	for attempt := 0; ; attempt++ {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.log.WarnContext(ctx, "the work for a node failed and is tried again",
			slog.String("work", what), slog.Any("error", err), slog.Int("attempt", attempt+1))
		if err := sleep(ctx, s.link.timing.pause(attempt)); err != nil {
			return err
		}
	}
}

// pause returns how long to wait after the attempt that failed: doubling, with half of it at random.
func (t Timing) pause(attempt int) time.Duration {
	pause := min(t.RetryMax, t.RetryMin*time.Duration(math.Exp2(float64(min(attempt, 20)))))
	return pause/2 + mrand.N(pause/2+1) //nolint:gosec // spreads load, guards nothing
}

// sleep waits for d, or returns the reason why the context ended.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
