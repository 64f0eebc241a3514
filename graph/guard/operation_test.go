package guard_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"entgo.io/contrib/entgql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/catalyst-panel/catalyst/graph/guard"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

var schema = sync.OnceValues(func() (*ast.Schema, error) {
	files, err := filepath.Glob("../../schema/*.graphql")
	if err != nil {
		return nil, err
	}
	var sources []*ast.Source
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		sources = append(sources, &ast.Source{Name: name, Input: string(text)})
	}
	return gqlparser.LoadSchema(sources...)
})

func operation(t testing.TB, text string, variables map[string]any) (guard.Operation, *ast.QueryDocument) {
	t.Helper()
	s, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, list := gqlparser.LoadQueryWithRules(s, text, nil)
	if len(list) > 0 {
		t.Fatalf("%s: %v", text, list)
	}
	values, err := validator.VariableValues(s, doc.Operations[0], variables)
	if err != nil {
		t.Fatal(err)
	}
	return guard.Operation{Schema: s, Definition: doc.Operations[0], Fragments: doc.Fragments, Variables: values}, doc
}

func cursor(id string, value any) string {
	var b strings.Builder
	entgql.Cursor[string]{ID: id, Value: value}.MarshalGQL(&b)
	return strings.Trim(b.String(), `"`)
}

