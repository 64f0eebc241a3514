package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/graph/handler"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/viewer"
	"github.com/catalyst-panel/catalyst/test/apitest"
)

// refusing is a limiter that has had enough.
type refusing struct{}

func (refusing) Allow(string) (time.Duration, bool) { return 7 * time.Second, false }

// client is a client of graphql-transport-ws that says what it is told to.
type client struct {
	w    *apitest.World
	conn *websocket.Conn
}

type frame struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

func dial(w *apitest.World, protocols ...string) (*client, *http.Response, error) {
	conn, res, err := websocket.Dial(w.T.Context(), strings.Replace(w.URL, "http", "ws", 1), &websocket.DialOptions{Subprotocols: protocols})
	if err != nil {
		return nil, res, err
	}
	conn.SetReadLimit(1 << 22)
	w.T.Cleanup(func() { _ = conn.CloseNow() })
	return &client{w, conn}, res, nil
}

// socket returns a client that has been let in.
func socket(w *apitest.World, as *accounts.Credentials) *client {
	w.T.Helper()
	c, _, err := dial(w, "graphql-transport-ws")
	w.Must(err)
	if as == nil {
		c.send(`{"type":"connection_init"}`)
	} else {
		c.send(fmt.Sprintf(`{"type":"connection_init","payload":{"Authorization":"Bearer %s"}}`, as.AccessToken))
	}
	if f := c.read(); f.Type != "connection_ack" {
		w.T.Fatalf("got %v, want connection_ack", f)
	}
	return c
}

func (c *client) send(text string) {
	c.w.T.Helper()
	c.w.Must(c.conn.Write(c.w.T.Context(), websocket.MessageText, []byte(text)))
}

func (c *client) subscribe(id, query string) {
	c.w.T.Helper()
	payload, err := json.Marshal(map[string]any{"query": query})
	c.w.Must(err)
	c.send(fmt.Sprintf(`{"type":"subscribe","id":%q,"payload":%s}`, id, payload))
}

func (c *client) next() (frame, error) {
	ctx, cancel := context.WithTimeout(c.w.T.Context(), 10*time.Second)
	defer cancel()
	for {
		_, data, err := c.conn.Read(ctx)
		if err != nil {
			return frame{}, err
		}
		var f frame
		if err := json.Unmarshal(data, &f); err != nil {
			return f, err
		}
		if f.Type != "ping" {
			return f, nil
		}
	}
}

func (c *client) read() frame {
	c.w.T.Helper()
	f, err := c.next()
	c.w.Must(err)
	return f
}

// closed returns the code that the socket is closed with, whatever else is sent before.
func (c *client) closed() int {
	c.w.T.Helper()
	for {
		if _, err := c.next(); err != nil {
			return int(websocket.CloseStatus(err))
		}
	}
}

const hello = `{"type":"connection_init"}`

