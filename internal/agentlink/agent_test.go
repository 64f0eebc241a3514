package agentlink_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// agent is a node agent made from the protocol package only.
type agent struct {
	protocol.UnimplementedAgentServiceHandler
	nodeID string
	key    ed25519.PrivateKey

	mu       sync.Mutex
	version  int32
	epoch    string
	synced   int
	applied  map[string][]uint64 // generations per server, in order of arrival
	removed  []string
	inputs   []string
	refuse   map[string]error // what ApplyServer answers for a server
	failing  error            // what Sync, Events and Console answer, when not nil
	extra    []*protocol.Observed
	events   []*protocol.EventsResponse // the spool
	acks     []uint64
	console  map[string][]*protocol.ConsoleLine
	requests []*protocol.ConsoleRequest
	strange  []*protocol.ConsoleResponse // sent unasked
	changed  chan struct{}               // closed and replaced when something to send was added
}

func newAgent(t *testing.T, s *store) *agent {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{
		nodeID:  kind.NewID(kind.PrefixNode),
		key:     private,
		version: protocol.Version,
		epoch:   "epoch-1",
		applied: make(map[string][]uint64),
		refuse:  make(map[string]error),
		console: make(map[string][]*protocol.ConsoleLine),
		changed: make(chan struct{}),
	}
	s.with(func() { s.keys[a.nodeID] = public })
	return a
}

func (a *agent) with(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// emit changes what there is to send and wakes the streams.
func (a *agent) emit(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *agent) Hello(_ context.Context, r *connect.Request[protocol.HelloRequest]) (*connect.Response[protocol.HelloResponse], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Msg.GetNodeId() != a.nodeID {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("this is another node"))
	}
	return connect.NewResponse(&protocol.HelloResponse{
		Version: a.version, AgentVersion: "0.9", Runtime: "fake", EventEpoch: a.epoch,
		System: &protocol.SystemInfo{Os: "linux"},
	}), nil
}

func (a *agent) Sync(_ context.Context, r *connect.Request[protocol.SyncRequest]) (*connect.Response[protocol.SyncResponse], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.synced++
	if a.failing != nil {
		return nil, a.failing
	}
	response := &protocol.SyncResponse{Servers: a.extra}
	for _, server := range r.Msg.GetServers() {
		response.Servers = append(response.Servers, a.hold(server))
	}
	return connect.NewResponse(response), nil
}

func (a *agent) hold(r *protocol.ApplyServerRequest) *protocol.Observed {
	id := r.GetSpec().GetServerId()
	a.applied[id] = append(a.applied[id], r.GetDesired().GetGeneration())
	return &protocol.Observed{
		ServerId: id, State: protocol.State_STATE_RUNNING,
		Generation: r.GetDesired().GetGeneration(), Run: r.GetDesired().GetRun(),
	}
}

func (a *agent) ApplyServer(_ context.Context, r *connect.Request[protocol.ApplyServerRequest]) (*connect.Response[protocol.ApplyServerResponse], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.refuse[r.Msg.GetSpec().GetServerId()]; err != nil {
		return nil, err
	}
	return connect.NewResponse(&protocol.ApplyServerResponse{Observed: a.hold(r.Msg)}), nil
}

func (a *agent) RemoveServer(_ context.Context, r *connect.Request[protocol.RemoveServerRequest]) (*connect.Response[protocol.RemoveServerResponse], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.removed = append(a.removed, r.Msg.GetServerId())
	return connect.NewResponse(&protocol.RemoveServerResponse{}), nil
}

func (a *agent) SendInput(ctx context.Context, r *connect.Request[protocol.SendInputRequest]) (*connect.Response[protocol.SendInputResponse], error) {
	switch r.Msg.GetText() {
	case "stopped":
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("The server is not running."))
	case "ugly":
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("No\x1b[2J\nway."))
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inputs = append(a.inputs, r.Msg.GetText())
	return connect.NewResponse(&protocol.SendInputResponse{Seq: uint64(len(a.inputs))}), nil
}

