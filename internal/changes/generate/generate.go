// Package generate writes what follows from the list of announced entities: the kinds of package changes, the SDL of
// the …Changed subscriptions and their resolvers. The generator of ent calls it, before gqlgen reads the SDL.
package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"strings"
	"text/template"
	"unicode"

	"entgo.io/contrib/entgql"
	"entgo.io/ent/entc/gen"
)

// AnnouncedAnnotation is the name of the annotation that ent/schema marks the entities with.
const AnnouncedAnnotation = "CatalystAnnounced"

// entity is one announced entity.
type entity struct {
	Name         string // in ent: "ScheduledTask"
	Noun         string // in GraphQL: "task"
	Type         string // in GraphQL: "Task"
	Subscription string // "taskChanged"
	Had          string // the literal's fields, from row
	Via          string // the edge to the entity that belongs to a server: "Task" of a TaskRun
	SoftDeleted  bool   // a deletion is announced before the row goes
}

// Words is the noun as people write it: "task run".
func (e entity) Words() string {
	var b strings.Builder
	for _, r := range e.Noun {
		if unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// A is the words with their article.
func (e entity) A() string {
	if strings.ContainsRune("aeio", rune(e.Noun[0])) {
		return "an " + e.Words()
	}
	return "a " + e.Words()
}

// Event is the name of the event's type without its ending: "TaskRun".
func (e entity) Event() string { return strings.ToUpper(e.Noun[:1]) + e.Noun[1:] }

// Method is the resolver's name.
func (e entity) Method() string { return strings.ToUpper(e.Subscription[:1]) + e.Subscription[1:] }

// Write writes the files. Paths are relative to the root of the repository.
func Write(g *gen.Graph) error {
	list, err := announced(g)
	if err != nil {
		return err
	}
	for path, text := range map[string]*template.Template{
		"internal/changes/kinds_gen.go": kinds,
		"schema/changed.graphql":        sdl,
		"graph/changed.resolvers.go":    resolvers,
	} {
		var b bytes.Buffer
		if err := text.Execute(&b, list); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		out := b.Bytes()
		if strings.HasSuffix(path, ".go") {
			if out, err = format.Source(out); err != nil {
				return fmt.Errorf("format %s: %w", path, err)
			}
		}
		if err := os.WriteFile(path, out, 0o644); err != nil { //nolint:gosec // source code is for everybody
			return fmt.Errorf("write generated code: %w", err)
		}
	}
	return nil
}

func announced(g *gen.Graph) ([]entity, error) {
	var list []entity
	for _, node := range g.Nodes {
		noun, ok, err := nounOf(node)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		e := entity{Name: node.Name, Noun: noun, Type: graphName(node), Subscription: noun + "Changed", Had: had(node)}
		if noun == "auditLog" { // entries are never changed
			e.Subscription = "auditLogAdded"
		}
		if e.Had == "" {
			for _, edge := range node.Edges {
				if edge.Unique && edge.IsInverse() && column(edge.Type, "server_id") != nil {
					e.Via, e.Had = edge.StructField(), had(edge.Type)
				}
			}
		}
		e.SoftDeleted = column(node, "deleted_at") != nil
		list = append(list, e)
	}
	return list, nil
}

func nounOf(node *gen.Type) (noun string, ok bool, err error) {
	raw, ok := node.Annotations[AnnouncedAnnotation]
	if !ok {
		return "", false, nil
	}
	text, err := json.Marshal(raw)
	if err != nil {
		return "", false, fmt.Errorf("read the annotation of %s: %w", node.Name, err)
	}
	var a struct{ Noun string }
	if err := json.Unmarshal(text, &a); err != nil {
		return "", false, fmt.Errorf("read the annotation of %s: %w", node.Name, err)
	}
	return a.Noun, true, nil
}

// had lists the fields of access.Had that the columns of an entity fill.
func had(node *gen.Type) string {
	var out []string
	for _, c := range []struct{ column, field string }{{"server_id", "ServerID"}, {"owner_id", "OwnerID"}, {"user_id", "UserID"}} {
		f := column(node, c.column)
		switch {
		case f == nil:
		case f.Nillable:
			out = append(out, fmt.Sprintf("%s: orEmpty(row.%s)", c.field, f.StructField()))
		default:
			out = append(out, fmt.Sprintf("%s: row.%s", c.field, f.StructField()))
		}
	}
	return strings.Join(out, ", ")
}

func column(node *gen.Type, name string) *gen.Field {
	for _, f := range node.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
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