func TestCloseCodes(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, func(c *handler.Config) { c.Sockets.InitTimeout = 400 * time.Millisecond })
	ann := w.Person("ann")
	ask := `{"type":"subscribe","id":"1","payload":{"query":"subscription { serverChanged { entityId } }"}}`
	in := fmt.Sprintf(`{"type":"connection_init","payload":{"Authorization":"Bearer %s"}}`, ann.AccessToken)
	tests := []struct {
		name     string
		messages []string
		code     int
	}{
		{"nothing is said", nil, 4408},
		{"only pings", []string{`{"type":"ping"}`}, 4408},
		{"no JSON", []string{"{"}, 4400},
		{"unknown type", []string{`{"type":"start"}`}, 4400},
		{"init with a text", []string{`{"type":"connection_init","payload":"x"}`}, 4400},
		{"init with a list", []string{`{"type":"connection_init","payload":[]}`}, 4400},
		{"subscribe first", []string{ask}, 4401},
		{"refused", []string{`{"type":"connection_init","payload":{"Authorization":"Bearer nonsense"}}`}, 4403},
		{"second init", []string{hello, hello}, 4429},
		{"identifier in use", []string{in, ask, ask}, 4409},
		{"no identifier", []string{hello, `{"type":"subscribe","payload":{"query":"{ __typename }"}}`}, 4400},
		{"number as identifier", []string{hello, `{"type":"subscribe","id":1,"payload":{"query":"{ __typename }"}}`}, 4400},
		{"no payload", []string{hello, `{"type":"subscribe","id":"1"}`}, 4400},
		{"no query", []string{hello, `{"type":"subscribe","id":"1","payload":{}}`}, 4400},
		{"variables of the wrong kind", []string{hello, `{"type":"subscribe","id":"1","payload":{"query":"{ a }","variables":1}}`}, 4400},
		{"a message of the server", []string{hello, `{"type":"next","id":"1"}`}, 4400},
		{"too long", []string{hello, `{"type":"ping","payload":{"x":"` + strings.Repeat("x", 1<<20) + `"}}`}, 1009},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, _, err := dial(w, "graphql-transport-ws")
			w.Must(err)
			for _, m := range tt.messages {
				c.send(m)
			}
			if got := c.closed(); got != tt.code {
				t.Errorf("closed with %d, want %d", got, tt.code)
			}
		})
	}
	for _, protocols := range [][]string{nil, {"graphql-ws"}} {
		if _, res, err := dial(w, protocols...); err == nil || res == nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("protocols %v: got %v and %v, want 400", protocols, res, err)
		}
	}
}

func TestSocketOperations(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, func(c *handler.Config) { c.Sockets.Subscriptions = 2 })
	c := socket(w, w.Person("ann"))

	c.send(`{"type":"ping","payload":{"n":1}}`)
	if f := c.read(); f.Type != "pong" || string(f.Payload) != `{"n":1}` {
		t.Errorf("a ping was answered by %v", f)
	}
	c.subscribe("q", `{ viewer { user { username } } }`)
	if f := c.read(); f.Type != "next" || f.ID != "q" || !strings.Contains(string(f.Payload), `"username":"ann"`) ||
		!strings.Contains(string(f.Payload), `"cost"`) {
		t.Errorf("a query was answered by %s", f.Payload)
	}
	if f := c.read(); f.Type != "complete" || f.ID != "q" {
		t.Errorf("a query was followed by %v", f)
	}
	// An error ends an operation: nothing follows it, and its identifier is free.
	for range 2 {
		c.subscribe("e", `{ nothing }`)
		if f := c.read(); f.Type != "error" || f.ID != "e" || !strings.Contains(string(f.Payload), "GRAPHQL_VALIDATION_FAILED") {
			t.Errorf("an invalid document was answered by %s %s", f.Type, f.Payload)
		}
	}
	c.subscribe("p", `{ servers(first: 0) { totalCount } }`)
	if f := c.read(); f.Type != "error" || !strings.Contains(string(f.Payload), "BAD_USER_INPUT") {
		t.Errorf("a bad page was answered by %s %s", f.Type, f.Payload)
	}
	c.subscribe("n", `subscription { serverStats(serverId: "srv_01h455vb4pex5vsknk084sn02q") { at } }`)
	if f := c.read(); f.Type != "error" || !strings.Contains(string(f.Payload), "NOT_FOUND") {
		t.Errorf("a hidden server was answered by %s %s", f.Type, f.Payload)
	}
	for _, id := range []string{"a", "b", "c"} {
		c.subscribe(id, `subscription { serverChanged { entityId } }`)
	}
	if f := c.read(); f.Type != "error" || f.ID != "c" || !strings.Contains(string(f.Payload), "RATE_LIMITED") {
		t.Errorf("one operation too many was answered by %v", f)
	}
	c.send(`{"type":"complete","id":"a"}`)
	c.subscribe("a", `subscription { serverChanged { entityId } }`)
	c.send(`{"type":"ping"}`)
	if f := c.read(); f.Type != "pong" {
		t.Errorf("after a completed operation came %v", f)
	}
}