func (a *agent) Events(ctx context.Context, stream *connect.BidiStream[protocol.EventsRequest, protocol.EventsResponse]) error {
	first, err := stream.Receive()
	if err != nil {
		return err
	}
	var failing error
	a.with(func() { a.acks, failing = append(a.acks, first.GetAcknowledged()), a.failing })
	if failing != nil {
		return failing
	}
	var acks sync.WaitGroup
	defer acks.Wait()
	acks.Go(func() {
		for {
			ack, err := stream.Receive()
			if err != nil {
				return
			}
			a.with(func() { a.acks = append(a.acks, ack.GetAcknowledged()) })
		}
	})
	sent := first.GetAcknowledged()
	for {
		var todo []*protocol.EventsResponse
		var changed chan struct{}
		a.with(func() {
			for _, event := range a.events {
				if event.GetSeq() > sent {
					todo = append(todo, event)
				}
			}
			changed = a.changed
		})
		for _, event := range todo {
			if err := stream.Send(event); err != nil {
				return err
			}
			sent = event.GetSeq()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *agent) Console(ctx context.Context, stream *connect.BidiStream[protocol.ConsoleRequest, protocol.ConsoleResponse]) error {
	ctx, cancel := context.WithCancel(ctx)
	var requests sync.WaitGroup
	defer requests.Wait()
	defer cancel()
	sent := make(map[string]uint64) // guarded by a.mu
	requests.Go(func() {
		defer cancel()
		for {
			request, err := stream.Receive()
			if err != nil {
				return
			}
			a.emit(func() {
				a.requests = append(a.requests, request)
				switch {
				case request.GetStop():
					delete(sent, request.GetServerId())
				case request.GetStored() == 0:
					sent[request.GetServerId()] = request.GetAfter()
				}
			})
		}
	})
	for {
		var todo []*protocol.ConsoleResponse
		var changed chan struct{}
		a.with(func() {
			todo, a.strange = a.strange, nil
			for id, after := range sent {
				lines := slices.DeleteFunc(slices.Clone(a.console[id]), func(l *protocol.ConsoleLine) bool { return l.GetSeq() <= after })
				for batch := range slices.Chunk(lines, 64) {
					todo = append(todo, &protocol.ConsoleResponse{ServerId: id, Lines: batch})
					sent[id] = batch[len(batch)-1].GetSeq()
				}
			}
			changed = a.changed
		})
		for _, batch := range todo {
			if err := stream.Send(batch); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// credential asks for a nonce and signs it.
func (a *agent) credential(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+protocol.NoncePath, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	defer http.DefaultClient.CloseIdleConnections()
	var nonce protocol.Nonce
	if err := json.NewDecoder(response.Body).Decode(&nonce); err != nil {
		t.Fatal(err)
	}
	return a.sign(a.nodeID, nonce.Nonce)
}

func (a *agent) sign(nodeID, nonce string) string {
	signature := ed25519.Sign(a.key, protocol.SigningInput(nodeID, nonce))
	return protocol.AuthScheme + " " + nodeID + "." + nonce + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// connection is one link as the agent sees it.
type connection struct {
	ws     *websocket.Conn
	frozen *frozen
	closed chan struct{} // when the link has ended
	err    error         // why; read after closed
}

// frozen is a network connection that can stop answering without closing.
type frozen struct {
	net.Conn
	mu   sync.Mutex
	ice  chan struct{}
	gone chan struct{}
	once sync.Once
}

func (f *frozen) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	f.mu.Lock()
	ice := f.ice
	f.mu.Unlock()
	if ice != nil {
		select {
		case <-ice:
		case <-f.gone:
		}
	}
	return n, err
}

func (f *frozen) Close() error {
	f.once.Do(func() { close(f.gone) })
	return f.Conn.Close()
}

// dial connects the agent and serves the panel until the link ends.
func (a *agent) dial(t *testing.T, p *panel) *connection {
	t.Helper()
	c := &connection{closed: make(chan struct{})}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		c.frozen = &frozen{Conn: conn, gone: make(chan struct{})}
		return c.frozen, err
	}}
	ws, response, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(p.url, "http")+protocol.ConnectPath, &websocket.DialOptions{
		HTTPClient:   &http.Client{Transport: transport},
		HTTPHeader:   http.Header{"Authorization": {a.credential(t, p.url)}},
		Subprotocols: []string{protocol.Subprotocol},
	})
	if err != nil {
		t.Fatalf("dial: %v (%v)", err, response)
	}
	c.ws = ws
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	conn := &ears{Conn: websocket.NetConn(ctx, ws, websocket.MessageBinary), heard: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.Handle(protocol.NewAgentServiceHandler(a))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{
		Handler: mux, Protocols: protocols, ReadHeaderTimeout: time.Minute,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: protocol.MaxConcurrentStreams},
	}
	listener := &single{conn: make(chan net.Conn, 1), done: make(chan struct{})}
	listener.conn <- conn
	var work sync.WaitGroup
	work.Go(func() { _ = srv.Serve(listener) })
	work.Go(func() {
		c.err = <-conn.heard
		_ = srv.Close()
		_ = ws.CloseNow()
		cancel()
		close(c.closed)
	})
	t.Cleanup(func() {
		_ = c.frozen.Close()
		_ = ws.CloseNow()
		work.Wait()
		transport.CloseIdleConnections()
	})
	return c
}

// ears notes why a connection ended.
type ears struct {
	net.Conn
	heard chan error
	once  sync.Once
}

func (e *ears) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	if err != nil {
		e.once.Do(func() { e.heard <- err })
	}
	return n, err
}

// single is a listener for one connection.
type single struct {
	conn chan net.Conn
	done chan struct{}
	once sync.Once
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conn:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *single) Addr() net.Addr { return &net.TCPAddr{} }
