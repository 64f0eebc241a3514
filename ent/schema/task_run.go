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

// TaskRun is one run of a scheduled task.
type TaskRun struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (TaskRun) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixTaskRun}} }

// Annotations describes the entity and lists it.
func (TaskRun) Annotations() []schema.Annotation {
	return append(connected("taskRuns", "The runs of tasks that the viewer may see."),
		announced("taskRun"), schema.Comment("One run of a scheduled task."))
}

// Fields returns the columns.
func (TaskRun) Fields() []ent.Field {
	return []ent.Field{
		field.String("task_id").Immutable().Annotations(key(), filterable()).
			Comment("Identifier of the task."),
		field.Time("scheduled_at").Immutable().
			Annotations(entgql.OrderField("SCHEDULED_AT"), filterable()).
			Comment("When it was due."),
		field.Time("started_at").Default(now).
			Comment("When it began."),
		field.Time("finished_at").Optional().Nillable().
			Comment("When it ended."),
		field.Enum("state").GoType(kind.TaskRunState("")).Default(string(kind.TaskRunStateRunning)).
			Annotations(entgql.Type("TaskRunState"), filterable()).
			Comment("How far it is."),
		field.JSON("log", []kind.TaskStepResult{}).Default([]kind.TaskStepResult{}).
			Annotations(entgql.Type("[TaskStepResult!]")).
			Comment("How its steps ended."),
		field.Bool("manual").Default(false).Annotations(filterable()).
			Comment("Whether somebody started it by hand."),
		field.Time("lease_until").Default(now).Annotations(hidden()).
			Comment("Until when the instance that runs it answers for it."),
	}
}

// Edges returns the relations.
func (TaskRun) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("task", ScheduledTask.Type).Ref("runs").Field("task_id").Unique().Required().Immutable().
			Comment("Task that ran."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (TaskRun) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("task_id", "scheduled_at").Unique(),
		index.Fields("scheduled_at"),
		index.Fields("state", "lease_until"),
	}
}
