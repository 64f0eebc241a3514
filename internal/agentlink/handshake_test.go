package agentlink_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/agentlink"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// TestStrangersCannotDisturb is abuse case N2: nobody without the node's key gets in, and whoever tries does not touch
// the node's link.
func TestStrangersCannotDisturb(t *testing.T) { //nolint:tparallel // what they did is checked at the end
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	link := node.dial(t, p)
	online(t, p, node)
	other := newAgent(t, s)

	// nonceOf takes the nonce out of a good credential, so that a test can misuse it.
	nonceOf := func(credential string) string { return strings.Split(credential, ".")[1] }

	tests := []struct {
		name        string
		credential  string
		subprotocol string
		origin      string
		status      int
		code        fault.Code
	}{
		{name: "no credential", status: 401, code: fault.Unauthenticated},
		{name: "another scheme", credential: "Bearer abc", status: 401, code: fault.Unauthenticated},
		{name: "garbage", credential: protocol.AuthScheme + " a.b.c", status: 401, code: fault.Unauthenticated},
		{name: "too long", credential: protocol.AuthScheme + " " + strings.Repeat("a", 1000), status: 401, code: fault.Unauthenticated},
		{name: "signed by another node", credential: other.sign(node.nodeID, nonceOf(other.credential(t, p.url))), status: 401, code: fault.Unauthenticated},
		{name: "a node that does not exist", credential: node.sign(kind.NewID(kind.PrefixNode), nonceOf(node.credential(t, p.url))), status: 401, code: fault.Unauthenticated},
		{name: "a made-up nonce", credential: node.sign(node.nodeID, strings.Repeat("A", 75)), status: 401, code: fault.Unauthenticated},
		{name: "a changed signature", credential: node.credential(t, p.url)[:200] + "AAAA", status: 401, code: fault.Unauthenticated},
		{name: "no subprotocol", credential: node.credential(t, p.url), subprotocol: "-", status: 426, code: fault.BadRequest},
		{name: "another version", credential: node.credential(t, p.url), subprotocol: "catalyst.agent.v9", status: 426, code: fault.BadRequest},
		{name: "from a browser", credential: node.credential(t, p.url), origin: p.url, status: 403, code: fault.Forbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := upgrade(t, p.url, tt.credential, tt.subprotocol, tt.origin)
			var refusal protocol.ErrorResponse
			if err := json.Unmarshal(body, &refusal); err != nil {
				t.Fatalf("the answer is not JSON: %q", body)
			}
			if status != tt.status || refusal.Code != string(tt.code) || refusal.Message == "" {
				t.Errorf("got %d %+v, want %d %s", status, refusal, tt.status, tt.code)
			}
		})
	}

	t.Run("a credential used twice", func(t *testing.T) {
		second := newAgent(t, s)
		credential := second.credential(t, p.url)
		if status, _ := upgrade(t, p.url, credential, "", ""); status != 101 {
			t.Fatalf("first use: %d", status)
		}
		if status, _ := upgrade(t, p.url, credential, "", ""); status != 401 {
			t.Errorf("second use: %d", status)
		}
	})

	select {
	case <-link.closed:
		t.Fatalf("the node's link has ended: %v", link.err)
	default:
	}
	s.with(func() {
		if len(s.infos) != 1 || len(s.gone) != 0 {
			t.Errorf("sessions: %+v, ended: %v", s.infos, s.gone)
		}
	})
	client, err := p.link.Client(node.nodeID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.SendInput(t.Context(), input("still here")); err != nil {
		t.Errorf("the node's link no longer works: %v", err)
	}
}

// upgrade asks for the WebSocket by hand. An empty subprotocol stands for the right one, "-" for none.
func upgrade(t *testing.T, url, credential, subprotocol, origin string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+protocol.ConnectPath, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	switch subprotocol {
	case "":
		r.Header.Set("Sec-WebSocket-Protocol", protocol.Subprotocol)
	case "-":
	default:
		r.Header.Set("Sec-WebSocket-Protocol", subprotocol)
	}
	if credential != "" {
		r.Header.Set("Authorization", credential)
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response.StatusCode, nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

func TestEnrol(t *testing.T) { //nolint:tparallel // the token is spent on the way
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	public := []byte(s.keys[node.nodeID])
	s.with(func() {
		delete(s.keys, node.nodeID)
		s.tokens["good"] = node.nodeID
	})
	good := protocol.EnrolRequest{Token: "good", PublicKey: public, Versions: []int{protocol.Version}}
	tests := []struct {
		name        string
		request     any
		contentType string
		status      int
		code        fault.Code
	}{
		{"not JSON", "hello", "text/plain", 400, fault.BadRequest},
		{"a wrong token", protocol.EnrolRequest{Token: "bad", PublicKey: public, Versions: []int{protocol.Version}}, "", 401, fault.Unauthenticated},
		{"no token", protocol.EnrolRequest{PublicKey: public, Versions: []int{protocol.Version}}, "", 400, fault.BadUserInput},
		{"a short key", protocol.EnrolRequest{Token: "good", PublicKey: []byte("x"), Versions: []int{protocol.Version}}, "", 400, fault.BadUserInput},
		{"no common version", protocol.EnrolRequest{Token: "good", PublicKey: public, Versions: []int{99}}, "", 400, fault.BadRequest},
		{"too large", protocol.EnrolRequest{Token: strings.Repeat("x", 5000)}, "", 400, fault.BadRequest},
		{"good, after all the refusals", good, "", 200, ""},
		{"the same token again", good, "", 401, fault.Unauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, err := json.Marshal(tt.request)
			if err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+protocol.EnrolPath, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			var answer struct {
				protocol.EnrolResponse
				protocol.ErrorResponse
			}
			if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != tt.status || answer.Code != string(tt.code) {
				t.Errorf("got %d %+v, want %d %s", response.StatusCode, answer, tt.status, tt.code)
			}
			if tt.status == 200 && (answer.NodeID != node.nodeID || answer.Version != protocol.Version) {
				t.Errorf("got %+v", answer.EnrolResponse)
			}
		})
	}
	node.dial(t, p)
	online(t, p, node)
}

func TestAnotherVersionInHelloIsRefused(t *testing.T) {
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	node.version = 7
	err := ended(t, node.dial(t, p))
	refusal, ok := errors.AsType[websocket.CloseError](err)
	if !ok || refusal.Code != agentlink.StatusVersion || !strings.Contains(refusal.Reason, "7") {
		t.Errorf("got %v", err)
	}
}

func TestRefusedByTheService(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.connected = func(agentlink.LinkInfo) error { return fault.New(fault.Forbidden, "This node was deleted.") }
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	err := ended(t, node.dial(t, p))
	refusal, ok := errors.AsType[websocket.CloseError](err)
	if !ok || refusal.Code != agentlink.StatusRefused || refusal.Reason != "This node was deleted." {
		t.Errorf("got %v", err)
	}
	if p.link.Online(node.nodeID) {
		t.Error("the node is online")
	}
}
