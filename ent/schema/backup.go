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

// Backup is a copy of a server's files.
type Backup struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Backup) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixBackup}} }

// Annotations describes the entity and lists it.
func (Backup) Annotations() []schema.Annotation {
	return append(connected("backups", "The backups that the viewer may see."),
		announced("backup"), schema.Comment("A copy of a server's files at one moment."))
}

// Fields returns the columns.
func (Backup) Fields() []ent.Field {
	return []ent.Field{
		field.String("server_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the server."),
		field.String("storage_id").Optional().Nillable().Annotations(key(), filterable()).
			Comment("Identifier of the storage."),
		field.String("created_by_id").Optional().Nillable().Annotations(key()).
			Comment("Identifier of the account that asked for it."),
		field.String("task_run_id").Optional().Nillable().Annotations(key()).
			Comment("Identifier of the task's run that made it."),
		field.String("name").NotEmpty().MaxLen(128).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the backup."),
		field.Enum("state").GoType(kind.BackupState("")).Default(string(kind.BackupStatePending)).
			Annotations(entgql.Type("BackupState"), filterable()).
			Comment("How far the backup is."),
		field.Float("progress").Default(0).Min(0).Max(1).
			Comment("Part of the work that is done, 0 to 1."),
		field.String("message").Optional().Nillable().MaxLen(1024).
			Comment("What is being done."),
		field.Int64("size").Optional().Nillable().NonNegative().Annotations(bytes()).
			Comment("Size of the archive, once it is known."),
		field.String("checksum").Optional().Nillable().MaxLen(128).
			Comment("SHA-256 of the archive, in hexadecimal."),
		field.String("path").Optional().Nillable().MaxLen(1024).
			Comment("Where the archive lies in its storage."),
		field.Enum("compression").GoType(kind.BackupCompression("")).Default(string(kind.BackupCompressionZstd)).
			Annotations(entgql.Type("BackupCompression")).
			Comment("How the archive is compressed."),
		field.Strings("ignore_patterns").Default([]string{}).
			Comment("Patterns of files that were left out."),
		field.Bool("locked").Default(false).Annotations(filterable()).
			Comment("Whether the backup is protected against deletion and retention."),
		field.Text("error").Optional().Nillable().MaxLen(4096).
			Comment("Why the backup failed, if it did."),
		field.Time("completed_at").Optional().Nillable().
			Comment("When the backup was complete and verified."),
		field.Int64("files").Optional().Nillable().NonNegative().
			Comment("Number of files, directories and links in the archive, once it is known."),
		field.Bool("cancelling").Default(false).Annotations(hidden()).
			Comment("Whether somebody has cancelled it and the node has not confirmed that."),
		field.String("upload_id").Optional().Nillable().MaxLen(1024).Annotations(hidden()).
			Comment("What the storage calls the upload of the archive, until that is complete."),
		field.Time("deleted_at").Optional().Nillable().Annotations(hidden()).
			Comment("When the backup was deleted, while its archive is not removed yet."),
	}
}

// Edges returns the relations.
func (Backup) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("server", Server.Type).Ref("backups").Field("server_id").Unique().Required().Immutable().
			Comment("Server that was backed up."),
		edge.From("storage", BackupStorage.Type).Ref("backups").Field("storage_id").Unique().
			Comment("Where the archive is kept; the node's own disk when null."),
		edge.To("created_by", User.Type).Field("created_by_id").Unique().Annotations(setNull()).
			Comment("Account that asked for it."),
		edge.To("task_run", TaskRun.Type).Field("task_run_id").Unique().Annotations(setNull()).
			Comment("Run of a task that made it."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (Backup) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("server_id", "state"),
		index.Fields("storage_id"),
		index.Fields("created_by_id"),
		index.Fields("task_run_id"),
		index.Fields("name"),
		index.Fields("state"),
		index.Fields("deleted_at"),
	}
}