// TestG7 refuses pages that nobody can be given.
func TestG7(t *testing.T) {
	t.Parallel()
	deep := map[string]any{"name": "x"}
	for range 6 {
		deep = map[string]any{"not": deep}
	}
	wide := make([]any, 101)
	for i := range wide {
		wide[i] = "x"
	}
	// Coercion writes into the values that it is given, so that no two cases share one.
	ids := func(n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = fmt.Sprint("srv_", i)
		}
		return list
	}
	page := `query($first: Int, $last: Int, $after: String, $orderBy: ServerOrder, $where: ServerWhereInput) {
		servers(first: $first, last: $last, after: $after, orderBy: $orderBy, where: $where) { edges { node { id } } } }`
	by := func(field string) map[string]any { return map[string]any{"field": field, "direction": "ASC"} }
	nodes := `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`
	tests := []struct {
		name, text string
		variables  map[string]any
		field      string // "" when it is let through
	}{
		{"first 1", page, map[string]any{"first": 1}, ""},
		{"first 100", page, map[string]any{"first": 100}, ""},
		{"last 100", page, map[string]any{"last": 100}, ""},
		{"nothing", page, nil, ""},
		{"null", page, map[string]any{"first": nil, "after": nil}, ""},
		{"first 0", page, map[string]any{"first": 0}, "first"},
		{"first -1", page, map[string]any{"first": -1}, "first"},
		{"first 101", page, map[string]any{"first": 101}, "first"},
		{"first 1e9", page, map[string]any{"first": 1_000_000_000}, "first"},
		{"last 101", page, map[string]any{"last": 101}, "last"},
		{"literal 101", `{ servers(first: 101) { totalCount } }`, nil, "first"},
		{"first and last", page, map[string]any{"first": 1, "last": 1}, "last"},
		{"nested", `{ servers { edges { node { allocations(first: 101) { totalCount } } } } }`, nil, "first"},
		{"in a fragment", `{ servers { ...f } } fragment f on ServerConnection { edges { node { tasks(last: 0) { totalCount } } } }`, nil, "last"},
		{"mutation", `mutation { startServer(input: {id: "x"}) { server { alerts(first: 1000) { totalCount } } } }`, nil, "first"},
		{"cursor", page, map[string]any{"after": cursor("srv_1", nil)}, ""},
		{"cursor of a time", page, map[string]any{"after": cursor("srv_1", time.Unix(1, 0)), "orderBy": by("CREATED_AT")}, ""},
		{"cursor of a name", page, map[string]any{"after": cursor("srv_1", "x"), "orderBy": by("NAME")}, ""},
		{"cursor of no order", page, map[string]any{"after": cursor("srv_1", "x")}, "after"},
		{"cursor of another order", page, map[string]any{"after": cursor("srv_1", "x"), "orderBy": by("CREATED_AT")}, "after"},
		{"cursor with NUL", page, map[string]any{"after": cursor("srv\x00", nil)}, "after"},
		{"cursor with a map", page, map[string]any{"after": cursor("srv_1", map[string]any{"a": 1}), "orderBy": by("NAME")}, "after"},
		{"cursor of nobody", page, map[string]any{"after": cursor("", nil)}, "after"},
		{"no cursor", page, map[string]any{"after": "!!!"}, "after"},
		{"empty cursor", page, map[string]any{"after": ""}, "after"},
		{"msgpack that claims 4 GB", page, map[string]any{"after": "gaFp3f////8"}, "after"},
		{"long cursor", page, map[string]any{"after": strings.Repeat("A", 5000)}, "after"},
		{"filter", page, map[string]any{"where": map[string]any{"name": "x"}}, ""},
		{"deep filter", page, map[string]any{"where": deep}, "where"},
		{"wide filter", page, map[string]any{"where": map[string]any{"nameIn": wide}}, "where"},
		{"50 ids", nodes, map[string]any{"ids": ids(50)}, ""},
		{"51 ids", nodes, map[string]any{"ids": ids(51)}, "ids"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, _ := operation(t, tt.text, tt.variables)
			_, err := guard.Default().Pages(o)
			if tt.field == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			f, ok := err.(*fault.Error) //nolint:errorlint // the function's own
			if !ok || f.Code != fault.BadUserInput || f.Field != tt.field {
				t.Errorf("got %v, want BAD_USER_INPUT for %s", err, tt.field)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	text := `query($n: Int, $m: Int) {
		a: servers { ...f }
		b: servers(first: $n) { totalCount }
		c: servers(last: $m) { totalCount }
		d: servers(last: 2) { totalCount }
		e: servers(first: null) { totalCount }
	}
	fragment f on ServerConnection { edges { node { allocations { totalCount } } } }`
	o, doc := operation(t, text, map[string]any{"m": 3})
	before := format(doc)
	wanting, err := guard.Default().Pages(o)
	if err != nil || !wanting {
		t.Fatalf("got %v and %v", wanting, err)
	}
	got := format(guard.Default().WithDefaults(doc, o.Variables))
	for _, want := range []string{
		"a: servers(first: 25)", "b: servers(first: 25)", "c: servers(last: $m)", "d: servers(last: 2)",
		"e: servers(first: 25)", "allocations(first: 25)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
	if format(doc) != before {
		t.Error("the shared document was changed")
	}
}

func format(doc *ast.QueryDocument) string {
	var b strings.Builder
	formatter.NewFormatter(&b).FormatQueryDocument(doc)
	return b.String()
}

func TestG2(t *testing.T) {
	t.Parallel()
	limits := guard.Default()
	tests := []struct {
		name, text string
		over       bool
		want       int // when not 0
	}{
		{"viewer", `{ viewer { user { id } permissions } }`, false, 2},
		{"a page", `{ servers(first: 100) { edges { node { id name } } pageInfo { hasNextPage } totalCount } }`, false, 101},
		{"the default page", `{ servers { edges { node { id } } } }`, false, 26},
		{"a page with everything of a server", `{ servers(first: 100) { edges { node {
			id owner { id } node { id } template { id }
			allocations { edges { node { ip } } } backups(last: 1) { edges { node { id } } } } } } }`, false, 0},
		{"91 MB in 170 bytes", `{ servers(first: 100) { edges { node { node {
			servers(first: 100) { edges { node { node { servers(first: 100) { edges { node { id } } } } } } } } } } } }`, true, 0},
		{"twice 100", `{ hostNodes(first: 100) { edges { node { servers(first: 100) { edges { node { id } } } } } } }`, true, 0},
		{"in fragments", `{ servers(first: 100) { ...s } } fragment s on ServerConnection { edges { node { node { ...n } } } }
			fragment n on HostNode { servers(first: 100) { edges { node { id } } } }`, true, 0},
		{"nodes", `{ nodes(ids: ["a", "b"]) { ... on Server { allocations(first: 10) { edges { node { id } } } } } }`, false, 24},
		{"mutation", `mutation { startServer(input: {id: "x"}) { server { id } } }`, false, 12},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, _ := operation(t, tt.text, nil)
			got, _ := limits.CostOf(o)
			if (got > limits.Cost) != tt.over || tt.want != 0 && got != tt.want {
				t.Errorf("cost %d, want %d, over the limit: %v", got, tt.want, tt.over)
			}
		})
	}
}

func TestIntrospectionCost(t *testing.T) {
	t.Parallel()
	standard := `query { __schema { queryType { name } mutationType { name } subscriptionType { name }
		types { ...T } directives { name description locations args { ...I } } } }
		fragment T on __Type { kind name description fields(includeDeprecated: true) { name description args { ...I }
			type { ...R } isDeprecated deprecationReason } inputFields { ...I } interfaces { ...R }
			enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...R } }
		fragment I on __InputValue { name description type { ...R } defaultValue }
		fragment R on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
			ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`
	limits := guard.Default()
	if err := limits.Document(standard); err != nil {
		t.Errorf("the introspection of the clients was refused: %v", err)
	}
	tests := []struct {
		name, text string
		over       bool
	}{
		{"of the clients", standard, false},
		{"fields of the types of fields", `{ __schema { types { fields { type { fields { type { name } } } } } } }`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, _ := operation(t, tt.text, nil)
			_, got := limits.CostOf(o)
			if (got > limits.IntrospectionCost) != tt.over {
				t.Errorf("cost %d, over the limit: %v", got, tt.over)
			}
		})
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor("srv_1", "x"), true)
	f.Add("gaFp3f////8", false)
	f.Add("", false)
	o, _ := operation(f, `query($after: String, $orderBy: ServerOrder) { servers(after: $after, orderBy: $orderBy) { totalCount } }`, nil)
	f.Fuzz(func(_ *testing.T, text string, ordered bool) {
		o.Variables = map[string]any{"after": text}
		if ordered {
			o.Variables["orderBy"] = map[string]any{"field": "NAME"}
		}
		_, _ = guard.Default().Pages(o)
	})
}
