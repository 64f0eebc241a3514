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

// Transfer is the move of a server to another node.
type Transfer struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Transfer) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixTransfer}} }

// Annotations describes the entity and lists it.
func (Transfer) Annotations() []schema.Annotation {
	return append(connected("transfers", "The transfers that the viewer may see."),
		announced("transfer"), schema.Comment("The move of a server to another node."))
}

// Fields returns the columns.
func (Transfer) Fields() []ent.Field {
	return []ent.Field{
		field.String("server_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the server."),
		field.String("source_node_id").Optional().Nillable().Annotations(key(), filterable()).
			Comment("Identifier of the node that it leaves."),
		field.String("target_node_id").Optional().Nillable().Annotations(key(), filterable()).
			Comment("Identifier of the node that it goes to."),
		field.String("backup_id").Optional().Nillable().Annotations(key()).
			Comment("Identifier of the backup that was made before."),
		field.String("requested_by_id").Optional().Nillable().Annotations(key()).
			Comment("Identifier of the account that asked for it."),
		field.Enum("state").GoType(kind.TransferState("")).Default(string(kind.TransferStatePending)).
			Annotations(entgql.Type("TransferState"), filterable()).
			Comment("How far the transfer is."),
		field.Float("progress").Default(0).Min(0).Max(1).
			Comment("Part of the work that is done, 0 to 1."),
		field.String("message").Optional().Nillable().MaxLen(1024).
			Comment("What is being done."),
		field.Int64("bytes_done").Default(0).NonNegative().Annotations(bytes()).
			Comment("Bytes that were copied."),
		field.Int64("bytes_total").Default(0).NonNegative().Annotations(bytes()).
			Comment("Bytes that there are to copy, as far as is known."),
		field.Text("error").Optional().Nillable().MaxLen(4096).
			Comment("Why the transfer failed, if it did."),
		field.Time("completed_at").Optional().Nillable().
			Comment("When the transfer ended."),
	}
}

// Edges returns the relations.
func (Transfer) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("server", Server.Type).Ref("transfers").Field("server_id").Unique().Required().Immutable().
			Comment("Server that moves."),
		edge.To("source_node", Node.Type).Field("source_node_id").Unique().Annotations(setNull()).
			Comment("Node that it leaves."),
		edge.To("target_node", Node.Type).Field("target_node_id").Unique().Annotations(setNull()).
			Comment("Node that it goes to."),
		edge.To("backup", Backup.Type).Field("backup_id").Unique().Annotations(setNull()).
			Comment("Backup that was made before."),
		edge.To("requested_by", User.Type).Field("requested_by_id").Unique().Annotations(setNull()).
			Comment("Account that asked for it."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (Transfer) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("server_id"),
		index.Fields("source_node_id"),
		index.Fields("target_node_id"),
		index.Fields("backup_id"),
		index.Fields("requested_by_id"),
		index.Fields("state"),
	}
}
