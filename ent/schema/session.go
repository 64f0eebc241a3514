package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Session is a place where an account is signed in.
type Session struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Session) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixSession}} }

// Annotations describes the entity and lists it.
func (Session) Annotations() []schema.Annotation {
	return append(connected("sessions", "The sessions that the viewer may see."),
		schema.Comment("A place where an account is signed in."))
}

// Fields returns the columns.
func (Session) Fields() []ent.Field {
	return []ent.Field{
		field.String("user_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the account."),
		field.String("refresh_hash").Unique().NotEmpty().Sensitive().Annotations(hidden()).
			Comment("Hash of the refresh token that is good now."),
		field.String("previous_hash").Optional().Nillable().Sensitive().Annotations(hidden()).
			Comment("Hash of the refresh token before it: its use is a theft and ends the session."),
		field.String("family").Default("").MaxLen(64).Immutable().Annotations(hidden()).
			Comment("What all tokens of one sign-in have in common."),
		field.String("ip").Default("").MaxLen(45).
			Comment("Address that it was last used from."),
		field.String("user_agent").Default("").MaxLen(512).
			Comment("Program that it was last used with."),
		field.Time("expires_at").
			Comment("When it ends unless it is used."),
		field.Time("last_used_at").Default(now).
			Comment("When it was last used."),
		field.Time("revoked_at").Optional().Nillable().
			Comment("When it was ended."),
	}
}

// Edges returns the relations.
func (Session) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("user", User.Type).Ref("sessions").Field("user_id").Unique().Required().Immutable().
			Comment("Account that is signed in."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (Session) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("user_id"),
		index.Fields("previous_hash"),
		index.Fields("family"),
		index.Fields("expires_at"),
	}
}
