package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Role is a named set of global permissions.
type Role struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Role) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixRole}} }

// Annotations describes the entity and lists it.
func (Role) Annotations() []schema.Annotation {
	return append(connected("roles", "The roles that the viewer may see."),
		announced("role"), schema.Comment("A named set of global permissions that accounts can have."))
}

// Fields returns the columns.
func (Role) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").Unique().NotEmpty().MaxLen(64).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the role. Unique."),
		field.String("description").Default("").MaxLen(1024).
			Comment("What the role is for."),
		field.Strings("permissions").Default([]string{}).
			Comment("Permissions the role gives, such as server.read, server.* or *."),
		field.Bool("builtin").Default(false).
			Annotations(filterable()).
			Comment("Whether the role came with Catalyst and cannot be deleted."),
	}
}

// Edges returns the relations.
func (Role) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("users", User.Type).Ref("roles").
			Annotations(entgql.RelayConnection()).
			Comment("Accounts that have the role."),
	}
}
