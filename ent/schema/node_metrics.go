package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// NodeMetrics is what all nodes used over time.
type NodeMetrics struct{ ent.Schema }

// Mixin returns the key of the series.
func (NodeMetrics) Mixin() []ent.Mixin { return []ent.Mixin{Series{}} }

// Annotations describes the entity and keeps it out of GraphQL.
func (NodeMetrics) Annotations() []schema.Annotation {
	return []schema.Annotation{
		hidden(),
		schema.Comment("What all nodes used over time. Read through the node."),
	}
}

// Fields returns the columns.
func (NodeMetrics) Fields() []ent.Field {
	return append([]ent.Field{
		field.String("node_id").Immutable().
			Comment("Identifier of the node."),
	}, metrics()...)
}

// Edges returns the relations.
func (NodeMetrics) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("node", Node.Type).Field("node_id").Unique().Required().Immutable().Annotations(cascade()).
			Comment("The node that was measured."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (NodeMetrics) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("node_id", "resolution", "at").Unique(),
		index.Fields("resolution", "at"),
	}
}