func TestSocketsPerUser(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, func(c *handler.Config) { c.Sockets.PerUser = 1 })
	ann := w.Person("ann")
	// enter returns what a new socket of the user is answered with, and the code that it is closed with.
	enter := func() (*client, string, int) {
		c, _, err := dial(w, "graphql-transport-ws")
		w.Must(err)
		c.send(fmt.Sprintf(`{"type":"connection_init","payload":{"Authorization":"Bearer %s"}}`, ann.AccessToken))
		f, err := c.next()
		return c, f.Type, int(websocket.CloseStatus(err))
	}
	first, answer, _ := enter()
	if answer != "connection_ack" {
		t.Fatalf("the first socket got %q", answer)
	}
	if _, _, code := enter(); code != 4403 {
		t.Errorf("the second socket was closed with %d", code)
	}
	w.Must(first.conn.Close(websocket.StatusNormalClosure, ""))
	apitest.Eventually(t, "the place of a closed socket is free", func() bool {
		_, answer, _ := enter()
		return answer == "connection_ack"
	})
}

// TestStreamsPerUser counts event streams like sockets.
func TestStreamsPerUser(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, func(c *handler.Config) { c.Sockets.PerUser = 1 })
	ann, bob := w.Person("ann"), w.Person("bob")
	const query = "subscription { serverChanged { entityId } }"
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, strings.NewReader(`{"query":"`+query+`"}`))
	w.Must(err)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "text/event-stream", "Authorization": "Bearer " + ann.AccessToken,
	} {
		req.Header.Set(name, value)
	}
	open, err := http.DefaultClient.Do(req)
	w.Must(err)
	defer func() { _ = open.Body.Close() }()
	if got := w.First(ann, query, nil); got.Status != http.StatusTooManyRequests || got.Code() != "RATE_LIMITED" {
		t.Errorf("the second stream: %d %s", got.Status, got.Text)
	}
	if got := w.First(bob, "subscription { serverChanged(id: \"srv_x\") { entityId } }", nil); got.Code() != "NOT_FOUND" {
		t.Errorf("another user's: %s", got.Text)
	}
	leave()
	apitest.Eventually(t, "the place of a stream that has ended is free", func() bool {
		return w.First(ann, "subscription { serverChanged(id: \"srv_x\") { entityId } }", nil).Code() == "NOT_FOUND"
	})
}

func TestSocketsPerAddress(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, func(c *handler.Config) { c.Sockets.PerAddress = 2 })
	first := socket(w, nil)
	socket(w, nil)
	if _, res, err := dial(w, "graphql-transport-ws"); err == nil || res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the third socket of an address: %v", err)
	}
	w.Must(first.conn.Close(websocket.StatusNormalClosure, ""))
	apitest.Eventually(t, "the place of a closed socket is free", func() bool {
		_, _, err := dial(w, "graphql-transport-ws")
		return err == nil
	})
}

func TestSocketsEndWithShutdown(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	early, _, err := dial(w, "graphql-transport-ws")
	w.Must(err)
	late := socket(w, w.Person("ann"))
	late.subscribe("1", `subscription { serverChanged { entityId } }`)
	w.Shutdown(request.ErrShutdown)
	for _, c := range []*client{early, late} {
		if code := c.closed(); code != 1012 {
			t.Errorf("closed with %d, want 1012", code)
		}
	}
}

