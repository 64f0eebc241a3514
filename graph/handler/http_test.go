package handler_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/graph/guard"
	"github.com/catalyst-panel/catalyst/graph/handler"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/ratelimit"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/viewer"
	"github.com/catalyst-panel/catalyst/test/apitest"
)

// TestG4 lets nothing in that a foreign page can make a browser send.
func TestG4(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	query := `{"query":"{ __typename }"}`
	json := map[string]string{"Content-Type": "application/json"}
	get := func(q string) string { return "?query=" + url.QueryEscape(q) }
	tests := []struct {
		name, method, address string
		header                map[string]string
		body                  string
		status                int
		code                  string
	}{
		{"JSON", "POST", "", json, query, 200, ""},
		{"JSON in UTF-8", "POST", "", map[string]string{"Content-Type": "application/json; charset=UTF-8"}, query, 200, ""},
		{"plain text", "POST", "", map[string]string{"Content-Type": "text/plain"}, query, 415, "BAD_REQUEST"},
		{"no type", "POST", "", nil, query, 415, "BAD_REQUEST"},
		{"form", "POST", "", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, "query=%7Ba%7D", 415, "BAD_REQUEST"},
		{"multipart", "POST", "", map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, "--x--", 400, "BAD_REQUEST"},
		{"GraphQL document", "POST", "", map[string]string{"Content-Type": "application/graphql"}, "{ a }", 415, "BAD_REQUEST"},
		{"other charset", "POST", "", map[string]string{"Content-Type": "application/json; charset=utf-16"}, query, 415, "BAD_REQUEST"},
		{"batch", "POST", "", json, "[" + query + "]", 400, "BAD_REQUEST"},
		{"no JSON", "POST", "", json, "{", 400, "BAD_REQUEST"},
		{"more than JSON", "POST", "", json, query + "x", 400, "BAD_REQUEST"},
		{"null", "POST", "", json, "null", 400, "BAD_REQUEST"},
		{"no query", "POST", "", json, "{}", 400, "BAD_REQUEST"},
		{"variables of the wrong kind", "POST", "", json, `{"query":"{ __typename }","variables":[]}`, 400, "BAD_REQUEST"},
		{"no UTF-8", "POST", "", json, "{\"query\":\"{ __typename } # \xff\"}", 400, "BAD_REQUEST"},
		{"too long", "POST", "", json, `{"query":"` + strings.Repeat(" ", 1<<20) + `"}`, 413, "BAD_REQUEST"},
		{"persisted query", "POST", "", json, `{"extensions":{"persistedQuery":{}}}`, 200, "PERSISTED_QUERY_NOT_FOUND"},
		{"subscription", "POST", "", json, `{"query":"subscription { __typename }"}`, 200, ""},
		{"GET without a header", "GET", get("{ __typename }"), nil, "", 400, "BAD_REQUEST"},
		{"GET", "GET", get("{ __typename }"), map[string]string{"X-Catalyst-Client": "1"}, "", 200, ""},
		{"GET of one's own page", "GET", get("{ __typename }"), map[string]string{"Sec-Fetch-Site": "same-origin"}, "", 200, ""},
		{"GET of a foreign page", "GET", get("{ __typename }"), map[string]string{"Sec-Fetch-Site": "cross-site"}, "", 400, "BAD_REQUEST"},
		{
			"GET of a mutation", "GET", get(`mutation { login(input: {login: "a", password: "b"}) { accessToken } }`),
			map[string]string{"X-Catalyst-Client": "1"},
			"", 405, "BAD_REQUEST",
		},
		{
			"GET of a mutation as a stream", "GET", get(`mutation { login(input: {login: "a", password: "b"}) { accessToken } }`),
			map[string]string{"X-Catalyst-Client": "1", "Accept": "text/event-stream"},
			"", 405, "BAD_REQUEST",
		},
		{"PUT", "PUT", "", json, query, 405, "BAD_REQUEST"},
		{"not acceptable", "POST", "", map[string]string{"Content-Type": "application/json", "Accept": "text/html"}, query, 406, "BAD_REQUEST"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := w.Send(tt.method, tt.address, tt.header, tt.body)
			if tt.name == "subscription" { // of an anonymous caller, whose refusal comes first
				return
			}
			if got.Status != tt.status || got.Code() != tt.code {
				t.Errorf("got %d %s, want %d %s: %s", got.Status, got.Code(), tt.status, tt.code, got.Text)
			}
		})
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	good, broken := `{"query":"{ __typename }"}`, `{"query":"{ nothing }"}`
	const modern = "application/graphql-response+json"
	tests := []struct {
		accept, body string
		status       int
		media        string
	}{
		{"", good, 200, "application/json"},
		{"*/*", good, 200, "application/json"},
		{modern, good, 200, modern},
		{"application/json;q=0.5, " + modern, good, 200, modern},
		{"application/json, " + modern + ";q=0", good, 200, "application/json"},
		{"", broken, 200, "application/json"},
		{modern, broken, 400, modern},
		{modern, `{"query":"{ viewer { permissions } }"}`, 401, modern},
		{modern, `{"query":"{"}`, 400, modern},
	}
	for _, tt := range tests {
		t.Run(tt.accept+" "+tt.body, func(t *testing.T) {
			t.Parallel()
			header := map[string]string{"Content-Type": "application/json"}
			if tt.accept != "" {
				header["Accept"] = tt.accept
			}
			got := w.Send(http.MethodPost, "", header, tt.body)
			if got.Status != tt.status || got.Header.Get("Content-Type") != tt.media+"; charset=utf-8" {
				t.Errorf("got %d %s", got.Status, got.Header.Get("Content-Type"))
			}
			if tt.body != good && strings.Contains(got.Text, `"data"`) {
				t.Errorf("a request error has data: %s", got.Text)
			}
			if !strings.Contains(got.Text, `"cost":{"requested":`) {
				t.Errorf("there is no cost in %s", got.Text)
			}
		})
	}
}

