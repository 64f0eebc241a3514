package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// RecoveryCode is a code that stands in for the second factor once.
type RecoveryCode struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (RecoveryCode) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixRecoveryCode}} }

// Annotations describes the entity and keeps it out of GraphQL.
func (RecoveryCode) Annotations() []schema.Annotation {
	return []schema.Annotation{
		hidden(),
		schema.Comment("A code that stands in for the second factor once."),
	}
}

// Fields returns the columns.
func (RecoveryCode) Fields() []ent.Field {
	return []ent.Field{
		field.String("user_id").Immutable().
			Comment("Identifier of the account."),
		field.String("code_hash").NotEmpty().Immutable().Sensitive().
			Comment("Hash of the code."),
		field.Time("used_at").Optional().Nillable().
			Comment("When the code was used."),
	}
}

// Edges returns the relations.
func (RecoveryCode) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("user", User.Type).Ref("recovery_codes").Field("user_id").Unique().Required().Immutable().
			Comment("Account that the code belongs to."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (RecoveryCode) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("user_id", "code_hash").Unique(),
	}
}
