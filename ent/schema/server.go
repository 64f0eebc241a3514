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

// Server is one long-running program on a node.
type Server struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Server) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixServer}} }

// Annotations describes the entity and lists it.
func (Server) Annotations() []schema.Annotation {
	return append(connected("servers", "The servers that the viewer may see."),
		announced("server"), schema.Comment("A game server, or any other long-running console program, on a node."))
}

// Fields returns the columns.
func (Server) Fields() []ent.Field {
	fields := []ent.Field{
		field.String("name").NotEmpty().MaxLen(128).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the server. Need not be unique."),
		field.Text("description").Default("").MaxLen(4096).
			Comment("What its owner wrote about it."),
		field.String("owner_id").Annotations(key(), filterable()).
			Comment("Identifier of the owner."),
		field.String("node_id").Annotations(key(), filterable()).
			Comment("Identifier of the node."),
		field.String("template_id").Annotations(key(), filterable()).
			Comment("Identifier of the template."),
		field.Int("template_revision").Default(1).Positive().
			Comment("Revision of the template that the server runs by."),
		field.String("startup_command").Default("").MaxLen(128).
			Comment("Name of the template's command that starts the server; empty for the usual one."),
	}
	fields = append(fields, serverShape()...)
	fields = append(fields, serverDesired()...)
	return append(fields, serverObserved()...)
}

// serverShape returns the columns that say how the server runs.
func serverShape() []ent.Field {
	return []ent.Field{
		field.String("image").Default("").MaxLen(512).
			Comment("Image that the server runs in; empty for a program of the node itself."),
		field.Int64("memory").Default(0).NonNegative().Annotations(bytes()).
			Comment("Memory the server may use; 0 is unlimited."),
		field.Int("cpu").Default(0).NonNegative().
			Comment("CPU the server may use, in percent of one core; 0 is unlimited."),
		field.Int64("disk").Default(0).NonNegative().Annotations(bytes()).
			Comment("Disk the server may use; 0 is unlimited."),
		field.Int64("swap").Default(0).NonNegative().Annotations(bytes()).
			Comment("Swap the server may use."),
		field.JSON("environment", map[string]string{}).Default(map[string]string{}).
			Annotations(hidden()).Sensitive().
			Comment("Values of the template's variables. May hold secrets."),
		field.Enum("network_mode").GoType(kind.NetworkMode("")).Default(string(kind.NetworkModeBridge)).
			Annotations(entgql.Type("NetworkMode")).
			Comment("How the server reaches the network."),
		field.String("network").Optional().Nillable().MaxLen(128).
			Comment("Name of the node's network, with the network mode CUSTOM."),
		field.Enum("crash_policy").GoType(kind.CrashPolicy("")).Default(string(kind.CrashPolicyOnFailure)).
			Annotations(entgql.Type("CrashPolicy")).
			Comment("What happens after a crash."),
		field.Int("crash_max_restarts").Default(3).NonNegative().
			Comment("Restarts after crashes that are allowed within the window."),
		field.Int("crash_window").Default(600).Positive().
			Comment("Length of the window in which restarts are counted, in seconds."),
		field.Int("console_rate_lines").Optional().Nillable().Positive().
			Comment("Console lines a second that are kept; the node's default when null."),
		field.Int64("console_rate_bytes").Optional().Nillable().Positive().Annotations(bytes()).
			Comment("Console bytes a second that are kept; the node's default when null."),
		field.Int("backup_limit").Optional().Nillable().NonNegative().
			Comment("Number of backups that the server may have; no limit when null."),
		field.Int64("backup_bytes_limit").Optional().Nillable().NonNegative().Annotations(bytes()).
			Comment("Size that all backups may have together; no limit when null."),
		field.Int("backup_keep").Optional().Nillable().Positive().
			Comment("Number of backups that are kept: after a new one, the oldest that are not locked go. All when null."),
		field.Int("backup_keep_days").Optional().Nillable().Positive().
			Comment("Days for which backups are kept: after a new one, older ones that are not locked go. For ever when null."),
	}
}