// TestG6 shows codes and sentences, and nothing of the inside.
func TestG6(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	ann, bob := w.Person("ann"), w.Person("bob")
	sv := w.Server("castle", ann)
	tests := []struct {
		name  string
		query string
		vars  map[string]any
		code  string
		field string
	}{
		{"syntax", `{`, nil, "GRAPHQL_PARSE_FAILED", ""},
		{"unknown field", `{ servrs { totalCount } }`, nil, "GRAPHQL_VALIDATION_FAILED", ""},
		{"variable of the wrong type", `query($n: Int) { servers(first: $n) { totalCount } }`, map[string]any{"n": "1"}, "BAD_USER_INPUT", ""},
		{"missing variable", `query($id: ID!) { server(id: $id) { id } }`, nil, "BAD_USER_INPUT", "id"},
		{"page", `{ servers(first: 101) { totalCount } }`, nil, "BAD_USER_INPUT", "first"},
		{"scalar", `subscription { console(serverId: "x", after: "-1") { skipped } }`, nil, "BAD_REQUEST", ""},
		{"hidden", `query($id: ID!) { server(id: $id) { id } }`, map[string]any{"id": sv.ID}, "NOT_FOUND", ""},
		{"absent", `{ server(id: "srv_01h455vb4pex5vsknk084sn02q") { id } }`, nil, "NOT_FOUND", ""},
		{"nonsense", `{ server(id: "nonsense") { id } }`, nil, "NOT_FOUND", ""},
		{"NUL", `{ server(id: "a\u0000b") { id } }`, nil, "BAD_USER_INPUT", ""},
		{"hidden verb", `mutation($id: ID!) { killServer(input: {id: $id}) { server { id } } }`, map[string]any{"id": sv.ID}, "NOT_FOUND", ""},
		{"forbidden", `mutation { createLocation(input: {name: "x"}) { location { id } } }`, nil, "FORBIDDEN", ""},
		{"costly", `{ hostNodes(first: 100) { edges { node { servers(first: 100) { totalCount edges { node { id } } } } } } }`, nil, "TOO_COMPLEX", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := w.Post(bob, tt.query, tt.vars)
			if got.Code() != tt.code {
				t.Fatalf("got %s, want %s: %s", got.Code(), tt.code, got.Text)
			}
			if tt.field != "" && got.Errors[0].Extensions["field"] != tt.field {
				t.Errorf("got the field %v, want %s", got.Errors[0].Extensions["field"], tt.field)
			}
			for _, secret := range []string{"Did you mean", "sql", "SELECT", "ent:", "/work", ".go:", "*ent."} {
				if strings.Contains(got.Text, secret) {
					t.Errorf("%q in %s", secret, got.Text)
				}
			}
		})
	}
	hidden := w.Post(bob, `query($id: ID!) { server(id: $id) { id } }`, map[string]any{"id": sv.ID})
	absent := w.Post(bob, `query($id: ID!) { server(id: $id) { id } }`, map[string]any{"id": "srv_01h455vb4pex5vsknk084sn02q"})
	if hidden.Text != absent.Text {
		t.Errorf("what is hidden differs from what is absent:\n%s\n%s", hidden.Text, absent.Text)
	}
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	w.Person("ann")
	for _, query := range []string{
		`{ viewer { permissions } }`, `{ servers { totalCount } }`, `{ __schema { types { name } } }`, `{ permissions { name } }`,
		`{ ...f } fragment f on Query { __type(name: "User") { name } }`, `mutation { logout { ok } }`, `{ node(id: "x") { id } }`,
	} {
		if got := w.Post(nil, query, nil); got.Code() != "UNAUTHENTICATED" {
			t.Errorf("%s: %s", query, got.Text)
		}
	}
	got := w.Post(nil, `mutation($input: LoginInput!) { login(input: $input) { accessToken expiresAt user { username } } }`,
		map[string]any{"input": map[string]any{"login": "ann", "password": apitest.Password}})
	if got.Code() != "" || !strings.Contains(got.Text, `"username":"ann"`) {
		t.Errorf("login: %s", got.Text)
	}
	bad := w.Send(http.MethodPost, "", map[string]string{"Content-Type": "application/json", "Authorization": "Bearer nonsense"},
		`{"query":"{ viewer { permissions } }"}`)
	if bad.Code() != "UNAUTHENTICATED" || bad.Status != http.StatusOK {
		t.Errorf("a bad token: %d %s", bad.Status, bad.Text)
	}
}