// TestA6 ends what a lost right has opened, at once.
func TestA6(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	ann, bob := w.Person("ann"), w.Person("bob")
	sv := w.Server("castle", ann)
	grant := `mutation($s: ID!, $u: ID!) { grantServerAccess(input: {serverId: $s, userId: $u, permissions: ["console.read"]}) { serverAccess { id } } }`
	ids := map[string]any{"s": sv.ID, "u": bob.User.ID}
	if got := w.Post(ann, grant, ids); got.Code() != "" {
		t.Fatal(got.Text)
	}
	c := socket(w, bob)
	c.subscribe("console", fmt.Sprintf(`subscription { console(serverId: %q) { skipped lines { seq time stream text } } }`, sv.ID))
	c.subscribe("one", fmt.Sprintf(`subscription { serverChanged(id: %q) { operation entityId server { name } } }`, sv.ID))
	c.subscribe("all", `subscription { serverChanged { operation entityId } }`)
	at := time.Date(2026, 1, 31, 18, 30, 0, 0, time.UTC).UnixMicro()
	w.Must(w.Console.Ingest(t.Context(), sv.NodeID, []*protocol.ConsoleResponse{{
		ServerId: sv.ID, Lines: []*protocol.ConsoleLine{{Seq: 1, AtUs: at, Text: "hello", Stream: protocol.Stream_STREAM_STDOUT}},
	}}))
	want := `"lines":[{"seq":"1","time":"2026-01-31T18:30:00Z","stream":"STDOUT","text":"hello"}]`
	if f := c.read(); f.ID != "console" || !strings.Contains(string(f.Payload), want) {
		t.Fatalf("got %s", f.Payload)
	}
	if got := w.Post(ann, `mutation($s: ID!, $u: ID!) { revokeServerAccess(input: {serverId: $s, userId: $u}) { deletedId } }`, ids); got.Code() != "" {
		t.Fatal(got.Text)
	}
	start := time.Now()
	ended := map[string]bool{}
	for len(ended) < 2 {
		f := c.read()
		if f.Type != "error" || !strings.Contains(string(f.Payload), "NOT_FOUND") {
			t.Fatalf("%s got %s %s", f.ID, f.Type, f.Payload)
		}
		ended[f.ID] = true
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if !ended["console"] || !ended["one"] {
		t.Errorf("ended: %v", ended)
	}
	// The account is suspended: the whole socket ends.
	admin := w.Person("carol", "*")
	if got := w.Post(admin, `mutation($id: ID!) { suspendUser(input: {id: $id}) { user { suspended } } }`, map[string]any{"id": bob.User.ID}); got.Code() != "" {
		t.Fatal(got.Text)
	}
	if code := c.closed(); code != 4403 {
		t.Errorf("closed with %d, want 4403", code)
	}
}

// forgetful cannot say who somebody is for as many times as failures counts.
type forgetful struct {
	handler.Accounts
	failures *atomic.Int32
}

func (f forgetful) Refresh(ctx context.Context) (*viewer.Viewer, error) {
	if f.failures.Add(-1) >= 0 {
		return nil, errors.New("the database is away")
	}
	return f.Accounts.Refresh(ctx)
}

// TestA6WhileTheDatabaseIsAway ends a socket although its credential could not be looked at when the end was announced.
func TestA6WhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	var failures atomic.Int32
	w := apitest.New(t, func(c *handler.Config) { c.Accounts = forgetful{c.Accounts, &failures} })
	bob, admin := w.Person("bob"), w.Person("carol", "*")
	c := socket(w, bob)
	failures.Store(1)
	if got := w.Post(admin, `mutation($id: ID!) { suspendUser(input: {id: $id}) { user { suspended } } }`, map[string]any{"id": bob.User.ID}); got.Code() != "" {
		t.Fatal(got.Text)
	}
	if code := c.closed(); code != 4403 {
		t.Errorf("closed with %d, want 4403", code)
	}
	if left := failures.Load(); left > 0 {
		t.Errorf("the look that was to fail was not taken: %d", left)
	}
}

