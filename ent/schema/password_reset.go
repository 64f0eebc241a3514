package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// PasswordReset is a link by which a new password may be set once.
type PasswordReset struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (PasswordReset) Mixin() []ent.Mixin {
	return []ent.Mixin{Entity{Prefix: kind.PrefixPasswordReset}}
}

// Annotations describes the entity and keeps it out of GraphQL.
func (PasswordReset) Annotations() []schema.Annotation {
	return []schema.Annotation{
		hidden(),
		schema.Comment("A link by which a new password may be set once."),
	}
}

// Fields returns the columns.
func (PasswordReset) Fields() []ent.Field {
	return []ent.Field{
		field.String("user_id").Immutable().
			Comment("Identifier of the account."),
		field.String("token_hash").Unique().NotEmpty().Immutable().Sensitive().
			Comment("Hash of the token in the link."),
		field.Time("expires_at").
			Comment("When the link ends."),
		field.Time("used_at").Optional().Nillable().
			Comment("When the link was used."),
	}
}

// Edges returns the relations.
func (PasswordReset) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("user", User.Type).Ref("password_resets").Field("user_id").Unique().Required().Immutable().
			Comment("Account whose password may be set."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (PasswordReset) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("user_id"),
		index.Fields("expires_at"),
	}
}