// TestG7 pages through real rows on both databases, nested ones included.
func TestG7(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := apitest.On(t, s, nil)
		ann := w.Person("ann", "*")
		w.Server("castle", ann)
		nested := w.Post(ann, `{ hostNodes { edges { node { allocations { totalCount edges { node { port } } } } } } }`, nil)
		if n := strings.Count(nested.Text, `"port"`); n != 25 || !strings.Contains(nested.Text, `"totalCount":30`) {
			t.Errorf("%d nested results without first: %s", n, nested.Text)
		}
		root := w.Post(ann, `{ allocations { edges { node { port } } pageInfo { hasNextPage } } }`, nil)
		if n := strings.Count(root.Text, `"port"`); n != 25 || !strings.Contains(root.Text, `"hasNextPage":true`) {
			t.Errorf("%d results without first: %s", n, root.Text)
		}
		for _, order := range []string{"CREATED_AT", "IP", "PORT"} {
			seen := map[string]bool{}
			after := any(nil)
			for range 10 {
				got := w.Post(ann, `query($after: String, $order: AllocationOrderField!) {
					allocations(first: 7, after: $after, orderBy: {field: $order, direction: DESC}) {
						edges { node { port } cursor } pageInfo { hasNextPage endCursor } } }`,
					map[string]any{"after": after, "order": order})
				if got.Code() != "" {
					t.Fatalf("%s: %s", order, got.Text)
				}
				page := got.Data["allocations"].(map[string]any)
				for _, e := range page["edges"].([]any) {
					seen[fmt.Sprint(e.(map[string]any)["node"])] = true
				}
				info := page["pageInfo"].(map[string]any)
				if after = info["endCursor"]; info["hasNextPage"] == false {
					break
				}
			}
			if len(seen) != 30 {
				t.Errorf("by %s there are %d results on all pages, want 30", order, len(seen))
			}
		}
	})
}

