package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// ServerMetrics is what all servers used over time.
type ServerMetrics struct{ ent.Schema }

// Mixin returns the key of the series.
func (ServerMetrics) Mixin() []ent.Mixin { return []ent.Mixin{Series{}} }

// Annotations describes the entity and keeps it out of GraphQL.
func (ServerMetrics) Annotations() []schema.Annotation {
	return []schema.Annotation{
		hidden(),
		schema.Comment("What all servers used over time. Read through the server."),
	}
}

// Fields returns the columns.
func (ServerMetrics) Fields() []ent.Field {
	return append([]ent.Field{
		field.String("server_id").Immutable().
			Comment("Identifier of the server."),
	}, metrics()...)
}

// Edges returns the relations.
func (ServerMetrics) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("server", Server.Type).Field("server_id").Unique().Required().Immutable().Annotations(cascade()).
			Comment("The server that was measured."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (ServerMetrics) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("server_id", "resolution", "at").Unique(),
		index.Fields("resolution", "at"),
	}
}
