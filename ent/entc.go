//go:build ignore

// The generator of package ent and of schema/ent.graphql. Run it from the root of the repository:
//
//	go run -mod=mod ./ent/entc.go
package main

import (
	"fmt"
	goast "go/ast"
	"go/parser"
	"go/token"
	"log"
	"path/filepath"
	"strings"

	"entgo.io/contrib/entgql"
	"entgo.io/ent/entc"
	"entgo.io/ent/entc/gen"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/catalyst-panel/catalyst/internal/changes/generate"
)

func main() {
	graphql, err := entgql.NewExtension(
		entgql.WithTemplates(templates()...), // before WithWhereInputs, which adds one
		entgql.WithSchemaGenerator(),
		entgql.WithSchemaPath("schema/ent.graphql"),
		entgql.WithConfigPath("gqlgen.yml"),
		entgql.WithRelaySpec(true),
		entgql.WithNodeDescriptor(false),
		entgql.WithWhereInputs(true),
		entgql.WithSchemaHook(describe, tighten, renameKeys, closeFilters),
	)
	if err != nil {
		log.Fatalf("configure the GraphQL extension: %v", err)
	}
	config := &gen.Config{
		Target:  "ent",
		Package: "github.com/catalyst-panel/catalyst/ent",
		Features: []gen.Feature{
			gen.FeaturePrivacy, gen.FeatureUpsert, gen.FeatureLock, gen.FeatureModifier, gen.FeatureExecQuery,
			gen.FeatureVersionedMigration,
		},
		Hooks: []gen.Hook{allowListFilters},
	}
	if err := entc.Generate("./ent/schema", config, entc.Extensions(graphql)); err != nil {
		log.Fatalf("generate ent: %v", err)
	}
	entities, err := entc.LoadGraph("./ent/schema", config)
	if err != nil {
		log.Fatalf("load the entities: %v", err)
	}
	if err := generate.Write(entities); err != nil {
		log.Fatalf("generate the subscriptions of changes: %v", err)
	}
}

// allowListFilters takes every field out of the GraphQL filters that does not ask to be in them.
func allowListFilters(next gen.Generator) gen.Generator {
	return gen.GenerateFunc(func(g *gen.Graph) error {
		for _, node := range g.Nodes {
			for _, f := range node.Fields {
				if f.Annotations["CatalystFilter"] == nil {
					if err := skipFilter(f); err != nil {
						return err
					}
				}
			}
		}
		return next.Generate(g)
	})
}

// skipFilter adds SkipWhereInput to what the field skips already.
func skipFilter(f *gen.Field) error {
	var a entgql.Annotation
	if have, ok := f.Annotations[a.Name()]; ok {
		if err := a.Decode(have); err != nil {
			return err
		}
	}
	a.Skip |= entgql.SkipWhereInput
	if f.Annotations == nil {
		f.Annotations = gen.Annotations{}
	}
	f.Annotations[a.Name()] = a
	return nil
}

// templates returns entgql's templates, with an edge to one hidden entity answered by null and not by an error.
func templates() []*gen.Template {
	const strict = `{{ if $e.Optional }}MaskNotFound(err){{ else }}err{{ end }}`
	out := make([]*gen.Template, 0, len(entgql.AllTemplates))
	for _, t := range entgql.AllTemplates {
		if edge := t.Lookup("gql_edge"); t == entgql.EdgeTemplate && edge != nil {
			text := edge.Tree.Root.String()
			lenient := strings.Replace(text, strings.NewReplacer("{{ ", "{{", " }}", "}}").Replace(strict), "MaskNotFound(err)", 1)
			if lenient == text {
				log.Fatal("entgql's edge template has changed: hidden required edges would be errors")
			}
			t = gen.MustParse(t.Parse(`{{ define "gql_edge" }}` + lenient + `{{ end }}`))
		}
		out = append(out, t)
	}
	return out
}