// TestEveryListAnswers asks for every connection of the schema's root, as somebody who may see everything.
func TestEveryListAnswers(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := apitest.On(t, s, nil)
		ann := w.Person("ann", "*")
		sv := w.Server("castle", ann)
		got := w.Post(ann, `{ __schema { queryType { fields { name args { name } } } } }`, nil)
		fields := got.Data["__schema"].(map[string]any)["queryType"].(map[string]any)["fields"].([]any)
		lists := 0
		for _, f := range fields {
			name := f.(map[string]any)["name"].(string)
			if !strings.Contains(fmt.Sprint(f), "name:orderBy") {
				continue
			}
			lists++
			if got := w.Post(ann, `{ `+name+` { totalCount pageInfo { hasNextPage } edges { cursor node { id } } } }`, nil); got.Code() != "" {
				t.Errorf("%s: %s", name, got.Text)
			}
		}
		if lists < 20 {
			t.Errorf("only %d lists", lists)
		}
		everything := w.Post(ann, `query($id: ID!) {
			server(id: $id) { id name state environment { key value } stats { at } logs { totalCount edges { node { seq } } pageInfo { endCursor } }
				owner { id } node { id system { os } usage { at } allocated { memory cpu disk } labels { key } } template { id } lastLines
				allocations { totalCount } backups { totalCount } tasks { totalCount } alerts { totalCount } transfers { totalCount } accesses { totalCount } }
			node(id: $id) { id ... on Server { name } }
			nodes(ids: [$id, "srv_01h455vb4pex5vsknk084sn02q", "nonsense"]) { id }
			absent: node(id: "nonsense") { id }
			permissions { name description serverLevel }
			viewer { user { id } permissions roles { totalCount } apiKeys { totalCount } sessions { totalCount } sshKeys { totalCount } serverAccesses { totalCount } } }`,
			map[string]any{"id": sv.ID})
		if everything.Code() != "" || !strings.Contains(everything.Text, `"nodes":[{"id":"`+sv.ID+`"},null,null]`) ||
			!strings.Contains(everything.Text, `"absent":null`) {
			t.Errorf("got %s", everything.Text)
		}
	})
}

func TestOperationsPerUser(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, func(c *handler.Config) { c.Operations = refusing{} })
	got := w.Post(w.Person("ann"), `{ viewer { permissions } }`, nil)
	if got.Code() != "RATE_LIMITED" || got.Errors[0].Extensions["retryAfter"] != 7.0 {
		t.Errorf("got %s", got.Text)
	}
}

// TestPersistedQueries sends a query once and its hash after that; strangers find nothing and leave nothing.
func TestPersistedQueries(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	ann, bob := w.Person("ann"), w.Person("bob")
	const query = "{ viewer { user { username } } }"
	sum := sha256.Sum256([]byte(query))
	hash := hex.EncodeToString(sum[:])
	send := func(as *accounts.Credentials, query, hash string) *apitest.Reply {
		body, err := json.Marshal(map[string]any{
			"query": query, "extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}},
		})
		w.Must(err)
		header := map[string]string{"Content-Type": "application/json"}
		if as != nil {
			header["Authorization"] = "Bearer " + as.AccessToken
		}
		return w.Send(http.MethodPost, "", header, string(body))
	}
	if got := send(ann, "", hash); got.Code() != "PERSISTED_QUERY_NOT_FOUND" || got.Errors[0].Message != "PersistedQueryNotFound" {
		t.Errorf("before: %s", got.Text)
	}
	if got := send(ann, query, strings.Repeat("0", 64)); got.Code() != "BAD_REQUEST" {
		t.Errorf("a wrong hash: %s", got.Text)
	}
	if got := send(nil, query, hash); got.Code() != "UNAUTHENTICATED" {
		t.Errorf("a stranger's: %s", got.Text)
	}
	if got := send(ann, "", hash); got.Code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("a stranger's is kept: %s", got.Text)
	}
	if got := send(ann, query, hash); !strings.Contains(got.Text, "ann") {
		t.Errorf("with its hash: %s", got.Text)
	}
	if got := send(bob, "", hash); !strings.Contains(got.Text, "bob") {
		t.Errorf("the hash alone: %s", got.Text)
	}
	if got := send(nil, "", hash); got.Code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("the hash of a stranger: %s", got.Text)
	}
}

// TestBudget spends what a user has in a minute.
func TestBudget(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, func(c *handler.Config) {
		c.Limits = guard.Default()
		c.Limits.Budget = 60
		c.Costs = ratelimit.New(ratelimit.Config{Limit: 60, Window: time.Hour})
	})
	ann, bob := w.Person("ann"), w.Person("bob")
	const query = "{ servers(first: 24) { edges { node { id } } } }"
	remaining := func(r *apitest.Reply) any {
		cost, _ := r.Extensions["cost"].(map[string]any)
		return cost["remaining"]
	}
	for _, want := range []float64{35, 10} {
		if got := w.Post(ann, query, nil); got.Code() != "" || remaining(got) != want {
			t.Errorf("got %s, want %v left", got.Text, want)
		}
	}
	got := w.Post(ann, query, nil)
	after, _ := got.Errors[0].Extensions["retryAfter"].(float64)
	if got.Code() != "RATE_LIMITED" || after < 1 || after > 7200 {
		t.Errorf("over the budget: %s", got.Text)
	}
	if got := w.Post(ann, "{ viewer { permissions } }", nil); got.Code() != "" {
		t.Errorf("what still fits: %s", got.Text)
	}
	if got := w.Post(bob, query, nil); got.Code() != "" || remaining(got) != 35.0 {
		t.Errorf("another user: %s", got.Text)
	}
}

