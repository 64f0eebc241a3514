package sdl_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/graph"
	"github.com/catalyst-panel/catalyst/graph/sdl"
)

const before = `
type Query { a(x: Int, y: Int!): A! list: [A!] e: E u: U }
interface N { id: ID! }
type A implements N { id: ID! name: String! old: Int }
type B { id: ID! }
union U = A | B
enum E { ONE TWO }
input I { x: Int y: Int! }
type Mutation { m(i: I): Int }
`

// TestBreaking finds what breaks clients, and leaves alone what does not.
func TestBreaking(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		after string
		want  []string
	}{
		"nothing": {before, nil},
		"what breaks nobody": {`
type Query { a(x: Int = 1, y: Int, z: Int): A! list: [A!]! e: E u: U more: Int }
interface N { id: ID! }
type A implements N { id: ID! name: String! old: Int! new: Int }
type B { id: ID! }
union U = A | B
enum E { ONE TWO THREE }
input I { x: Int y: Int z: Int w: Int! = 1 }
type Mutation { m(i: I): Int }`, nil},
		"what breaks": {`
type Query { a(y: Int!, z: Int!): A list: [A] e: E u: U }
interface N { id: ID! }
type A { id: Int! name: String }
union U = A
enum E { ONE }
input I { x: Int! y: String! z: Int! }
type Mutation { m(i: I!): Int }`, []string{
			"A does not implement N any more.", "A.id was ID! and is Int!.", "A.name was String! and is String.", "A.old is gone.",
			"B is gone.", "E.TWO is gone.", "I.x took Int and takes Int!.", "I.y took Int! and takes String!.", "I.z is new and has to be given.",
			"Mutation.m(i) took I and takes I!.", "Query.a was A! and is A.", "Query.a(x) is gone.", "Query.a(z) is new and has to be given.",
			"Query.list was [A!] and is [A].", "U does not include B any more.",
		}},
	} {
		old, err := sdl.Load("before", before)
		if err != nil {
			t.Fatal(err)
		}
		now, err := sdl.Load("after", tt.after)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, sdl.Breaking(old, now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestText writes the whole schema in a form that clients can load.
func TestText(t *testing.T) {
	t.Parallel()
	text, err := sdl.Text(graph.NewSchema(graph.Config{}).Schema())
	if err != nil {
		t.Fatal(err)
	}
	again, err := sdl.Load("schema.graphql", text)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "@goField") || strings.Contains(text, "@defer") || again.Types["Server"] == nil {
		t.Error("the document holds what only the generator reads, or not the whole schema")
	}
}
