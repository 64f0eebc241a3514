package agentlink_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"maps"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/agentlink"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is the services and the database of a panel, shared by its instances.
type store struct {
	mu        sync.Mutex
	keys      map[string]ed25519.PublicKey
	tokens    map[string]string // token to node
	holder    map[string]string // node to session
	infos     []agentlink.LinkInfo
	gone      []string // sessions that were reported as ended
	servers   map[string]map[string]*protocol.ApplyServerRequest
	removals  map[string]map[string]*protocol.RemoveServerRequest
	observed  map[string]*protocol.Observed
	acked     map[string]uint64
	events    []*protocol.EventsResponse
	lines     map[string][]*protocol.ConsoleLine
	ingests   int
	failures  int                            // how many of the next stores of events fail
	hold      chan struct{}                  // when not nil, Events and Ingest wait for it
	connected func(agentlink.LinkInfo) error // refuses a session when not nil
	log       *slog.Logger                   // of the instances; nil discards
}

func newStore() *store {
	return &store{
		keys:     make(map[string]ed25519.PublicKey),
		tokens:   make(map[string]string),
		holder:   make(map[string]string),
		servers:  make(map[string]map[string]*protocol.ApplyServerRequest),
		removals: make(map[string]map[string]*protocol.RemoveServerRequest),
		observed: make(map[string]*protocol.Observed),
		acked:    make(map[string]uint64),
		lines:    make(map[string][]*protocol.ConsoleLine),
	}
}

func (s *store) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *store) wait(ctx context.Context) error {
	s.mu.Lock()
	hold := s.hold
	s.mu.Unlock()
	if hold == nil {
		return nil
	}
	select {
	case <-hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// set makes a server's desired state.
func (s *store) set(nodeID, serverID string, generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers[nodeID] == nil {
		s.servers[nodeID] = make(map[string]*protocol.ApplyServerRequest)
	}
	s.servers[nodeID][serverID] = &protocol.ApplyServerRequest{
		Spec:    &protocol.ServerSpec{ServerId: serverID},
		Desired: &protocol.Desired{Generation: generation, Power: protocol.Power_POWER_RUN, Run: 1},
	}
}

// unset makes a server one that is to be removed.
func (s *store) unset(nodeID, serverID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.servers[nodeID], serverID)
	if s.removals[nodeID] == nil {
		s.removals[nodeID] = make(map[string]*protocol.RemoveServerRequest)
	}
	s.removals[nodeID][serverID] = &protocol.RemoveServerRequest{ServerId: serverID}
}

func (s *store) PublicKey(_ context.Context, nodeID string) (ed25519.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, ok := s.keys[nodeID]
	if !ok {
		return nil, fault.Missing("node")
	}
	return key, nil
}

func (s *store) Enrol(_ context.Context, token string, key ed25519.PublicKey, _ netip.Addr) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodeID, ok := s.tokens[token]
	if !ok {
		return "", fault.New(fault.Unauthenticated, "The enrolment token is not valid. Make a new one.")
	}
	delete(s.tokens, token)
	s.keys[nodeID] = key
	return nodeID, nil
}

func (s *store) Connected(_ context.Context, info agentlink.LinkInfo) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected != nil {
		if err := s.connected(info); err != nil {
			return 0, err
		}
	}
	s.holder[info.NodeID] = info.SessionID
	s.infos = append(s.infos, info)
	return s.acked[info.NodeID+info.EventEpoch], nil
}

func (s *store) Disconnected(_ context.Context, nodeID, sessionID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = append(s.gone, sessionID)
	if s.holder[nodeID] == sessionID {
		delete(s.holder, nodeID)
	}
	return nil
}

func (s *store) Seen(_ context.Context, nodeID, sessionID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder[nodeID] != sessionID {
		return agentlink.ErrFenced
	}
	return nil
}

func (s *store) All(_ context.Context, nodeID string) ([]*protocol.ApplyServerRequest, []*protocol.RemoveServerRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.servers[nodeID])), slices.Collect(maps.Values(s.removals[nodeID])), nil
}

func (s *store) One(_ context.Context, nodeID, serverID string) (*protocol.ApplyServerRequest, *protocol.RemoveServerRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servers[nodeID][serverID], s.removals[nodeID][serverID], nil
}

func (s *store) Removed(_ context.Context, nodeID, serverID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.removals[nodeID], serverID)
	return nil
}

func (s *store) Pending(_ context.Context, nodeID string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pending []string
	for id, server := range s.servers[nodeID] {
		if s.observed[id].GetGeneration() != server.GetDesired().GetGeneration() {
			pending = append(pending, id)
		}
	}
	return append(pending, slices.Collect(maps.Keys(s.removals[nodeID]))...), nil
}

func (s *store) Observed(_ context.Context, _ string, states []*protocol.Observed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, state := range states {
		s.observed[state.GetServerId()] = state
	}
	return nil
}

func (s *store) Events(ctx context.Context, nodeID, epoch string, events []*protocol.EventsResponse) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures > 0 {
		s.failures--
		return errors.New("the database is busy")
	}
	s.events = append(s.events, events...)
	s.acked[nodeID+epoch] = events[len(events)-1].GetSeq()
	return nil
}

func (s *store) Cursors(_ context.Context, nodeID string) (map[string]uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cursors := make(map[string]uint64)
	for id := range s.servers[nodeID] {
		if lines := s.lines[id]; len(lines) > 0 {
			cursors[id] = lines[len(lines)-1].GetSeq()
		}
	}
	return cursors, nil
}

func (s *store) Ingest(ctx context.Context, _ string, batches []*protocol.ConsoleResponse) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ingests++
	for _, batch := range batches {
		s.lines[batch.GetServerId()] = append(s.lines[batch.GetServerId()], batch.GetLines()...)
	}
	return nil
}

// panel is one instance.
type panel struct {
	link *agentlink.Link
	bus  *bus.Bus
	url  string
}

var fast = agentlink.Timing{
	Heartbeat: 50 * time.Millisecond,
	Reconcile: 50 * time.Millisecond,
	Hello:     time.Second,
	Call:      time.Second,
	Ping:      50 * time.Millisecond,
	RetryMin:  10 * time.Millisecond,
	RetryMax:  100 * time.Millisecond,
}

// start runs an instance until the test ends.
func start(t *testing.T, s *store, natsURL string, timing agentlink.Timing) *panel {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{URL: natsURL})
	if err != nil {
		t.Fatal(err)
	}
	link, err := agentlink.New(agentlink.Config{
		Nodes: s, Desired: s, Reports: s, Console: s, Bus: b,
		NonceKey: []byte("0123456789abcdef0123456789abcdef"), PanelVersion: "1.2.3", Timing: timing, Logger: s.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := link.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(link.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := link.Close(ctx); err != nil {
			t.Errorf("close the link: %v", err)
		}
		srv.Close()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close the bus: %v", err)
		}
	})
	return &panel{link: link, bus: b, url: srv.URL}
}

// natsServer starts a NATS server for two instances.
func natsServer(t *testing.T) string {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS did not become ready")
	}
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	return srv.ClientURL()
}

// online waits until the instance holds the agent's link and has synced it.
func online(t *testing.T, p *panel, a *agent) {
	t.Helper()
	eventually(t, "the node is online", func() bool {
		synced := 0
		a.with(func() { synced = a.synced })
		return p.link.Online(a.nodeID) && synced > 0
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func ended(t *testing.T, c *connection) error {
	t.Helper()
	select {
	case <-c.closed:
		return c.err
	case <-time.After(15 * time.Second):
		t.Fatal("the link did not end")
		return nil
	}
}