// TestStrangersAreCounted counts the operations of who has not signed in by their address.
func TestStrangersAreCounted(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, func(c *handler.Config) {
		c.Unlimited, c.Operations = false, ratelimit.New(ratelimit.Config{Limit: 3, Window: time.Hour})
	})
	for range 3 {
		if got := w.Post(nil, "{ __typename }", nil); got.Code() != "" {
			t.Fatalf("allowed: %s", got.Text)
		}
	}
	if got := w.Post(nil, "{ __typename }", nil); got.Code() != "RATE_LIMITED" {
		t.Errorf("one too many: %s", got.Text)
	}
	if got := w.Post(w.Person("ann"), "{ __typename }", nil); got.Code() != "" {
		t.Errorf("somebody who has signed in: %s", got.Text)
	}
}

// TestSDL serves the schema to who has signed in, and to nobody else.
func TestSDL(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	page := w.Handler.SDL()
	get := func(authorization string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/schema.graphql", http.NoBody)
		r.Header.Set("Authorization", authorization)
		out := httptest.NewRecorder()
		page.ServeHTTP(out, r)
		return out
	}
	if got := get(""); got.Code != http.StatusUnauthorized || strings.Contains(got.Body.String(), "type Server") {
		t.Errorf("a stranger: %d %.200s", got.Code, got.Body)
	}
	if got := get("Bearer nonsense"); got.Code != http.StatusUnauthorized {
		t.Errorf("a bad token: %d", got.Code)
	}
	if got := get("Bearer " + w.Person("ann").AccessToken); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "type Server implements Node") {
		t.Errorf("somebody: %d %.200s", got.Code, got.Body)
	}
}

// TestSigningInWithAStaleCredential is possible, and nothing else is: clients send what they have with everything.
func TestSigningInWithAStaleCredential(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	ann := w.Person("ann")
	header := map[string]string{"Content-Type": "application/json", "Authorization": "Bearer long.since.expired"}
	refresh := `refreshSession(input: {refreshToken: \"` + ann.RefreshToken + `\"}) { accessToken }`
	for _, tt := range []struct{ name, query, code string }{
		{"reading", `{ viewer { permissions } }`, "UNAUTHENTICATED"},
		{"what needs no credential", `{ __typename }`, "UNAUTHENTICATED"},
		{"a new credential and more", `mutation { ` + refresh + ` logout { ok } }`, "UNAUTHENTICATED"},
		{"a wrong document", `mutation { refreshSession }`, "UNAUTHENTICATED"},
		{"a new credential", `mutation { ` + refresh + ` }`, ""},
	} {
		got := w.Send(http.MethodPost, "", header, `{"query":"`+tt.query+`"}`)
		if got.Code() != tt.code || (tt.code == "") != strings.Contains(got.Text, `"accessToken":"ey`) {
			t.Errorf("%s: %s", tt.name, got.Text)
		}
	}
}

// TestG3 lets one operation try one password, over every transport.
func TestG3(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	twice := `mutation { a: login(input: {login: "a", password: "b"}) { accessToken } b: login(input: {login: "a", password: "c"}) { accessToken } }`
	if got := w.Post(nil, twice, nil); got.Code() != "BAD_REQUEST" {
		t.Errorf("two logins: %s", got.Text)
	}
	c := socket(w, nil)
	c.subscribe("1", twice)
	if f := c.read(); f.Type != "error" || !strings.Contains(string(f.Payload), "BAD_REQUEST") {
		t.Errorf("two logins over a socket: %s %s", f.Type, f.Payload)
	}
	if n := w.Store.Client.AuditLog.Query().CountX(viewer.System(t.Context(), nil, "test")); n != 0 {
		t.Errorf("%d attempts were evaluated", n)
	}
}
