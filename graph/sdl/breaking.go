package sdl

import (
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// Breaking returns what clients of a schema would miss in its successor, a sentence each, in order: what is gone, what has
// another type, what has to be given that had not, and what may be null that could not.
func Breaking(before, after *ast.Schema) []string {
	var out []string
	for name, old := range before.Types {
		now := after.Types[name]
		switch {
		case old.BuiltIn:
		case now == nil:
			out = append(out, fmt.Sprintf("%s is gone.", name))
		case now.Kind != old.Kind:
			out = append(out, fmt.Sprintf("%s was %s and is %s.", name, old.Kind, now.Kind))
		default:
			out = append(out, breakingType(old, now)...)
		}
	}
	slices.Sort(out)
	return out
}

func breakingType(old, now *ast.Definition) (out []string) {
	for _, f := range old.Fields {
		if g := now.Fields.ForName(f.Name); g == nil {
			out = append(out, fmt.Sprintf("%s.%s is gone.", old.Name, f.Name))
		} else {
			out = append(out, breakingField(old, f, g)...)
		}
	}
	if old.Kind == ast.InputObject {
		for _, g := range now.Fields {
			if old.Fields.ForName(g.Name) == nil && g.Type.NonNull && g.DefaultValue == nil {
				out = append(out, fmt.Sprintf("%s.%s is new and has to be given.", old.Name, g.Name))
			}
		}
	}
	for _, v := range old.EnumValues {
		if now.EnumValues.ForName(v.Name) == nil {
			out = append(out, fmt.Sprintf("%s.%s is gone.", old.Name, v.Name))
		}
	}
	for _, list := range []struct {
		what     string
		old, now []string
	}{{"does not implement", old.Interfaces, now.Interfaces}, {"does not include", old.Types, now.Types}} {
		for _, name := range list.old {
			if !slices.Contains(list.now, name) {
				out = append(out, fmt.Sprintf("%s %s %s any more.", old.Name, list.what, name))
			}
		}
	}
	return out
}

func breakingField(of *ast.Definition, f, g *ast.FieldDefinition) (out []string) {
	where := of.Name + "." + f.Name
	if of.Kind == ast.InputObject {
		if !accepts(g.Type, f.Type) {
			out = append(out, fmt.Sprintf("%s took %s and takes %s.", where, f.Type, g.Type))
		}
		return out
	}
	if !accepts(f.Type, g.Type) {
		out = append(out, fmt.Sprintf("%s was %s and is %s.", where, f.Type, g.Type))
	}
	for _, a := range f.Arguments {
		b := g.Arguments.ForName(a.Name)
		switch {
		case b == nil:
			out = append(out, fmt.Sprintf("%s(%s) is gone.", where, a.Name))
		case !accepts(b.Type, a.Type):
			out = append(out, fmt.Sprintf("%s(%s) took %s and takes %s.", where, a.Name, a.Type, b.Type))
		}
	}
	for _, b := range g.Arguments {
		if f.Arguments.ForName(b.Name) == nil && b.Type.NonNull && b.DefaultValue == nil {
			out = append(out, fmt.Sprintf("%s(%s) is new and has to be given.", where, b.Name))
		}
	}
	return out
}

// accepts reports whether whoever expects one type can do with the other: the same, or one that is null less often.
func accepts(expected, given *ast.Type) bool {
	if expected.NonNull && !given.NonNull {
		return false
	}
	if (expected.Elem == nil) != (given.Elem == nil) {
		return false
	}
	if expected.Elem != nil {
		return accepts(expected.Elem, given.Elem)
	}
	return expected.NamedType == given.NamedType
}
