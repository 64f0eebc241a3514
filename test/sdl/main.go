// Command sdl prints the whole GraphQL schema as one document, for clients that generate code from it. Run it from the
// root of the repository.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
)

func main() {
	if err := run("schema", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sdl:", err)
		os.Exit(1)
	}
}

func run(folder string, out io.Writer) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.graphql"))
	if err != nil {
		return fmt.Errorf("list the schema's files: %w", err)
	}
	sources := make([]*ast.Source, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read the schema: %w", err)
		}
		sources = append(sources, &ast.Source{Name: file, Input: string(text)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		return fmt.Errorf("load the schema: %w", err)
	}
	withoutGenerator(schema)
	formatter.NewFormatter(out, formatter.WithIndent("  ")).FormatSchema(schema)
	return nil
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
	schema.Query.Description = "Everything that can be read. What the caller may not see is as if it were not there."
}
