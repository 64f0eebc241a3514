package guard

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"entgo.io/contrib/entgql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/catalyst-panel/catalyst/graph/scalar"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// maxCursor is the length of a cursor. Those that the panel gives out are shorter.
const maxCursor = 2048

// Operation is a validated operation with its variables.
type Operation struct {
	Schema     *ast.Schema
	Definition *ast.OperationDefinition
	Fragments  ast.FragmentDefinitionList
	Variables  map[string]any
}

// connection reports whether a field is a page of a list.
func connection(f *ast.Field) bool {
	return f.Definition != nil && f.Definition.Arguments.ForName("first") != nil && strings.HasSuffix(f.Definition.Type.Name(), "Connection")
}

// argument returns the value of an argument, with variables and defaults in place; nil when it is absent or null.
func argument(f *ast.Field, name string, variables map[string]any) any {
	if arg := f.Arguments.ForName(name); arg != nil {
		if arg.Value.Kind == ast.Variable {
			if v, ok := variables[arg.Value.Raw]; ok {
				return v
			}
		} else if v, err := arg.Value.Value(variables); err == nil {
			return v
		}
	}
	if f.Definition != nil {
		if def := f.Definition.Arguments.ForName(name); def != nil && def.DefaultValue != nil {
			if v, err := def.DefaultValue.Value(variables); err == nil {
				return v
			}
		}
	}
	return nil
}

// each calls visit for every field of an operation and of the fragments that it reaches, each once.
func (o Operation) each(visit func(*ast.Field) error) error {
	seen := map[string]bool{}
	var walk func(ast.SelectionSet) error
	walk = func(set ast.SelectionSet) error {
		for _, sel := range set {
			var below ast.SelectionSet
			switch sel := sel.(type) {
			case *ast.Field:
				if err := visit(sel); err != nil {
					return err
				}
				below = sel.SelectionSet
			case *ast.InlineFragment:
				below = sel.SelectionSet
			case *ast.FragmentSpread:
				f := o.Fragments.ForName(sel.Name)
				if f == nil || seen[sel.Name] {
					continue
				}
				seen[sel.Name] = true
				below = f.SelectionSet
			}
			if err := walk(below); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(o.Definition.SelectionSet)
}

// Pages checks every connection of an operation: 1 to 100 results, from one end, with cursors that the panel can have
// given out; and the sizes of filters and lists of identifiers. It reports whether a connection asks for no number of
// results, which [Limits.WithDefaults] then gives it.
func (l Limits) Pages(o Operation) (wanting bool, err error) {
	err = o.each(func(f *ast.Field) error {
		if ids, ok := argument(f, "ids", o.Variables).([]any); ok && len(ids) > l.IDs {
			return fault.Input("ids", "At most %d identifiers can be asked for at once.", l.IDs)
		}
		if !connection(f) {
			return nil
		}
		given, err := l.page(f, o.Variables)
		if err != nil {
			return err
		}
		wanting = wanting || !given
		for _, name := range []string{"after", "before"} {
			if v := argument(f, name, o.Variables); v != nil {
				if err := o.cursor(f, name, v); err != nil {
					return err
				}
			}
		}
		return l.filter(argument(f, "where", o.Variables))
	})
	return wanting, err
}

// page checks first and last and reports whether one of them is given.
func (l Limits) page(f *ast.Field, variables map[string]any) (given bool, err error) {
	for _, name := range []string{"first", "last"} {
		v := argument(f, name, variables)
		if v == nil {
			continue
		}
		if given {
			return true, fault.Input("last", "Give first or last, not both.")
		}
		given = true
		if n, err := scalar.UnmarshalInt(v); err != nil || n < 1 || n > l.Page {
			return true, fault.Input(name, "A page has 1 to %d results.", l.Page)
		}
	}
	return given, nil
}

// cursor checks that a cursor is one that the panel can have given out for the order that is asked for.
func (o Operation) cursor(f *ast.Field, name string, v any) error {
	refused := fault.Input(name, "This is no cursor of this list. Take one from pageInfo or from an edge of the same order.")
	text, ok := v.(string)
	if !ok || len(text) > maxCursor {
		return refused
	}
	var c entgql.Cursor[string]
	if err := c.UnmarshalGQL(text); err != nil || c.ID == "" || !printable(c.ID) {
		return refused
	}
	if c.Value == nil {
		return nil
	}
	order, _ := argument(f, "orderBy", o.Variables).(map[string]any)
	field, _ := order["field"].(string)
	if field == "" || !fits(c.Value, o.orderType(f, field)) {
		return refused
	}
	return nil
}

// orderType returns the GraphQL type of the field that an order such as CREATED_AT is by; "" when it is not shown.
func (o Operation) orderType(f *ast.Field, order string) string {
	node := element(o.Schema, f)
	if node == nil {
		return ""
	}
	parts := strings.Split(strings.ToLower(order), "_")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:min(1, len(parts[i]))]) + parts[i][min(1, len(parts[i])):]
	}
	field := node.Fields.ForName(strings.Join(parts, ""))
	if field == nil {
		return ""
	}
	return field.Type.Name()
}

// element returns the type of a connection's results.
func element(schema *ast.Schema, f *ast.Field) *ast.Definition {
	page := schema.Types[f.Definition.Type.Name()]
	if page == nil {
		return nil
	}
	edges := page.Fields.ForName("edges")
	if edges == nil || schema.Types[edges.Type.Name()] == nil {
		return nil
	}
	node := schema.Types[edges.Type.Name()].Fields.ForName("node")
	if node == nil {
		return nil
	}
	return schema.Types[node.Type.Name()]
}

// fits reports whether the database can compare a cursor's value with a column of the type.
func fits(v any, typeName string) bool {
	switch v := v.(type) {
	case time.Time:
		return typeName == "Time" && v.Year() > 0 && v.Year() < 10_000
	case string:
		return !slices.Contains([]string{"Time", "Int", "Bytes", "Float", "Boolean", "Seq"}, typeName) && printable(v)
	case bool:
		return typeName == "Boolean"
	case float32, float64:
		return typeName == "Float"
	case int8, int16, int32, int64, uint8, uint16, uint32:
		return typeName == "Int" || typeName == "Bytes"
	}
	return false
}

// printable reports whether a text can be stored: PostgreSQL knows neither NUL nor broken UTF-8.
func printable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// filter checks the size of a filter.
func (l Limits) filter(v any) error {
	left := l.FilterSize
	var walk func(v any, depth int) error
	walk = func(v any, depth int) error {
		if left--; left < 0 {
			return fault.Input("where", "A filter has at most %d conditions and values.", l.FilterSize)
		}
		switch v := v.(type) {
		case map[string]any:
			if depth > l.FilterDepth {
				return fault.Input("where", "A filter nests at most %d deep.", l.FilterDepth)
			}
			for _, below := range v {
				if err := walk(below, depth+1); err != nil {
					return err
				}
			}
		case []any:
			for _, below := range v {
				if err := walk(below, depth); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if v == nil {
		return nil
	}
	return walk(v, 1)
}
