package agentlink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

const (
	maxQueuedBatches      = 1024
	maxQueuedConsoleBytes = 8 << 20
	// maxLine bounds the text of one line in bytes: 8 KiB of which each byte may have become a replacement character.
	maxLine = 3 * 8 << 10
)

type consoleStream = connect.BidiStreamForClient[protocol.ConsoleRequest, protocol.ConsoleResponse]

// flows holds which servers' consoles should flow on a link, and what is still to be said to the agent about them.
type flows struct {
	session *session

	mu      sync.Mutex
	wanted  map[string]struct{}
	cursors map[string]uint64 // the line after which each flow last began
	pending orders
	wake    chan struct{}
}

// orders are requests that have not been sent yet.
type orders struct {
	start  map[string]struct{}
	stop   map[string]struct{}
	stored map[string]uint64
}

func newOrders() orders {
	return orders{start: make(map[string]struct{}), stop: make(map[string]struct{}), stored: make(map[string]uint64)}
}

func newFlows(s *session) *flows {
	return &flows{session: s, wanted: make(map[string]struct{}), cursors: make(map[string]uint64), pending: newOrders(), wake: make(chan struct{}, 1)}
}

// start lets servers' consoles flow; those that flow already go on.
func (f *flows) start(serverIDs ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range serverIDs {
		if _, ok := f.wanted[id]; !ok {
			f.wanted[id] = struct{}{}
			f.pending.start[id] = struct{}{}
			delete(f.pending.stop, id)
		}
	}
	signal(f.wake)
}

// stop ends a server's flow.
func (f *flows) stop(serverID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.wanted[serverID]; ok {
		delete(f.wanted, serverID)
		delete(f.cursors, serverID)
		delete(f.pending.start, serverID)
		f.pending.stop[serverID] = struct{}{}
		signal(f.wake)
	}
}

// stored notes up to where lines are stored.
func (f *flows) stored(upTo map[string]uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.Copy(f.pending.stored, upTo)
	signal(f.wake)
}

// begin notes after which line a server's flow begins.
func (f *flows) begin(serverID string, after uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursors[serverID] = after
}

// begun returns after which line a server's flow began, and false when the panel has not asked for its lines.
func (f *flows) begun(serverID string) (after uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, wanted := f.wanted[serverID]; !wanted {
		return 0, false
	}
	after, ok = f.cursors[serverID]
	return after, ok
}

// restart makes every flow start anew, on a new stream.
func (f *flows) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending = newOrders()
	maps.Copy(f.pending.start, f.wanted)
	signal(f.wake)
}

// take returns what is to be said, and waits while there is nothing.
func (f *flows) take(ctx context.Context) (orders, error) {
	select {
	case <-f.wake:
	case <-ctx.Done():
		return orders{}, context.Cause(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	todo := f.pending
	f.pending = newOrders()
	return todo, nil
}

// receiveConsole keeps the Console stream up while the link lives.
func (s *session) receiveConsole(ctx context.Context) {
	select {
	case <-s.synced:
	case <-ctx.Done():
		return
	}
	s.keepUp(ctx, "console", s.consoleStream)
}

// consoleStream asks for lines, stores them and says what is stored. It returns when the stream has ended.
func (s *session) consoleStream(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	stream := s.streams.Console(ctx)
	if err := stream.Send(nil); err != nil { // opens the stream although nothing may be asked for yet
		_ = stream.CloseResponse()
		return fmt.Errorf("open the stream: %w", err)
	}
	s.console.restart()
	arrived := newQueue[*protocol.ConsoleResponse](maxQueuedBatches, maxQueuedConsoleBytes)
	group.Go(func() error {
		for {
			todo, err := s.console.take(ctx)
			if err != nil {
				return err
			}
			if err := s.order(ctx, stream, todo); err != nil {
				return err
			}
		}
	})
	group.Go(func() error {
		for {
			batch, err := stream.Receive()
			if err != nil {
				return fmt.Errorf("receive: %w", err)
			}
			if err := arrived.put(ctx, batch, proto.Size(batch)); err != nil {
				return err
			}
		}
	})
	group.Go(func() error { return s.ingest(ctx, arrived) })
	err := group.Wait()
	_ = stream.CloseRequest()
	_ = stream.CloseResponse()
	return err
}

// order sends requests: where flows start, which ones end, and what is stored.
func (s *session) order(ctx context.Context, stream *consoleStream, todo orders) error {
	var requests []*protocol.ConsoleRequest
	if len(todo.start) > 0 {
		cursors, err := s.link.cfg.Console.Cursors(ctx, s.nodeID)
		if err != nil {
			return fmt.Errorf("load the cursors: %w", err)
		}
		for _, id := range slices.Sorted(maps.Keys(todo.start)) {
			s.console.begin(id, cursors[id])
			requests = append(requests, &protocol.ConsoleRequest{ServerId: id, After: cursors[id]})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(todo.stop)) {
		requests = append(requests, &protocol.ConsoleRequest{ServerId: id, Stop: true})
	}
	for _, id := range slices.Sorted(maps.Keys(todo.stored)) {
		if _, stopped := todo.stop[id]; !stopped {
			requests = append(requests, &protocol.ConsoleRequest{ServerId: id, Stored: todo.stored[id]})
		}
	}
	for _, request := range requests {
		if err := stream.Send(request); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

// ingest stores whatever has arrived, all at once, so that a burst becomes few transactions.
func (s *session) ingest(ctx context.Context, arrived *queue[*protocol.ConsoleResponse]) error {
	last := make(map[string]uint64)
	for {
		batches, err := arrived.take(ctx)
		if err != nil {
			return err
		}
		stored := make(map[string]uint64)
		fresh := batches[:0]
		for _, batch := range batches {
			id := batch.GetServerId()
			began, flows := s.console.begun(id)
			if !flows || !s.owns(ctx, id) {
				continue
			}
			last[id] = tidy(batch, max(last[id], began))
			if len(batch.GetLines()) == 0 && batch.GetMissing() == 0 {
				continue
			}
			if last[id] > 0 {
				stored[id] = last[id]
			}
			fresh = append(fresh, batch)
		}
		if len(fresh) == 0 {
			continue
		}
		err = s.persist(ctx, "store console lines", func(ctx context.Context) error {
			return s.link.cfg.Console.Ingest(ctx, s.nodeID, fresh)
		})
		if err != nil {
			return err
		}
		s.console.stored(stored)
	}
}

// tidy takes lines out of a batch that come again, out of order or with nonsensical numbers, and cuts off what no line may
// have. It returns the last sequence number.
func tidy(batch *protocol.ConsoleResponse, last uint64) uint64 {
	batch.Lines = slices.DeleteFunc(batch.GetLines(), func(line *protocol.ConsoleLine) bool {
		if line.GetSeq() <= last || line.GetSeq()-last > protocol.MaxConsoleSkip {
			return true
		}
		last = line.GetSeq()
		line.Text = truncate(line.GetText(), maxLine)
		return false
	})
	return last
}
