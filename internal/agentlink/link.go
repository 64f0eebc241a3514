package agentlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Config is what the link works with. All fields but RemoteAddr, Logger and Timing are needed.
type Config struct {
	Nodes   Nodes
	Desired Desired
	Reports Reports
	Console Console
	// Bus connects the instances; its instance name is this link's.
	Bus *bus.Bus
	// NonceKey is the panel's secret for nonces, at least 32 bytes, the same on every instance.
	NonceKey []byte
	// PanelVersion is the version of the build, which agents log.
	PanelVersion string
	// RemoteAddr tells where a request came from; nil takes the connection's peer.
	RemoteAddr func(*http.Request) netip.Addr
	Logger     *slog.Logger
	// Timing is for tests; its zero value is what the protocol describes.
	Timing Timing
}

// Timing holds the pauses and deadlines of a link. A zero field takes the default.
type Timing struct {
	// Heartbeat is the pause between calls of Nodes.Seen, 10 seconds.
	Heartbeat time.Duration
	// Reconcile is the pause between calls of Desired.Pending, 5 seconds.
	Reconcile time.Duration
	// Hello, Sync, Call and Remove bound the calls to the agent: 10 seconds, 30 seconds, 10 seconds and a minute.
	Hello, Sync, Call, Remove time.Duration
	// Ping and PongTimeout are protocol.PingInterval and protocol.PingTimeout.
	Ping, PongTimeout time.Duration
	// RetryMin and RetryMax are the first and the longest pause after a failure, half a second and 15 seconds.
	RetryMin, RetryMax time.Duration
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&t.Heartbeat, 10*time.Second)
	set(&t.Reconcile, 5*time.Second)
	set(&t.Hello, 10*time.Second)
	set(&t.Sync, 30*time.Second)
	set(&t.Call, 10*time.Second)
	set(&t.Remove, time.Minute)
	set(&t.Ping, protocol.PingInterval)
	set(&t.PongTimeout, protocol.PingTimeout)
	set(&t.RetryMin, 500*time.Millisecond)
	set(&t.RetryMax, 15*time.Second)
	return t
}

// Link holds this instance's sessions with the node agents.
type Link struct {
	cfg      Config
	timing   Timing
	log      *slog.Logger
	nonces   *nonces
	arrivals *arrivals

	mu       sync.Mutex
	sessions map[string]*session // by node: those that hold their node
	open     map[*session]struct{}
	closing  bool
	running  sync.WaitGroup

	stopControl context.CancelFunc
	control     sync.WaitGroup
}

// dirtyServer tells the instance that holds a node's link that a server has changed.
type dirtyServer struct {
	NodeID   string `json:"nodeId"`
	ServerID string `json:"serverId"`
}

// checkNode asks the instances to look whether their session of a node may go on.
type checkNode struct {
	NodeID string `json:"nodeId"`
}

var (
	dirtyTopic = bus.NewTopic[dirtyServer]("link.dirty")
	checkTopic = bus.NewTopic[checkNode]("link.check")
)

// New returns a link. It takes connections and hears from other instances after Start.
func New(cfg Config) (*Link, error) {
	if cfg.Nodes == nil || cfg.Desired == nil || cfg.Reports == nil || cfg.Console == nil || cfg.Bus == nil {
		return nil, errors.New("the agent link needs Nodes, Desired, Reports, Console and Bus")
	}
	nonces, err := newNonces(cfg.NonceKey)
	if err != nil {
		return nil, err
	}
	if cfg.RemoteAddr == nil {
		cfg.RemoteAddr = peerAddr
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Link{
		cfg:      cfg,
		timing:   cfg.Timing.withDefaults(),
		log:      cfg.Logger,
		nonces:   nonces,
		arrivals: newArrivals(),
		sessions: make(map[string]*session),
		open:     make(map[*session]struct{}),
		closing:  true, // until Start
	}, nil
}

func peerAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// Start begins to listen to the other instances and lets agents connect. The context bounds the start only.
func (l *Link) Start(ctx context.Context) error {
	control, cancel := context.WithCancel(context.WithoutCancel(ctx))
	dirty, err := dirtyTopic.Subscribe(ctx, l.cfg.Bus, bus.All, bus.Options{Buffer: 1024})
	if err != nil {
		cancel()
		return fmt.Errorf("start the agent link: %w", err)
	}
	check, err := checkTopic.Subscribe(ctx, l.cfg.Bus, bus.All, bus.Options{Buffer: 1024})
	if err != nil {
		cancel()
		dirty.Close()
		return fmt.Errorf("start the agent link: %w", err)
	}
	l.stopControl = cancel
	l.control.Go(func() { l.listen(control, dirty, check) })
	l.mu.Lock()
	l.closing = false
	l.mu.Unlock()
	return nil
}

// listen works on what other instances say. Missed messages do no harm: a missed dirty server is found by the next
// reconcile, a missed check by the next heart-beat.
func (l *Link) listen(ctx context.Context, dirty *bus.Subscription[dirtyServer], check *bus.Subscription[checkNode]) {
	defer dirty.Close()
	defer check.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case d, ok := <-dirty.C():
			if !ok {
				return
			}
			if s := l.session(d.NodeID); s != nil {
				s.deliveries.mark(d.ServerID)
			}
		case c, ok := <-check.C():
			if !ok {
				return
			}
			if s := l.session(c.NodeID); s != nil {
				s.checkNow()
			}
		}
	}
}

