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

// ScheduledTask is something that is done to a server at set times.
type ScheduledTask struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (ScheduledTask) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixTask}} }

// Annotations describes the entity and lists it.
func (ScheduledTask) Annotations() []schema.Annotation {
	return append(connected("tasks", "The scheduled tasks that the viewer may see."),
		entgql.Type("Task"),
		announced("task"), schema.Comment("Something that is done to a server at set times."))
}

// Fields returns the columns.
func (ScheduledTask) Fields() []ent.Field {
	return []ent.Field{
		field.String("server_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the server."),
		field.String("author_id").Optional().Nillable().Annotations(key()).
			Comment("Identifier of the account in whose name it runs."),
		field.String("name").NotEmpty().MaxLen(128).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the task."),
		field.String("schedule").NotEmpty().MaxLen(255).
			Comment("When it runs, as a cron expression of five fields."),
		field.String("time_zone").Default("UTC").MaxLen(64).
			Comment("Time zone of the schedule, as an IANA name."),
		field.JSON("steps", []kind.TaskStep{}).Default([]kind.TaskStep{}).
			Annotations(entgql.Type("[TaskStep!]")).
			Comment("What is done, in order."),
		field.Bool("only_when_online").Default(false).
			Comment("Whether a run is skipped while the server does not run."),
		field.Bool("enabled").Default(true).Annotations(filterable()).
			Comment("Whether it runs at its times."),
		field.String("disabled_reason").Optional().Nillable().MaxLen(1024).
			Comment("Why Catalyst disabled it, if it did."),
		field.Time("last_run_at").Optional().Nillable().
			Comment("When it last ran."),
		field.Time("next_run_at").Optional().Nillable().
			Comment("When it runs next."),
		field.Int64("run_count").Default(0).NonNegative().
			Comment("How often it ran."),
		field.Enum("last_status").GoType(kind.TaskRunState("")).Optional().Nillable().
			Annotations(entgql.Type("TaskRunState"), filterable()).
			Comment("How its last run ended."),
	}
}

// Edges returns the relations.
func (ScheduledTask) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("server", Server.Type).Ref("tasks").Field("server_id").Unique().Required().Immutable().
			Comment("Server that it acts on."),
		edge.From("author", User.Type).Ref("tasks").Field("author_id").Unique().
			Comment("Account in whose name it runs."),
		edge.To("runs", TaskRun.Type).Annotations(entgql.RelayConnection(), cascade()).
			Comment("Its runs."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (ScheduledTask) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("server_id"),
		index.Fields("author_id"),
		index.Fields("name"),
		index.Fields("enabled", "next_run_at"),
	}
}
