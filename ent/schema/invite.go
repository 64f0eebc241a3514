package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Invite is an invitation into a server.
type Invite struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Invite) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixInvite}} }

// Annotations describes the entity and lists it.
func (Invite) Annotations() []schema.Annotation {
	return append(connected("invites", "The invitations that the viewer may see."),
		schema.Comment("An invitation into a server, for somebody who has no account yet or none under that address."))
}

// Fields returns the columns.
func (Invite) Fields() []ent.Field {
	return []ent.Field{
		field.String("server_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the server."),
		field.String("created_by_id").Optional().Nillable().Annotations(key()).
			Comment("Identifier of the account that invited."),
		field.String("email").NotEmpty().MaxLen(320).
			Comment("Address that was invited, in lower case."),
		field.Strings("permissions").Default([]string{}).
			Comment("Permissions that accepting gives, each written out."),
		field.String("token_hash").Unique().NotEmpty().Sensitive().Annotations(hidden()).
			Comment("Hash of the token that accepts the invitation."),
		field.Time("expires_at").
			Comment("When the invitation ends."),
		field.Time("accepted_at").Optional().Nillable().
			Comment("When it was accepted."),
	}
}

// Edges returns the relations.
func (Invite) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("server", Server.Type).Ref("invites").Field("server_id").Unique().Required().Immutable().
			Comment("Server that it invites into."),
		edge.To("created_by", User.Type).Field("created_by_id").Unique().Annotations(setNull()).
			Comment("Account that invited."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (Invite) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("server_id"),
		index.Fields("created_by_id"),
		index.Fields("email"),
		index.Fields("expires_at"),
	}
}
