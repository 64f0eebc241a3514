package e2e

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/test/harness"
)

const createQuery = `mutation($in: CreateServerInput!) { createServer(input: $in) { server { id } } }`

// census counts what a mutation could leave half-made.
func (w *world) census() map[string]int {
	w.tb.Helper()
	var out map[string]struct{ TotalCount int }
	w.admin.Run(`{ servers { totalCount } templates { totalCount } users { totalCount } hostNodes { totalCount } locations { totalCount }
		allocations { totalCount } }`, nil, &out)
	counts := make(map[string]int, len(out))
	for name, c := range out {
		counts[name] = c.TotalCount
	}
	return counts
}

// TestWrongInput gives wrong input of every sort: each is answered with a code and a sentence, and leaves nothing.
func TestWrongInput(t *testing.T) {
	t.Parallel()
	w := separate(t)
	demo := w.demo()
	var made struct {
		CreateTemplate struct{ Template struct{ ID string } }
	}
	w.admin.Run(`mutation($in: CreateTemplateInput!) { createTemplate(input: $in) { template { id } } }`, vars{"in": vars{
		"name": "Choosy", "startupArgv": []string{"catalyst", "demo-game"}, "portsWanted": 1, "memory": 1 << 20, "cpu": 1, "disk": 1 << 20,
		"variables": []vars{
			{"name": "Players", "key": "PLAYERS", "type": "INTEGER", "default": "4", "rules": []string{"required", "min:1", "max:64"}},
			{"name": "Secret", "key": "INTERNAL", "default": "x", "userEditable": false},
		},
	}}, &made)
	choosy := made.CreateTemplate.Template.ID
	w.admin.Run(`mutation($id: ID!) { updateNode(input: {id: $id, memoryLimit: 1073741824}) { node { id } } }`, vars{"id": w.nodeID}, nil)
	before := w.census()

	env := func(key, value string) []vars { return []vars{{"key": key, "value": value}} }
	tests := []struct {
		name, code, field string
		in                vars
	}{
		{"unknown template", "NOT_FOUND", "", vars{"templateId": "tmpl_01h2xcejqtf2nbrexx3vqjhp41"}},
		{"an id of something else", "", "", vars{"templateId": w.nodeID}},
		{"no id", "", "", vars{"templateId": "nonsense"}},
		{"unknown node", "NOT_FOUND", "", vars{"templateId": demo, "nodeId": "node_01h2xcejqtf2nbrexx3vqjhp41"}},
		{"no free port", "CONFLICT", "", vars{"templateId": choosy}},
		{"no free port on a node", "CONFLICT", "", vars{"templateId": choosy, "nodeId": w.nodeID}},
		{"no node with room", "CONFLICT", "", vars{"templateId": demo, "memory": int64(2) << 30}},
		{"no room on a node", "CONFLICT", "", vars{"templateId": demo, "memory": int64(2) << 30, "nodeId": w.nodeID}},
		{"negative memory", "BAD_USER_INPUT", "", vars{"templateId": demo, "memory": -1}},
		{"no name", "BAD_USER_INPUT", "name", vars{"templateId": demo, "name": ""}},
		{"a bad value", "BAD_USER_INPUT", "environment.PLAYERS", vars{"templateId": choosy, "environment": env("PLAYERS", "many")}},
		{"a value out of range", "BAD_USER_INPUT", "environment.PLAYERS", vars{"templateId": choosy, "environment": env("PLAYERS", "65")}},
		{"an unknown variable", "BAD_USER_INPUT", "environment.LD_PRELOAD", vars{"templateId": choosy, "environment": env("LD_PRELOAD", "/x.so")}},
		{"unknown allocation", "", "", vars{"templateId": demo, "allocationIds": []string{"alloc_01h2xcejqtf2nbrexx3vqjhp41"}}},
	}
	for _, tt := range tests {
		in := vars{"name": "half-made"}
		maps.Copy(in, tt.in)
		err := w.admin.Do(t.Context(), createQuery, vars{"in": in}, nil)
		got := harness.Code(err)
		if tt.code != "" && got != tt.code || tt.code == "" && got != "NOT_FOUND" && got != "BAD_USER_INPUT" && got != "CONFLICT" {
			t.Errorf("%s: got %v, want the code %s", tt.name, err, tt.code)
			continue
		}
		checkSentence(t, tt.name, err, tt.field)
	}
	checkQueries(t, w)
	checkTokens(t, w)
	if diff := cmp.Diff(before, w.census()); diff != "" {
		t.Errorf("refused operations left something (-before +after):\n%s", diff)
	}
	checkOffline(t, w, demo)
}

