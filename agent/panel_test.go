package agent_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// panel is as much of a panel as an agent needs: it enrols one node, checks its signature, and calls it.
type panel struct {
	t      *testing.T
	server *httptest.Server
	nodeID string
	links  chan *panelLink

	mu     sync.Mutex
	key    ed25519.PublicKey
	nonces map[string]bool
	refuse int // the status that connections are refused with

	refused chan struct{} // has a token for each refusal
}

// panelLink is one connection of the agent.
type panelLink struct {
	conn  *websocket.Conn
	calls protocol.AgentServiceClient
	done  chan struct{}
}

// cut ends the connection without a word, as a broken network does.
func (l *panelLink) cut() {
	_ = l.conn.CloseNow()
	<-l.done
}

func newPanel(t *testing.T) *panel {
	t.Helper()
	p := &panel{t: t, nodeID: kind.NewID(kind.PrefixNode), links: make(chan *panelLink, 16), nonces: make(map[string]bool), refused: make(chan struct{}, 64)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+protocol.NoncePath, p.nonce)
	mux.HandleFunc("POST "+protocol.EnrolPath, p.enrol)
	mux.HandleFunc("GET "+protocol.ConnectPath, p.connect)
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	return p
}

func (p *panel) nonce(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	nonce := base64.RawURLEncoding.EncodeToString([]byte(kind.NewID(kind.PrefixSession)))
	p.nonces[nonce] = true
	_ = json.NewEncoder(w).Encode(protocol.Nonce{Nonce: nonce})
}

func (p *panel) enrol(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var req protocol.EnrolRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.Token != "token" || p.key != nil {
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(protocol.ErrorResponse{Code: "UNAUTHENTICATED", Message: "Make a new token."})
		return
	}
	p.key = req.PublicKey
	_ = json.NewEncoder(w).Encode(protocol.EnrolResponse{NodeID: p.nodeID, Version: protocol.Version})
}

// proven checks the Authorization header; each nonce counts once.
func (p *panel) proven(header string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	scheme, value, _ := strings.Cut(header, " ")
	parts := strings.Split(value, ".")
	if scheme != protocol.AuthScheme || len(parts) != 3 || parts[0] != p.nodeID || !p.nonces[parts[1]] {
		return false
	}
	delete(p.nonces, parts[1])
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	return err == nil && ed25519.Verify(p.key, protocol.SigningInput(parts[0], parts[1]), signature)
}

func (p *panel) connect(w http.ResponseWriter, r *http.Request) {
	proven := p.proven(r.Header.Get("Authorization"))
	p.mu.Lock()
	refuse := p.refuse
	p.mu.Unlock()
	if !proven || refuse != 0 {
		p.refused <- struct{}{}
		w.WriteHeader(max(refuse, http.StatusUnauthorized))
		_ = json.NewEncoder(w).Encode(protocol.ErrorResponse{Code: "UNAUTHENTICATED", Message: "Enrol the node again."})
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	stream := &endingConn{Conn: websocket.NetConn(context.WithoutCancel(r.Context()), conn, websocket.MessageBinary), ended: make(chan struct{})}
	transport := &http.Transport{
		Protocols:   new(http.Protocols),
		DialContext: func(context.Context, string, string) (net.Conn, error) { return stream, nil },
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client, err := transport.NewClientConn(r.Context(), "http", "agent:80")
	if err != nil {
		return
	}
	defer client.Close()
	link := &panelLink{conn: conn, done: make(chan struct{}), calls: protocol.NewAgentServiceClient(&http.Client{Transport: client}, "http://agent")}
	defer close(link.done)
	p.links <- link
	<-stream.ended
}

// endingConn tells when the connection has ended.
type endingConn struct {
	net.Conn
	once  sync.Once
	ended chan struct{}
}

func (c *endingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.once.Do(func() { close(c.ended) })
	}
	return n, err
}

// link returns the agent's next connection.
func (p *panel) link() *panelLink {
	p.t.Helper()
	select {
	case l := <-p.links:
		return l
	case <-time.After(20 * time.Second):
		p.t.Fatal("the agent does not connect")
		return nil
	}
}