// serverDesired returns the columns that say what the panel wants of the server.
func serverDesired() []ent.Field {
	return []ent.Field{
		field.Bool("suspended").Default(false).
			Annotations(filterable()).
			Comment("Whether an administrator has barred the server from running."),
		field.Enum("power").GoType(kind.Power("")).Default(string(kind.PowerStop)).
			Annotations(hidden()).
			Comment("Whether the server should run."),
		field.Int64("generation").Default(1).NonNegative().Annotations(hidden()).
			Comment("Counts the changes of what is wanted: the node's reports name the one they acted on."),
		field.Int64("run").Default(0).NonNegative().Annotations(hidden()).
			Comment("Counts the starts that were asked for: a restart asks for the next one."),
		field.Int64("install").Default(0).NonNegative().Annotations(hidden()).
			Comment("Counts the installations that were asked for."),
		field.Int64("install_seq").Default(0).NonNegative().Annotations(hidden()).
			Comment("Last console line before the last installation that was asked for."),
		field.Int64("restore").Default(0).NonNegative().Annotations(hidden()).
			Comment("Counts the restorations that were asked for."),
		field.String("restore_backup_id").Optional().Nillable().Annotations(hidden()).
			Comment("Backup that the last restoration is from."),
		field.Bool("restore_truncate").Default(false).Annotations(hidden()).
			Comment("Whether the last restoration removes files that the backup does not have."),
		field.Strings("restore_paths").Optional().Annotations(hidden()).
			Comment("Paths that the last restoration restores; everything when empty."),
		field.Bool("pending_restart").Default(false).
			Comment("Whether something was changed that the next start will apply."),
		field.Time("deleted_at").Optional().Nillable().Annotations(hidden()).
			Comment("When the server was deleted, while its node has not removed it yet."),
		field.Bool("keep_files").Default(false).Annotations(hidden()).
			Comment("Whether the node keeps the files of the deleted server."),
	}
}

// serverObserved returns the columns that say what the node reported.
func serverObserved() []ent.Field {
	return []ent.Field{
		field.Enum("state").GoType(kind.ServerState("")).Default(string(kind.ServerStateStopped)).
			Annotations(entgql.Type("ServerState"), entgql.OrderField("STATE"), filterable()).
			Comment("What the server is doing."),
		field.Text("state_reason").Default("").MaxLen(4096).
			Comment("Why the server is in its state; empty when there is nothing to say."),
		field.Time("state_changed_at").Default(now).
			Comment("Since when the server is in its state."),
		field.Int64("observed_generation").Default(0).NonNegative().Annotations(hidden()).
			Comment("Generation that the node's last report acted on."),
		field.Int("exit_code").Optional().Nillable().
			Comment("Code that the program last ended with."),
		field.Bool("oom_killed").Default(false).
			Comment("Whether the program last ended for want of memory."),
		field.Int("crash_count").Default(0).NonNegative().
			Comment("Crashes since the counter was last reset."),
		field.Strings("last_lines").Default([]string{}).
			Comment("Last console lines before the program last ended."),
		field.Time("installed_at").Optional().Nillable().
			Comment("When the server was last installed."),
		field.Int64("crash_resets").Default(0).NonNegative().Annotations(hidden()).
			Comment("How often the crashes were forgotten by order."),
		field.Int64("console_seq").Default(0).NonNegative().Annotations(hidden()).
			Comment("Last console line that was stored."),
		field.Int64("console_bytes").Default(0).NonNegative().Annotations(hidden()).
			Comment("Bytes of text of all console lines that were ever stored."),
	}
}

// Edges returns the relations.
func (Server) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("owner", User.Type).Ref("servers").Field("owner_id").Unique().Required().
			Comment("Account that owns the server; null when the viewer may not see it."),
		edge.From("node", Node.Type).Ref("servers").Field("node_id").Unique().Required().
			Comment("Node that the server lives on; null when the viewer may not see it."),
		edge.From("template", Template.Type).Ref("servers").Field("template_id").Unique().Required().
			Comment("Template that the server was made from; null when the viewer may not see it."),
		edge.To("allocations", Allocation.Type).
			Annotations(entgql.RelayConnection(), setNull()).
			Comment("Addresses and ports that the server uses."),
		edge.To("accesses", ServerAccess.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Accounts that were let into the server."),
		edge.To("invites", Invite.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Invitations that wait to be accepted."),
		edge.To("backups", Backup.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Backups of the server."),
		edge.To("tasks", ScheduledTask.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Scheduled tasks of the server."),
		edge.To("transfers", Transfer.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Moves of the server between nodes."),
		edge.To("alerts", Alert.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Alerts about the server."),
	}
}

// Indexes returns the indexes of foreign keys, orders and filters.
func (Server) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("owner_id"),
		index.Fields("node_id"),
		index.Fields("template_id"),
		index.Fields("name"),
		index.Fields("state"),
		index.Fields("deleted_at"),
	}
}
