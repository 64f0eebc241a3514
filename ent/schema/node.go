package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Node is a machine that runs servers.
type Node struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Node) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixNode}} }

// Annotations describes the entity and lists it. GraphQL calls it HostNode, since Node is Relay's interface.
func (Node) Annotations() []schema.Annotation {
	return append(connected("hostNodes", "The nodes that the viewer may see."),
		entgql.Type("HostNode"),
		announced("node"), schema.Comment("A machine that runs servers. Its agent dials the panel."))
}

// Fields returns the columns.
func (Node) Fields() []ent.Field {
	fields := []ent.Field{
		field.String("name").Unique().NotEmpty().MaxLen(64).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the node. Unique."),
		field.String("public_address").NotEmpty().MaxLen(255).
			Comment("Host name or address at which players reach the node's servers."),
		field.String("location_id").
			Annotations(key(), filterable()).
			Comment("Identifier of the location."),
		field.Int64("memory_limit").NonNegative().
			Annotations(bytes()).
			Comment("Memory that servers may be given in total."),
		field.Int("cpu_limit").NonNegative().
			Comment("CPU that servers may be given in total, in percent of one core."),
		field.Int64("disk_limit").NonNegative().
			Annotations(bytes()).
			Comment("Disk that servers may be given in total."),
		field.Float("overcommit").Default(1).Min(0.1).Max(100).
			Comment("Factor by which the limits may be exceeded when servers are placed; 1 is not at all."),
		field.JSON("labels", map[string]string{}).Default(map[string]string{}).
			Annotations(hidden()).
			Comment("Labels by which nodes are told apart."),
		field.Bool("maintenance").Default(false).
			Annotations(filterable()).
			Comment("Whether new servers are kept away from the node."),
	}
	return append(append(fields, nodeLink()...), nodeReport()...)
}

// nodeLink returns the columns that the agent link keeps.
func nodeLink() []ent.Field {
	return []ent.Field{
		field.Bytes("public_key").Optional().Nillable().MaxLen(128).
			Annotations(hidden()).
			Comment("Ed25519 key by which the node proves itself, once it has enrolled."),
		field.Bool("online").Default(false).
			Annotations(filterable()).
			Comment("Whether the node's agent is connected."),
		field.Time("last_seen_at").Optional().Nillable().
			Comment("When the node was last heard of."),
		field.String("agent_version").Default("").MaxLen(64).
			Comment("Version of the node's agent; empty before its first connection."),
		field.String("link_instance").Default("").MaxLen(128).
			Annotations(hidden()).
			Comment("Panel instance that holds the node's connection."),
		field.String("link_session").Default("").MaxLen(128).
			Annotations(hidden()).
			Comment("The connection, told apart from older ones of the same node."),
		field.Int64("link_epoch").Default(0).NonNegative().
			Annotations(hidden()).
			Comment("Fence: raised by each new connection, so that an older one can no longer write."),
		field.String("event_epoch").Default("").MaxLen(64).
			Annotations(hidden()).
			Comment("Life of the node's event spool that event_seq belongs to."),
		field.Int64("event_seq").Default(0).NonNegative().
			Annotations(hidden()).
			Comment("Last event of the node that was taken in."),
	}
}

// nodeReport returns the columns that the agent reports. GraphQL groups them under system and usage.
func nodeReport() []ent.Field {
	return []ent.Field{
		field.String("os").Default("").MaxLen(128).Annotations(hidden()).
			Comment("Operating system of the node."),
		field.String("arch").Default("").MaxLen(32).Annotations(hidden()).
			Comment("Architecture of the node's processor."),
		field.String("kernel").Default("").MaxLen(128).Annotations(hidden()).
			Comment("Version of the node's kernel."),
		field.Int("cpu_count").Default(0).NonNegative().Annotations(hidden()).
			Comment("Number of the node's processor cores."),
		field.Int64("memory_total").Default(0).NonNegative().Annotations(hidden()).
			Comment("Memory of the node."),
		field.Int64("disk_total").Default(0).NonNegative().Annotations(hidden()).
			Comment("Size of the file system that holds the servers."),
		field.String("runtime").Default("").MaxLen(32).
			Comment("How the node runs servers: containerd or process; empty before its first connection."),
		field.Float("cpu_percent").Default(0).Annotations(hidden()).
			Comment("CPU in use, in percent of one core."),
		field.Int64("memory_bytes").Default(0).Annotations(hidden()).
			Comment("Memory in use."),
		field.Int64("disk_bytes").Default(0).Annotations(hidden()).
			Comment("Disk in use."),
		field.Int64("network_rx_bytes").Default(0).Annotations(hidden()).
			Comment("Bytes received since the node booted."),
		field.Int64("network_tx_bytes").Default(0).Annotations(hidden()).
			Comment("Bytes sent since the node booted."),
		field.Time("usage_at").Optional().Nillable().Annotations(hidden()).
			Comment("When the usage was sampled."),
	}
}

// Edges returns the relations.
func (Node) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("location", Location.Type).Ref("nodes").Field("location_id").Unique().Required().
			Comment("Where the node stands."),
		edge.To("servers", Server.Type).
			Annotations(entgql.RelayConnection(), restrict()).
			Comment("Servers that live on the node."),
		edge.To("allocations", Allocation.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Addresses and ports of the node that servers may use."),
		edge.To("enrolment_tokens", EnrolmentToken.Type).
			Annotations(hidden(), cascade()).
			Comment("Tokens by which the node's agent may enrol."),
	}
}

// Indexes returns the indexes of foreign keys and filters.
func (Node) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("location_id"),
		index.Fields("online"),
	}
}
