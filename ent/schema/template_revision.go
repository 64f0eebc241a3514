package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// TemplateRevision is a template as it was before a change that matters to servers: those that have not been given the
// change go on with it.
type TemplateRevision struct{ ent.Schema }

// Mixin returns the key of the series.
func (TemplateRevision) Mixin() []ent.Mixin { return []ent.Mixin{Series{}} }

// Annotations describes the entity and keeps it out of GraphQL.
func (TemplateRevision) Annotations() []schema.Annotation {
	return []schema.Annotation{
		hidden(),
		schema.Comment("Templates as they were before they were changed."),
	}
}

// Fields returns the columns.
func (TemplateRevision) Fields() []ent.Field {
	return []ent.Field{
		field.String("template_id").Immutable().
			Comment("Identifier of the template."),
		field.Int("revision").Positive().Immutable().
			Comment("Number of the revision."),
		field.Time("replaced_at").Default(now).Immutable().
			Comment("When the next revision replaced it."),
		field.JSON("document", json.RawMessage{}).Immutable().
			Comment("The template in the form in which templates are exchanged."),
	}
}

// Edges returns the relations.
func (TemplateRevision) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("template", Template.Type).Field("template_id").Unique().Required().Immutable().Annotations(cascade()).
			Comment("The template."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (TemplateRevision) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("template_id", "revision").Unique(),
	}
}
