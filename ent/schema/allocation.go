package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Allocation is an address and port of a node.
type Allocation struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Allocation) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixAllocation}} }

// Annotations describes the entity, lists it and bounds the port.
func (Allocation) Annotations() []schema.Annotation {
	return append(connected("allocations", "The allocations that the viewer may see."),
		entsql.Checks(map[string]string{"allocation_port": "port BETWEEN 1 AND 65535"}),
		announced("allocation"), schema.Comment("An address and a port of a node, free or in a server's use."))
}

// Fields returns the columns.
func (Allocation) Fields() []ent.Field {
	return []ent.Field{
		field.String("node_id").Immutable().
			Annotations(key(), filterable()).
			Comment("Identifier of the node."),
		field.String("server_id").Optional().Nillable().
			Annotations(key(), filterable()).
			Comment("Identifier of the server that uses it."),
		field.String("ip").NotEmpty().MaxLen(45).
			Annotations(entgql.OrderField("IP"), filterable()).
			Comment("Address of the node that it stands for."),
		field.Int("port").Range(1, 65535).
			Annotations(entgql.OrderField("PORT"), filterable()).
			Comment("Port, 1 to 65535, for TCP and UDP."),
		field.String("alias").Optional().Nillable().MaxLen(255).
			Comment("Host name that is shown to players in place of the address."),
		field.String("notes").Optional().Nillable().MaxLen(1024).
			Comment("What its user wrote about it."),
		field.Bool("primary").Default(false).
			Annotations(filterable()).
			Comment("Whether it is the one that the server's players use."),
	}
}

// Edges returns the relations.
func (Allocation) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("node", Node.Type).Ref("allocations").Field("node_id").Unique().Required().Immutable().
			Comment("Node that it belongs to."),
		edge.From("server", Server.Type).Ref("allocations").Field("server_id").Unique().
			Comment("Server that uses it, if any."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (Allocation) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("node_id", "ip", "port").Unique(),
		index.Fields("server_id"),
		index.Fields("ip"),
		index.Fields("port"),
	}
}