// TestConsoleSelections asks for a console in several ways: each reader gets what it selected of the same batch.
func TestConsoleSelections(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	ann := w.Person("ann")
	sv := w.Server("castle", ann)
	every := func(typename string) string {
		got := w.Post(ann, `query($name: String!) { __type(name: $name) { fields { name } } }`, map[string]any{"name": typename})
		var names []string
		for _, f := range got.Data["__type"].(map[string]any)["fields"].([]any) {
			if name := f.(map[string]any)["name"].(string); name != "lines" {
				names = append(names, name)
			}
		}
		return strings.Join(names, " ")
	}
	tests := []struct{ name, selection, want string }{
		{
			"every field", every("ConsoleBatch") + " lines { " + every("ConsoleLine") + " }",
			`{"skipped":0,"lines":[{"seq":"1","time":"2026-01-31T18:30:00Z","stream":"STDERR","text":"say \"hello\""}]}`,
		},
		{
			"the same again", "skipped lines { seq time stream text }",
			`{"skipped":0,"lines":[{"seq":"1","time":"2026-01-31T18:30:00Z","stream":"STDERR","text":"say \"hello\""}]}`,
		},
		{
			"other names", "__typename lost: skipped lines { __typename n: seq text }",
			`{"__typename":"ConsoleBatch","lost":0,"lines":[{"__typename":"ConsoleLine","n":"1","text":"say \"hello\""}]}`,
		},
		{
			"fragments and conditions", "... on ConsoleBatch { lines { text } } lines { seq time @include(if: false) } skipped @skip(if: true)",
			`{"lines":[{"text":"say \"hello\"","seq":"1"}]}`,
		},
	}
	c := socket(w, ann)
	for _, tt := range tests {
		c.subscribe(tt.name, fmt.Sprintf(`subscription { console(serverId: %q, after: "0") { %s } }`, sv.ID, tt.selection))
	}
	w.Must(w.Console.Ingest(t.Context(), sv.NodeID, []*protocol.ConsoleResponse{{ServerId: sv.ID, Lines: []*protocol.ConsoleLine{{
		Seq: 1, AtUs: time.Date(2026, 1, 31, 18, 30, 0, 0, time.UTC).UnixMicro(), Text: `say "hello"`, Stream: protocol.Stream_STREAM_STDERR,
	}}}}))
	got := map[string]string{}
	for len(got) < len(tests) {
		f := c.read()
		var payload struct {
			Data struct{ Console json.RawMessage }
		}
		w.Must(json.Unmarshal(f.Payload, &payload))
		got[f.ID] = string(payload.Data.Console)
	}
	for _, tt := range tests {
		if got[tt.name] != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got[tt.name], tt.want)
		}
	}
}

func TestServerChanges(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	ann, bob := w.Person("ann", "server.update"), w.Person("bob")
	sv := w.Server("castle", ann)
	own, strangers := socket(w, ann), socket(w, bob)
	own.subscribe("1", fmt.Sprintf(`subscription { serverChanged(id: %q) { operation entityId server { id name } } }`, sv.ID))
	strangers.subscribe("1", `subscription { serverChanged { operation entityId } }`)
	// Nothing says when a subscription has begun, so the change is made until it is seen.
	seen := make(chan frame, 1)
	go func() {
		if f, err := own.next(); err == nil {
			seen <- f
		}
	}()
	var f frame
	apitest.Eventually(t, "the change is seen", func() bool {
		w.Post(ann, `mutation($id: ID!) { updateServer(input: {id: $id, name: "keep"}) { server { name } } }`, map[string]any{"id": sv.ID})
		select {
		case f = <-seen:
			return true
		default:
			return false
		}
	})
	if !strings.Contains(string(f.Payload), `{"operation":"UPDATED","entityId":"`+sv.ID+`","server":{"id":"`+sv.ID+`","name":"keep"}}`) {
		t.Errorf("got %s", f.Payload)
	}
	if got := w.Post(ann, `mutation($id: ID!) { deleteServer(input: {id: $id}) { deletedId } }`, map[string]any{"id": sv.ID}); got.Code() != "" {
		t.Fatal(got.Text)
	}
	for f.Type != "complete" {
		last := f
		if f = own.read(); f.Type == "error" {
			t.Fatalf("ended by %s", f.Payload)
		}
		if f.Type == "complete" && !strings.Contains(string(last.Payload), `"operation":"DELETED"`) {
			t.Errorf("the last event was %s", last.Payload)
		}
	}
	strangers.send(`{"type":"ping"}`)
	if f := strangers.read(); f.Type != "pong" {
		t.Errorf("a stranger was told %s", f.Payload)
	}
}

