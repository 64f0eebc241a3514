package generate

import "text/template"

var kinds = template.Must(template.New("kinds").Parse(`// Code generated from the announced entities of ent/schema. DO NOT EDIT.

package changes

import (
	"context"

	"entgo.io/ent"

	model "github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// The kinds of entities whose changes can be followed.
var (
{{- range . }}
	// {{ .Event }} follows {{ .A }}.
	{{ .Event }} = Kind[model.{{ .Name }}]{
		prefix: kind.Prefix{{ .Event }}, entity: model.Type{{ .Name }}, noun: "{{ .Words }}",
		load: func(ctx context.Context, c *model.Client, id string) (*model.{{ .Name }}, error) { return c.{{ .Name }}.Get(ctx, id) },
	}
{{- end }}
)

// had returns what an entity that is about to be deleted belongs to, and whether its deletion is still to be announced.
func had(ctx context.Context, m ent.Mutation) (access.Had, bool, error) {
	switch m := m.(type) {
{{- range . }}{{ if .Had }}
	case *model.{{ .Name }}Mutation:
		id, _ := m.ID()
{{- if .Via }}
		self, err := m.Client().{{ .Name }}.Get(ctx, id)
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		row, err := self.Query{{ .Via }}().Only(ctx)
{{- else }}
		row, err := m.Client().{{ .Name }}.Get(ctx, id)
{{- end }}
		if err != nil {
			return access.Had{}, false, model.MaskNotFound(err)
		}
		return access.Had{ {{- .Had -}} }, {{ if .SoftDeleted }}row.DeletedAt == nil{{ else }}true{{ end }}, nil
{{- end }}{{ end }}
	}
	return access.Had{}, true, nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
`))

var sdl = template.Must(template.New("sdl").Parse(`# Code generated from the announced entities of ent/schema. DO NOT EDIT.
{{ range . }}
"A change of {{ .A }}."
type {{ .Event }}ChangedEvent {
  "What happened."
  operation: ChangeOperation!
  "What it happened to."
  entityId: ID!
  "It as it is now; null when it was deleted."
  {{ .Noun }}: {{ .Type }}
}
{{ end }}
extend type Subscription {
{{- range . }}
  "{{ if eq .Noun "auditLog" }}New entries of the audit trail{{ else }}Changes of one {{ .Words }}, or of all{{ end }} that the caller may see. Ends when the one is gone or out of sight."
  {{ .Subscription }}(
    "The one to follow; all when absent."
    id: ID
  ): {{ .Event }}ChangedEvent!
{{- end }}
}
`))

// resolvers is the file as gqlgen wants it; gqlgen adds its own heading and keeps the bodies.
var resolvers = template.Must(template.New("resolvers").Parse(`package graph

import (
	"context"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/graph/model"
	"github.com/catalyst-panel/catalyst/internal/changes"
)
{{ range . }}
func (r *subscriptionResolver) {{ .Method }}(ctx context.Context, id *string) (<-chan *model.{{ .Event }}ChangedEvent, error) {
	return follow(ctx, r.r, changes.{{ .Event }}, id, func(e changes.Event, row *ent.{{ .Name }}) *model.{{ .Event }}ChangedEvent {
		return &model.{{ .Event }}ChangedEvent{Operation: e.Operation, EntityID: e.EntityID, {{ .Event }}: row}
	}), nil
}
{{ end }}`))
