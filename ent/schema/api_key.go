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

// ApiKey is a key that programs use in an account's name. Its name is the API's type name.
type ApiKey struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (ApiKey) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixAPIKey}} }

// Annotations describes the entity and lists it.
func (ApiKey) Annotations() []schema.Annotation {
	return append(connected("apiKeys", "The API keys that the viewer may see."),
		schema.Comment("A key that programs use in an account's name, limited to a part of its permissions."))
}

// Fields returns the columns.
func (ApiKey) Fields() []ent.Field {
	return []ent.Field{
		field.String("user_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the account."),
		field.String("name").NotEmpty().MaxLen(128).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the key."),
		field.String("prefix").NotEmpty().MaxLen(32).Immutable().
			Comment("First characters of the key, by which it can be recognised."),
		field.String("key_hash").Unique().NotEmpty().Immutable().Sensitive().Annotations(hidden()).
			Comment("Hash of the key."),
		field.Strings("permissions").Default([]string{}).
			Comment("Permissions that the key is limited to."),
		field.Strings("allowed_cidrs").Default([]string{}).
			Comment("Networks that the key may be used from; any when empty."),
		field.Time("expires_at").Optional().Nillable().
			Comment("When the key ends; never when null."),
		field.Time("last_used_at").Optional().Nillable().
			Comment("When the key was last used, to the minute."),
	}
}

// Edges returns the relations.
func (ApiKey) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("user", User.Type).Ref("api_keys").Field("user_id").Unique().Required().Immutable().
			Comment("Account that the key acts for."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (ApiKey) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("user_id"),
		index.Fields("name"),
	}
}