// describe gives the entities, connections and edges the descriptions that entgql leaves out.
func describe(g *gen.Graph, s *ast.Schema) error {
	for _, node := range g.Nodes {
		def := s.Types[graphName(node)]
		if def == nil {
			continue
		}
		def.Description = comment(node.Annotations)
		for _, e := range node.Edges {
			if f := def.Fields.ForName(camel(e.Name)); f != nil {
				f.Description = e.Comment()
			}
		}
	}
	docs, err := kindComments("internal/kind")
	if err != nil {
		return err
	}
	for _, def := range s.Types {
		describeConnection(def)
		describeArguments(def)
		describeEnum(def, docs)
	}
	return nil
}

// kindComments returns the comments of the enumerations' types and values ("ServerState", "ServerStateStopped"), so
// that they are written once.
func kindComments(dir string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	docs := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		goast.Inspect(file, func(n goast.Node) bool {
			switch n := n.(type) {
			case *goast.GenDecl:
				if t, ok := n.Specs[0].(*goast.TypeSpec); ok {
					docs[t.Name.Name] = sentence(n.Doc.Text(), t.Name.Name)
				}
			case *goast.ValueSpec:
				if lit, ok := n.Values[0].(*goast.BasicLit); ok && n.Type != nil {
					docs[fmt.Sprint(n.Type)+"."+strings.Trim(lit.Value, `"`)] = sentence(n.Doc.Text(), n.Names[0].Name)
				}
				return false
			}
			return true
		})
	}
	return docs, nil
}

// sentence turns a Go comment that begins with a name into a sentence of its own.
func sentence(doc, name string) string {
	text := strings.Join(strings.Fields(doc), " ")
	text = strings.TrimPrefix(text, name+" ")
	text = strings.TrimPrefix(text, "is ")
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// describeEnum gives an enumeration and its values the comments that they have in package kind.
func describeEnum(def *ast.Definition, docs map[string]string) {
	if def.Kind != ast.Enum || docs[def.Name] == "" {
		return
	}
	def.Description = docs[def.Name]
	for _, v := range def.EnumValues {
		v.Description = docs[def.Name+"."+v.Name]
		if v.Description == "" {
			words := strings.ReplaceAll(strings.ToLower(v.Name), "_", " ")
			v.Description = strings.ToUpper(words[:1]) + words[1:] + "."
		}
	}
}

// describeConnection describes the fields that every connection, edge and order has.
func describeConnection(def *ast.Definition) {
	name := def.Name
	texts := map[string]string{}
	switch {
	case strings.HasSuffix(name, "Connection"):
		texts = map[string]string{
			"edges": "The page of results.", "pageInfo": "Whether there are more, and where to go on.",
			"totalCount": "Number of results on all pages.",
		}
	case strings.HasSuffix(name, "Edge"):
		texts = map[string]string{"node": "The result.", "cursor": "Where it stands in the list."}
	case strings.HasSuffix(name, "Order"):
		texts = map[string]string{"direction": "Whether to go up or down.", "field": "What to order by."}
	case strings.HasSuffix(name, "WhereInput"):
		entity := strings.TrimSuffix(name, "WhereInput")
		def.Description = "Which results of the type " + entity + " are wanted. All conditions must hold."
		texts = map[string]string{
			"not": "The condition that must not hold.", "and": "Conditions that must all hold.",
			"or": "Conditions of which one must hold.",
		}
	}
	for _, f := range def.Fields {
		if text := texts[f.Name]; text != "" {
			f.Description = text
		}
	}
	if strings.HasSuffix(name, "OrderField") {
		for _, v := range def.EnumValues {
			v.Description = "By " + strings.ReplaceAll(strings.ToLower(v.Name), "_", " ") + "."
		}
	}
}

// describeArguments describes the arguments of connections.
func describeArguments(def *ast.Definition) {
	texts := map[string]string{
		"after": "Cursor after which the page begins.", "first": "Length of the page, 1 to 100; 25 when absent.",
		"before": "Cursor before which the page ends.", "last": "Length of the page counted from the end, 1 to 100.",
		"orderBy": "Order of the results.", "where": "Which results are wanted.",
	}
	for _, f := range def.Fields {
		for _, a := range f.Arguments {
			if text := texts[a.Name]; text != "" {
				a.Description = text
			}
		}
	}
}

// tighten makes lists of edges and their nodes non-null, edges to one entity nullable, since the viewer may not see
// it, and cursors strings.
func tighten(g *gen.Graph, s *ast.Schema) error {
	for _, def := range s.Types {
		for _, f := range def.Fields {
			switch {
			case strings.HasSuffix(def.Name, "Connection") && f.Name == "edges":
				f.Type = ast.NonNullListType(ast.NonNullNamedType(f.Type.Elem.Name(), nil), nil)
			case strings.HasSuffix(def.Name, "Edge") && f.Name == "node":
				f.Type = ast.NonNullNamedType(f.Type.Name(), nil)
			}
			stringCursor(f.Type)
			for _, a := range f.Arguments {
				stringCursor(a.Type)
			}
		}
	}
	delete(s.Types, "Cursor")
	// Scalars are declared once, in schema/scalars.graphql.
	delete(s.Types, "Time")
	for _, node := range g.Nodes {
		def := s.Types[graphName(node)]
		if def == nil {
			continue
		}
		for _, e := range node.Edges {
			if f := def.Fields.ForName(camel(e.Name)); f != nil && e.Unique {
				f.Type.NonNull = false
			}
		}
	}
	return nil
}

func stringCursor(t *ast.Type) {
	if t.NamedType == "Cursor" {
		t.NamedType = "String"
	}
}

// renameKeys writes identifiers the way the rest of the API does: serverId, not serverID.
func renameKeys(_ *gen.Graph, s *ast.Schema) error {
	for _, def := range s.Types {
		if def.Kind != ast.InputObject {
			continue
		}
		for _, f := range def.Fields {
			f.Name = strings.Replace(f.Name, "ID", "Id", 1)
		}
	}
	return nil
}

// closeFilters removes conditions on related entities from the filters: privacy rules do not run inside predicates,
// so that they would answer about rows the viewer may not see, and those that look into identifiers, which mean nothing
// but themselves. It describes the conditions that are left.
func closeFilters(_ *gen.Graph, s *ast.Schema) error {
	for _, def := range s.Types {
		if !strings.HasSuffix(def.Name, "WhereInput") {
			continue
		}
		kept := def.Fields[:0]
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "has") || opaque(f) {
				continue
			}
			if f.Description == "" || strings.HasSuffix(f.Description, "field predicates") {
				f.Description = condition(f.Name)
			}
			kept = append(kept, f)
		}
		def.Fields = kept
	}
	return nil
}