// checkSentence looks at what a refusal says to people, and that it says nothing of the inside.
func checkSentence(t *testing.T, name string, err error, field string) {
	t.Helper()
	refused, ok := err.(harness.Errors) //nolint:errorlint // it is not wrapped
	if !ok || len(refused) == 0 {
		t.Errorf("%s: no refusal: %v", name, err)
		return
	}
	e := refused[0]
	if field != "" && e.Extensions.Field != field {
		t.Errorf("%s: the field is %q, want %q (%s)", name, e.Extensions.Field, field, e.Message)
	}
	if len(e.Message) < 10 {
		t.Errorf("%s: the message %q is no sentence", name, e.Message)
	}
	for _, inside := range []string{"sql", "SQL", "ent:", "pq:", ".go:", "panic", "*", "constraint"} {
		if strings.Contains(e.Message, inside) {
			t.Errorf("%s: the message shows the inside: %q", name, e.Message)
		}
	}
}

// checkQueries asks wrong questions.
func checkQueries(t *testing.T, w *world) {
	t.Helper()
	tests := []struct{ name, code, query string }{
		{"no GraphQL", "GRAPHQL_PARSE_FAILED", `{ viewer { `},
		{"unknown field", "GRAPHQL_VALIDATION_FAILED", `{ viewer { shoeSize } }`},
		{"first: 0", "BAD_USER_INPUT", `{ servers(first: 0) { totalCount } }`},
		{"first: -1", "BAD_USER_INPUT", `{ servers(first: -1) { totalCount } }`},
		{"first: 101", "BAD_USER_INPUT", `{ servers(first: 101) { totalCount } }`},
		{"first: 101, nested", "BAD_USER_INPUT", `{ hostNodes { edges { node { servers(first: 101) { totalCount } } } } }`},
		{"first and last", "BAD_USER_INPUT", `{ servers(first: 1, last: 1) { totalCount } }`},
		{"forged cursor", "BAD_USER_INPUT", `{ servers(first: 1, after: "bm9uc2Vuc2U=") { edges { node { id } } } }`},
		{"broken cursor", "BAD_USER_INPUT", `{ servers(first: 1, after: "%%%") { edges { node { id } } } }`},
		{"forged cursor, nested", "BAD_USER_INPUT", `{ hostNodes { edges { node { servers(first: 1, after: "zzzz") { edges { node { id } } } } } } }`},
		{"no password", "UNAUTHENTICATED", `mutation { login(input: {login: "admin", password: "wrong-horse"}) { accessToken } }`},
		{"no account", "UNAUTHENTICATED", `mutation { login(input: {login: "who", password: "wrong-horse"}) { accessToken } }`},
		{"short password", "BAD_USER_INPUT", `mutation { register(input: {email: "a@example.com", username: "aaa", password: "short"}) { accessToken } }`},
		{"no address", "BAD_USER_INPUT", `mutation { register(input: {email: "nowhere", username: "aaa", password: "long-enough"}) { accessToken } }`},
	}
	for _, tt := range tests {
		e := w.admin.Refused(tt.code, tt.query, nil)
		checkSentence(t, tt.name, harness.Errors{e}, "")
	}
	// What does not exist is null where one looks for it.
	var none struct {
		Node   *struct{ ID string }
		Server *struct{ ID string }
	}
	err := w.admin.Do(t.Context(), `{ node(id: "srv_01h2xcejqtf2nbrexx3vqjhp41") { id } }`, nil, &none)
	if code := harness.Code(err); (err != nil && code != "NOT_FOUND") || none.Node != nil {
		t.Errorf("a node that does not exist: %+v, %v", none, err)
	}
}

// checkTokens sends credentials that are none.
func checkTokens(t *testing.T, w *world) {
	t.Helper()
	for _, token := range []string{"nonsense", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", w.admin.Token + "x", w.admin.Token[:len(w.admin.Token)-4]} {
		c := w.panel.Anonymous()
		c.Token = token
		e := c.Refused("UNAUTHENTICATED", `{ viewer { user { id } } }`, nil)
		checkSentence(t, "the token "+token, harness.Errors{e}, "")
	}
	w.panel.Anonymous().Refused("UNAUTHENTICATED", `{ viewer { user { id } } }`, nil)
}

// checkOffline asks for what needs a node when there is none.
func checkOffline(t *testing.T, w *world, template string) {
	t.Helper()
	id := w.create("left alone", template)
	w.agent.Terminate()
	w.awaitOnline(false)
	for _, verb := range []string{"startServer", "restartServer"} {
		e := w.admin.Refused("NODE_OFFLINE", powerQuery(verb), vars{"id": id})
		checkSentence(t, verb, harness.Errors{e}, "")
	}
	before := w.census()
	e := w.admin.Refused("NODE_OFFLINE", createQuery, vars{"in": vars{"name": "x", "templateId": template}})
	checkSentence(t, "createServer", harness.Errors{e}, "")
	e = w.admin.Refused("NODE_OFFLINE", createQuery, vars{"in": vars{"name": "x", "templateId": template, "nodeId": w.nodeID}})
	checkSentence(t, "createServer with a node", harness.Errors{e}, "")
	if diff := cmp.Diff(before, w.census()); diff != "" {
		t.Errorf("refused operations left something (-before +after):\n%s", diff)
	}
	if s, err := w.state(id); err != nil || s.State != "STOPPED" {
		t.Errorf("after refused starts: %+v, %v", s, err)
	}
}
