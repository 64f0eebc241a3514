package agentlink

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// maxDelivering is how many servers of one node are delivered at the same time.
const maxDelivering = 16

// deliveries brings what should be to the agent, one server at a time and several servers side by side. A server whose
// delivery fails is tried again with growing pauses while the link lives, and holds up no other one.
type deliveries struct {
	session *session
	slots   chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	servers map[string]*delivery
}

// delivery is one server that is being brought up to date.
type delivery struct {
	again bool          // changed since the work began
	wake  chan struct{} // cuts the pause after a failure short
}

func newDeliveries(s *session) *deliveries {
	return &deliveries{session: s, slots: make(chan struct{}, maxDelivering), servers: make(map[string]*delivery)}
}

// mark says that a server has changed. It never waits.
func (d *deliveries) mark(serverID string) { d.add(serverID, true) }

// remind says that a server may not be up to date. One that is being worked on is left alone, pauses included.
func (d *deliveries) remind(serverID string) { d.add(serverID, false) }

func (d *deliveries) add(serverID string, changed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.session.ctx.Err() != nil {
		return
	}
	if work, ok := d.servers[serverID]; ok {
		if changed {
			work.again = true
			select {
			case work.wake <- struct{}{}:
			default:
			}
		}
		return
	}
	work := &delivery{wake: make(chan struct{}, 1)}
	d.servers[serverID] = work
	d.running.Go(func() { d.work(d.session.ctx, serverID, work) })
}

// wait returns when nothing is being delivered any more; the session's context has ended before.
func (d *deliveries) wait() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.running.Wait()
}

// work delivers one server until the agent has its newest state. It begins after the first Sync.
func (d *deliveries) work(ctx context.Context, serverID string, work *delivery) {
	select {
	case <-d.session.synced:
	case <-ctx.Done():
		return
	}
	for attempt := 0; ; attempt++ {
		err := d.once(ctx, serverID)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if d.finish(serverID, work) {
				return
			}
			attempt = -1
		default:
			d.session.log.WarnContext(ctx, "could not bring a server to its node",
				slog.String("server_id", serverID), slog.Any("error", err), slog.Int("attempt", attempt+1))
			d.pause(ctx, work, attempt)
		}
	}
}

// finish ends the work on a server unless it has changed meanwhile.
func (d *deliveries) finish(serverID string, work *delivery) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if work.again {
		work.again = false
		return false
	}
	delete(d.servers, serverID)
	return true
}

// pause waits after a failure, until the server has changed at the latest.
func (d *deliveries) pause(ctx context.Context, work *delivery, attempt int) {
	timer := time.NewTimer(d.session.link.timing.pause(attempt))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-work.wake:
	case <-ctx.Done():
	}
}

// once makes one attempt, within the number that may be under way at a time.
func (d *deliveries) once(ctx context.Context, serverID string) error {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s := d.session
	apply, remove, err := s.link.cfg.Desired.One(ctx, s.nodeID, serverID)
	switch {
	case err != nil:
		return fmt.Errorf("load the server: %w", err)
	case apply != nil:
		return s.apply(ctx, serverID, apply)
	case remove != nil:
		return s.remove(ctx, serverID, remove)
	default:
		return nil
	}
}

func (s *session) apply(ctx context.Context, serverID string, request *protocol.ApplyServerRequest) error {
	s.knowOne(serverID)
	call, cancel := context.WithTimeout(ctx, s.link.timing.Call)
	defer cancel()
	response, err := s.calls.ApplyServer(call, connect.NewRequest(request))
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	s.console.start(serverID)
	observed := response.Msg.GetObserved()
	if observed.GetServerId() != serverID {
		return fmt.Errorf("the agent answered for another server: %q", truncate(observed.GetServerId(), maxText))
	}
	if err := s.link.cfg.Reports.Observed(ctx, s.nodeID, []*protocol.Observed{observed}); err != nil {
		return fmt.Errorf("store the observed state: %w", err)
	}
	return nil
}

func (s *session) remove(ctx context.Context, serverID string, request *protocol.RemoveServerRequest) error {
	call, cancel := context.WithTimeout(ctx, s.link.timing.Remove)
	defer cancel()
	if _, err := s.calls.RemoveServer(call, connect.NewRequest(request)); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	s.console.stop(serverID)
	if err := s.link.cfg.Desired.Removed(ctx, s.nodeID, serverID); err != nil {
		return fmt.Errorf("record the removal: %w", err)
	}
	return nil
}

// knowOne notes a server that is named outside of Sync. Before a Sync has succeeded all servers pass, so that noting
// one would shut out the others.
func (s *session) knowOne(serverID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known != nil {
		s.known[serverID] = struct{}{}
	}
}

// reconcile hands over everything once, and from then on whatever lags behind.
func (s *session) reconcile(ctx context.Context) {
	var once sync.Once
	err := s.persist(ctx, "sync", func(ctx context.Context) error {
		defer once.Do(func() { close(s.synced) })
		return s.sync(ctx)
	})
	for err == nil {
		if err = sleep(ctx, s.link.timing.Reconcile); err != nil {
			return
		}
		pending, failure := s.link.cfg.Desired.Pending(ctx, s.nodeID)
		if failure != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "could not look for servers that lag behind", slog.Any("error", failure))
		}
		for _, serverID := range pending {
			s.deliveries.remind(serverID)
		}
	}
}

// sync hands over all servers of the node and takes in the digest of what is there.
func (s *session) sync(ctx context.Context) error {
	servers, removals, err := s.link.cfg.Desired.All(ctx, s.nodeID)
	if err != nil {
		return fmt.Errorf("load the node's servers: %w", err)
	}
	ids := make([]string, 0, len(servers))
	for _, server := range servers {
		ids = append(ids, server.GetSpec().GetServerId())
	}
	s.know(ids...)
	for _, removal := range removals {
		s.know(removal.GetServerId())
	}

	call, cancel := context.WithTimeout(ctx, s.link.timing.Sync)
	defer cancel()
	response, err := s.calls.Sync(call, connect.NewRequest(&protocol.SyncRequest{Servers: servers}))
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	s.console.start(ids...)
	for _, removal := range removals {
		s.deliveries.mark(removal.GetServerId())
	}
	digest := slices.DeleteFunc(response.Msg.GetServers(), func(o *protocol.Observed) bool {
		return !kind.ValidID(kind.PrefixServer, o.GetServerId())
	})
	if err := s.link.cfg.Reports.Observed(ctx, s.nodeID, digest); err != nil {
		return fmt.Errorf("store the digest: %w", err)
	}
	return nil
}
