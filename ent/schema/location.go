package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Location is a place where nodes stand.
type Location struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Location) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixLocation}} }

// Annotations describes the entity and lists it.
func (Location) Annotations() []schema.Annotation {
	return append(connected("locations", "The locations that the viewer may see."),
		announced("location"), schema.Comment("A place where nodes stand, such as a data centre."))
}

// Fields returns the columns.
func (Location) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").Unique().NotEmpty().MaxLen(64).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the location. Unique."),
		field.String("description").Default("").MaxLen(1024).
			Comment("What is worth knowing about the location."),
	}
}

// Edges returns the relations.
func (Location) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("nodes", Node.Type).
			Annotations(entgql.RelayConnection(), restrict()).
			Comment("Nodes that stand there."),
	}
}