// Dirty tells the node's agent, whichever instance holds its link, that a server's specification or desired state has
// changed or that it is to be removed. It returns at once; several calls may become one delivery. Call it after commit.
func (l *Link) Dirty(ctx context.Context, nodeID, serverID string) {
	if s := l.session(nodeID); s != nil {
		s.deliveries.mark(serverID)
		return
	}
	if l.cfg.Bus.Single() {
		return // the Sync of the next session covers it
	}
	if err := dirtyTopic.Publish(ctx, l.cfg.Bus, nodeID, dirtyServer{NodeID: nodeID, ServerID: serverID}); err != nil {
		l.log.WarnContext(ctx, "could not tell other instances of a changed server; the next reconcile will",
			slog.String("node_id", nodeID), slog.String("server_id", serverID), slog.Any("error", err))
	}
}

// Recheck makes whichever instance holds the node's link ask Nodes.Seen at once whether it may go on. Call it after
// commit when a node was deleted or its key revoked.
func (l *Link) Recheck(ctx context.Context, nodeID string) {
	if err := checkTopic.Publish(ctx, l.cfg.Bus, nodeID, checkNode{NodeID: nodeID}); err != nil {
		l.log.WarnContext(ctx, "could not ask the instances to check a node; the next heart-beat will",
			slog.String("node_id", nodeID), slog.Any("error", err))
	}
}

// Online reports whether this instance holds a link of the node. What all instances hold is in the database.
func (l *Link) Online(nodeID string) bool { return l.session(nodeID) != nil }

// Links returns how many nodes' links this instance holds.
func (l *Link) Links() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sessions)
}

// Latency returns the last round trip to a node whose link this instance holds.
func (l *Link) Latency(nodeID string) (time.Duration, bool) {
	s := l.session(nodeID)
	if s == nil {
		return 0, false
	}
	return time.Duration(s.latency.Load()), true
}

// Client returns a client for calls to the node's agent, through another instance when that one holds the link. Its
// calls end after 10 seconds unless their context says otherwise, and return faults. Without a link Client or the calls return NODE_OFFLINE.
func (l *Link) Client(nodeID string) (protocol.AgentServiceClient, error) {
	if s := l.session(nodeID); s != nil {
		return s.shared, nil
	}
	if l.cfg.Bus.Single() {
		return nil, offline()
	}
	return l.remoteClient(nodeID), nil
}

func offline() *fault.Error {
	return fault.New(fault.NodeOffline,
		"The node is offline: its agent is not connected to the panel. Start the agent or check the node's network, then try again.")
}

func (l *Link) session(nodeID string) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sessions[nodeID]
}

// host runs a session until it ends, unless the link is closing.
func (l *Link) host(s *session, place *place) {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		s.refuse(goingAway())
		return
	}
	l.open[s] = struct{}{}
	l.running.Add(1)
	l.mu.Unlock()

	defer l.running.Done()
	defer func() {
		l.mu.Lock()
		delete(l.open, s)
		l.mu.Unlock()
	}()
	s.run(place)
}

// take makes s the session that holds its node and returns the one that did so before.
func (l *Link) take(s *session) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.sessions[s.nodeID]
	l.sessions[s.nodeID] = s
	return old
}

func (l *Link) drop(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sessions[s.nodeID] == s {
		delete(l.sessions, s.nodeID)
	}
}

// Close ends every link, tells the agents that the panel goes away, and returns when nothing of the link is running any
// more, or the context's error.
func (l *Link) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closing = true
	for s := range l.open {
		s.end(goingAway())
	}
	l.mu.Unlock()
	if l.stopControl != nil {
		l.stopControl()
	}

	done := make(chan struct{})
	go func() {
		defer close(done)
		l.running.Wait()
		l.control.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the agent link: %w", ctx.Err())
	}
}