// TestG5 subscribes and completes many times without leaving anything behind.
func TestG5(t *testing.T) {
	w := apitest.New(t, nil)
	c := socket(w, w.Person("ann"))
	before := runtime.NumGoroutine()
	for i := range 10_000 {
		c.subscribe(fmt.Sprint(i), `subscription { serverChanged { entityId } }`)
		c.send(fmt.Sprintf(`{"type":"complete","id":"%d"}`, i))
	}
	c.send(`{"type":"ping"}`)
	if f := c.read(); f.Type != "pong" {
		t.Fatalf("got %s %s", f.Type, f.Payload)
	}
	apitest.Eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// TestG5SlowReader has one client take nothing of a busy console: another one gets every line, at once and in order.
func TestG5SlowReader(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	ann := w.Person("ann")
	sv := w.Server("castle", ann)
	console := fmt.Sprintf(`subscription { console(serverId: %q, after: "0") { lines { seq text } skipped } }`, sv.ID)
	slow, quick := socket(w, ann), socket(w, ann)
	slow.subscribe("c", console)
	quick.subscribe("c", console)
	const batches, size = 50, 64
	text := strings.Repeat("x", 4<<10) // 13 MB together: more than a connection holds
	begun := time.Now()
	for i := range batches {
		lines := make([]*protocol.ConsoleLine, size)
		for n := range lines {
			lines[n] = &protocol.ConsoleLine{Seq: uint64(i*size + n + 1), AtUs: begun.UnixMicro(), Text: text, Stream: protocol.Stream_STREAM_STDOUT}
		}
		w.Must(w.Console.Ingest(t.Context(), sv.NodeID, []*protocol.ConsoleResponse{{ServerId: sv.ID, Lines: lines}}))
	}
	next, last := 1, time.Now()
	for next <= batches*size {
		var data struct {
			Data struct {
				Console struct {
					Lines   []struct{ Seq string }
					Skipped int
				}
			}
		}
		f := quick.read()
		if err := json.Unmarshal(f.Payload, &data); err != nil || f.Type != "next" || data.Data.Console.Skipped != 0 {
			t.Fatalf("got %s %.200s, %v", f.Type, f.Payload, err)
		}
		for _, l := range data.Data.Console.Lines {
			if l.Seq != fmt.Sprint(next) {
				t.Fatalf("line %s came where %d was due", l.Seq, next)
			}
			next++
		}
		if pause := time.Since(last); pause > 5*time.Second { // a write may wait for the slow one for ten
			t.Errorf("nothing came for %v", pause)
		}
		last = time.Now()
	}
}

func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	ann := w.Person("ann")
	header := map[string]string{
		"Content-Type": "application/json", "Accept": "text/event-stream", "Authorization": "Bearer " + ann.AccessToken,
	}
	got := w.Send(http.MethodPost, "", header, `{"query":"{ viewer { user { username } } }"}`)
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") || got.Header.Get("X-Accel-Buffering") != "no" ||
		!strings.Contains(got.Text, "event: next\ndata: {\"data\":{\"viewer\":{\"user\":{\"username\":\"ann\"}}}") ||
		!strings.HasSuffix(got.Text, "event: complete\ndata:\n\n") {
		t.Errorf("a query: %q", got.Text)
	}
	hidden := w.Send(http.MethodPost, "", header, `{"query":"subscription { serverStats(serverId: \"srv_01h455vb4pex5vsknk084sn02q\") { at } }"}`)
	if !strings.Contains(hidden.Text, "NOT_FOUND") || !strings.HasSuffix(hidden.Text, "event: complete\ndata:\n\n") {
		t.Errorf("a hidden server: %q", hidden.Text)
	}
	refused := w.Send(http.MethodPost, "", header, `{"query":"{ nothing }"}`)
	if !strings.Contains(refused.Text, "GRAPHQL_VALIDATION_FAILED") {
		t.Errorf("an invalid document: %q", refused.Text)
	}
	plain := w.Send(http.MethodPost, "", map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + ann.AccessToken},
		`{"query":"subscription { serverChanged { entityId } }"}`)
	if plain.Code() != "BAD_REQUEST" || plain.Status != http.StatusBadRequest {
		t.Errorf("a subscription without a stream: %d %s", plain.Status, plain.Text)
	}
}
