package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// BackupStorage is a place where backups are kept.
type BackupStorage struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (BackupStorage) Mixin() []ent.Mixin {
	return []ent.Mixin{Entity{Prefix: kind.PrefixBackupStorage}}
}

// Annotations describes the entity and lists it.
func (BackupStorage) Annotations() []schema.Annotation {
	return append(connected("backupStorages", "The backup storages that the viewer may see."),
		schema.Comment("A place where backups are kept."))
}

// Fields returns the columns.
func (BackupStorage) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").Unique().NotEmpty().MaxLen(64).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the storage. Unique."),
		field.Enum("type").GoType(kind.StorageType("")).Immutable().
			Annotations(entgql.Type("StorageType"), filterable()).
			Comment("Kind of the storage."),
		field.JSON("config", map[string]string{}).Default(map[string]string{}).
			Annotations(hidden()).
			Comment("Settings of the storage, such as endpoint and bucket, without secrets."),
		field.Bytes("credentials").Optional().Nillable().Sensitive().Annotations(hidden()).
			Comment("Encrypted credentials of the storage."),
		field.Bool("is_default").Default(false).
			Comment("Whether backups that name no storage go there."),
	}
}

// Edges returns the relations.
func (BackupStorage) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("backups", Backup.Type).Annotations(hidden(), restrict()).
			Comment("Backups that are kept there."),
	}
}
