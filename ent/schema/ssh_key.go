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

// SshKey is a public key for SFTP. Its name is the API's type name.
type SshKey struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (SshKey) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixSSHKey}} }

// Annotations describes the entity and lists it.
func (SshKey) Annotations() []schema.Annotation {
	return append(connected("sshKeys", "The SSH keys that the viewer may see."),
		schema.Comment("A public key by which an account signs in to SFTP."))
}

// Fields returns the columns.
func (SshKey) Fields() []ent.Field {
	return []ent.Field{
		field.String("user_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the account."),
		field.String("name").NotEmpty().MaxLen(128).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the key."),
		field.Text("public_key").NotEmpty().MaxLen(16384).Immutable().
			Comment("The key in the format of authorized_keys."),
		field.String("fingerprint").NotEmpty().MaxLen(64).Immutable().Annotations(filterable()).
			Comment("SHA-256 fingerprint of the key. Unique for the account."),
		field.Time("last_used_at").Optional().Nillable().
			Comment("When the key was last used."),
	}
}

// Edges returns the relations.
func (SshKey) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("user", User.Type).Ref("ssh_keys").Field("user_id").Unique().Required().Immutable().
			Comment("Account that the key belongs to."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (SshKey) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("user_id", "fingerprint").Unique(),
		index.Fields("fingerprint"),
		index.Fields("name"),
	}
}
