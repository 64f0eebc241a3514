package graph_test

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/catalyst-panel/catalyst/graph"
)

// TestEverythingIsDescribed holds the schema to a description of every type, field, argument and enum value.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	for name, def := range graph.NewSchema(graph.Config{}).Schema().Types {
		if def.BuiltIn {
			continue
		}
		check := func(path, description string) {
			if strings.TrimSpace(description) == "" {
				t.Errorf("%s has no description", path)
			}
		}
		check(name, def.Description)
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			check(name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				check(name+"."+f.Name+"("+a.Name+")", a.Description)
			}
		}
		for _, v := range def.EnumValues {
			check(name+"."+v.Name, v.Description)
		}
	}
}

// TestConventions holds the hand-written schema to the shapes that clients rely on.
func TestConventions(t *testing.T) {
	t.Parallel()
	schema := graph.NewSchema(graph.Config{}).Schema()
	for _, f := range schema.Mutation.Fields {
		name := strings.ToUpper(f.Name[:1]) + f.Name[1:]
		if f.Type.String() != name+"Payload!" {
			t.Errorf("%s returns %s, want %sPayload!", f.Name, f.Type, name)
		}
		if len(f.Arguments) > 0 && (len(f.Arguments) != 1 || f.Arguments[0].Name != "input" || f.Arguments[0].Type.String() != name+"Input!") {
			t.Errorf("%s does not take input: %sInput!", f.Name, name)
		}
	}
	for name, def := range schema.Types {
		switch {
		case def.BuiltIn:
		case def.Kind == ast.Scalar && def.Directives.ForName("specifiedBy") == nil:
			t.Errorf("the scalar %s is specified nowhere", name)
		case strings.HasSuffix(name, "Connection"):
			edges := def.Fields.ForName("edges")
			if edges == nil || edges.Type.String() != "["+strings.TrimSuffix(name, "Connection")+"Edge!]!" {
				t.Errorf("%s.edges has another shape than the others", name)
			}
		}
		for _, f := range def.Fields {
			if f.Arguments.ForName("first") != nil && !strings.HasSuffix(f.Type.Name(), "Connection") {
				t.Errorf("%s.%s has pages and is no connection, so that the guard does not bound it", name, f.Name)
			}
		}
	}
}

func TestDeferIsGone(t *testing.T) {
	t.Parallel()
	if graph.NewSchema(graph.Config{}).Schema().Directives["defer"] != nil {
		t.Error("the schema has @defer")
	}
}