// opaque reports whether a condition compares identifiers by more than whether they are the same.
func opaque(f *ast.FieldDefinition) bool {
	if f.Type.Name() != "ID" {
		return false
	}
	for _, op := range []string{"GT", "GTE", "LT", "LTE", "Contains", "ContainsFold", "EqualFold", "HasPrefix", "HasSuffix"} {
		if strings.HasSuffix(f.Name, op) {
			return true
		}
	}
	return false
}

// condition describes a filter by its operator.
func condition(name string) string {
	for _, op := range []struct{ suffix, text string }{
		{"NotIn", "is none of these"}, {"NotNil", "is set"}, {"IsNil", "is not set"}, {"NEQ", "is not this"},
		{"GTE", "is this or more"}, {"LTE", "is this or less"}, {"GT", "is more than this"}, {"LT", "is less than this"},
		{"ContainsFold", "contains this, whatever the case"}, {"EqualFold", "is this, whatever the case"},
		{"Contains", "contains this"}, {"HasPrefix", "begins with this"}, {"HasSuffix", "ends with this"},
		{"In", "is one of these"},
	} {
		if field, ok := strings.CutSuffix(name, op.suffix); ok && field != "" {
			return field + " " + op.text + "."
		}
	}
	return name + " is this."
}

func graphName(node *gen.Type) string {
	var a entgql.Annotation
	if have, ok := node.Annotations[a.Name()]; ok {
		if err := a.Decode(have); err == nil && a.Type != "" {
			return a.Type
		}
	}
	return node.Name
}

func comment(a gen.Annotations) string {
	c, _ := a["Comment"].(map[string]any)
	text, _ := c["Text"].(string)
	return text
}

// camel turns an edge's name into that of its GraphQL field.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}
