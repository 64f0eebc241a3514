package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// ServerAccess is what an account may do with a server that it does not own.
type ServerAccess struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (ServerAccess) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixServerAccess}} }

// Annotations describes the entity and lists it.
func (ServerAccess) Annotations() []schema.Annotation {
	return append(connected("serverAccesses", "The server accesses that the viewer may see."),
		announced("serverAccess"), schema.Comment("What an account may do with a server that it does not own."))
}

// Fields returns the columns.
func (ServerAccess) Fields() []ent.Field {
	return []ent.Field{
		field.String("user_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the account."),
		field.String("server_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the server."),
		field.Strings("permissions").Default([]string{}).
			Comment("Permissions the account has on the server, each written out."),
	}
}

// Edges returns the relations.
func (ServerAccess) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("user", User.Type).Ref("server_accesses").Field("user_id").Unique().Required().Immutable().
			Comment("Account that was let in."),
		edge.From("server", Server.Type).Ref("accesses").Field("server_id").Unique().Required().Immutable().
			Comment("Server that it was let into."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (ServerAccess) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("user_id", "server_id").Unique(),
		index.Fields("server_id"),
	}
}
