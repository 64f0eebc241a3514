package api_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/catalyst-panel/catalyst/test/apitest"
)

// TestExamples checks the operations that GraphiQL offers: each is one that the API knows, and every entity has one.
func TestExamples(t *testing.T) {
	t.Parallel()
	schema := apitest.New(t, nil).Schema.Schema()
	files, err := filepath.Glob("../../graphiql/examples/*.graphql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	shown := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, problems := gqlparser.LoadQueryWithRules(schema, string(text), rules.NewDefaultRules())
		if problems != nil {
			t.Errorf("%s: %v", filepath.Base(file), problems)
			continue
		}
		if !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s does not begin with what it is about", filepath.Base(file))
		}
		for _, op := range doc.Operations {
			if op.Name == "" {
				t.Errorf("%s has an operation without a name", filepath.Base(file))
			}
			entitiesOf(schema, op.SelectionSet, shown)
		}
	}
	for name, def := range schema.Types {
		if def.Kind == ast.Object && slices.Contains(def.Interfaces, "Node") && !shown[name] {
			t.Errorf("no example shows %s", name)
		}
	}
}

// entitiesOf notes the types of everything that is selected.
func entitiesOf(schema *ast.Schema, set ast.SelectionSet, into map[string]bool) {
	for _, s := range set {
		if f, ok := s.(*ast.Field); ok && f.Definition != nil {
			into[f.Definition.Type.Name()] = true
			entitiesOf(schema, f.SelectionSet, into)
		}
	}
}
