package guard

import (
	"slices"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
)

// WithDefaults returns a copy of a document in which every connection that asks for no number of results asks for the
// default one. The document itself is shared between requests and stays as it is.
func (l Limits) WithDefaults(doc *ast.QueryDocument, variables map[string]any) *ast.QueryDocument {
	c := *doc
	c.Fragments = slices.Clone(doc.Fragments)
	for i, f := range doc.Fragments {
		copied := *f
		copied.SelectionSet = l.set(f.SelectionSet, variables)
		c.Fragments[i] = &copied
	}
	c.Operations = slices.Clone(doc.Operations)
	for i, op := range doc.Operations {
		copied := *op
		copied.SelectionSet = l.set(op.SelectionSet, variables)
		c.Operations[i] = &copied
	}
	return &c
}

func (l Limits) set(set ast.SelectionSet, variables map[string]any) ast.SelectionSet {
	if set == nil {
		return nil
	}
	out := make(ast.SelectionSet, len(set))
	for i, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			c := *sel
			c.SelectionSet = l.set(sel.SelectionSet, variables)
			if connection(sel) && argument(sel, "first", variables) == nil && argument(sel, "last", variables) == nil {
				c.Arguments = l.first(sel)
			}
			out[i] = &c
		case *ast.InlineFragment:
			c := *sel
			c.SelectionSet = l.set(sel.SelectionSet, variables)
			out[i] = &c
		default:
			out[i] = sel
		}
	}
	return out
}

// first returns a field's arguments with the default page in place of none, of null, or of a variable without a value.
func (l Limits) first(f *ast.Field) ast.ArgumentList {
	def := f.Definition.Arguments.ForName("first")
	args := make(ast.ArgumentList, 0, len(f.Arguments)+1)
	for _, arg := range f.Arguments {
		if arg.Name != "first" {
			args = append(args, arg)
		}
	}
	return append(args, &ast.Argument{
		Name:     "first",
		Position: f.Position,
		Value: &ast.Value{
			Raw: strconv.Itoa(l.DefaultPage), Kind: ast.IntValue, Position: f.Position, ExpectedType: def.Type,
		},
	})
}
