package sdl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
)

// Text returns a schema as a document. The schema itself stays as it is.
func Text(schema *ast.Schema) (string, error) {
	own, err := Load("schema.graphql", format(schema))
	if err != nil {
		return "", err
	}
	withoutGenerator(own)
	if own.Query != nil && own.Query.Description == "" {
		own.Query.Description = "Everything that can be read. What the caller may not see is as if it were not there."
	}
	return format(own), nil
}

// Load reads a document.
func Load(name, text string) (*ast.Schema, error) {
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: name, Input: text})
	if err != nil {
		return nil, fmt.Errorf("load the schema: %w", err)
	}
	return schema, nil
}

func format(schema *ast.Schema) string {
	var b strings.Builder
	formatter.NewFormatter(&b, formatter.WithIndent("  ")).FormatSchema(schema)
	return b.String()
}

// withoutGenerator removes the directives that only the code generator reads, and @defer, which is not offered.
func withoutGenerator(schema *ast.Schema) {
	own := func(name string) bool { return strings.HasPrefix(name, "go") || name == "defer" }
	for name := range schema.Directives {
		if own(name) {
			delete(schema.Directives, name)
		}
	}
	keep := func(list ast.DirectiveList) ast.DirectiveList {
		return slices.DeleteFunc(list, func(d *ast.Directive) bool { return own(d.Name) })
	}
	for _, def := range schema.Types {
		def.Directives = keep(def.Directives)
		for _, f := range def.Fields {
			f.Directives = keep(f.Directives)
		}
		for _, v := range def.EnumValues {
			v.Directives = keep(v.Directives)
		}
	}
}
