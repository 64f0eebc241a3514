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

// Template says how a kind of server is installed, started and stopped.
type Template struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (Template) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixTemplate}} }

// Annotations describes the entity and lists it.
func (Template) Annotations() []schema.Annotation {
	return append(connected("templates", "The templates that the viewer may see."),
		announced("template"), schema.Comment("How a kind of server is installed, started, recognised as ready and stopped."))
}

// Fields returns the columns.
func (Template) Fields() []ent.Field {
	fields := []ent.Field{
		field.String("name").NotEmpty().MaxLen(128).
			Annotations(entgql.OrderField("NAME"), filterable()).
			Comment("Name of the template. Need not be unique."),
		field.String("slug").Optional().Nillable().MaxLen(128).
			Annotations(filterable()).
			Comment("Short name by which exchanged templates are recognised."),
		field.Text("description").Default("").MaxLen(8192).
			Comment("What the template runs."),
		field.String("author").Default("").MaxLen(255).
			Comment("Who wrote the template."),
		field.Strings("tags").Default([]string{}).Annotations(added()).
			Comment("Words by which people find the template."),
		field.Int("revision").Default(1).Positive().
			Comment("Counts the changes that matter to servers; theirs say which one they run by."),
		field.Bool("builtin").Default(false).
			Annotations(filterable()).
			Comment("Whether the template came with Catalyst."),
		field.JSON("images", []kind.TemplateImage{}).Default([]kind.TemplateImage{}).
			Annotations(entgql.Type("[TemplateImage!]")).
			Comment("Images that servers of the template may run in."),
		field.String("default_image").Default("").MaxLen(512).
			Comment("Image of servers that name none; empty for a program of the node itself."),
		field.Strings("architectures").Default([]string{}).Annotations(added()).
			Comment("Machines that the program runs on, such as amd64; any when empty."),
		field.Text("startup").Default("").MaxLen(32768).
			Comment("Shell line that starts the server, with {{KEY}} placeholders; used when startupArgv is empty."),
		field.Strings("startup_argv").Default([]string{}).
			Comment("Program and arguments that start the server, with {{KEY}} placeholders."),
		field.JSON("startup_commands", []kind.TemplateCommand{}).Default([]kind.TemplateCommand{}).
			Annotations(added(), entgql.Type("[TemplateCommand!]")).
			Comment("Other ways to start the server, which people can choose."),
		field.Bool("image_entrypoint").Default(false).
			Comment("Whether the image's own entrypoint runs the startup, which it finds in STARTUP, as images made for Pterodactyl and Pelican expect."),
		field.JSON("variables", []kind.TemplateVariable{}).Default([]kind.TemplateVariable{}).
			Annotations(entgql.Type("[TemplateVariable!]")).
			Comment("Variables of the server's environment."),
	}
	fields = append(fields, templateInstall()...)
	fields = append(fields, templateLife()...)
	return append(fields, templateDefaults()...)
}

// templateInstall returns the columns about installing.
func templateInstall() []ent.Field {
	return []ent.Field{
		field.String("install_image").Default("").MaxLen(512).
			Comment("Image that the install script runs in."),
		field.Text("install_script").Default("").MaxLen(262144).
			Comment("Script that installs the server; empty when there is nothing to install."),
		field.String("install_entrypoint").Default("").MaxLen(255).
			Comment("Program that runs the script; empty for sh."),
		field.Int("install_timeout").Default(1800).Positive().
			Comment("Seconds that the installation may take."),
		field.Bool("install_clear").Default(false).
			Comment("Whether installing again begins by removing the files that installKeep does not name."),
		field.Strings("install_keep").Default([]string{}).
			Comment("Patterns of the files that installing again keeps."),
	}
}

// templateLife returns the columns about starting, readiness and stopping.
func templateLife() []ent.Field {
	return []ent.Field{
		field.String("stop_command").Default("").MaxLen(1024).
			Comment("Command that is written to the console to stop the server."),
		field.String("stop_signal").Default("SIGTERM").MaxLen(16).
			Comment("Signal that stops the server when there is no stop command."),
		field.Int("stop_grace").Default(30).NonNegative().
			Comment("Seconds that the server has to stop before it is forced to."),
		field.Strings("ready_patterns").Default([]string{}).
			Comment("Regular expressions (RE2), one of which the console matches when the server is ready."),
		field.Int("start_timeout").Default(300).Positive().
			Comment("Seconds that the server has to become ready."),
		field.Enum("crash_policy").GoType(kind.CrashPolicy("")).Default(string(kind.CrashPolicyOnFailure)).
			Annotations(entgql.Type("CrashPolicy")).
			Comment("What happens after a crash, unless the server says otherwise."),
		field.Bool("tty").Default(false).
			Comment("Whether the program needs a terminal."),
	}
}

// templateDefaults returns the columns that new servers take their values from.
func templateDefaults() []ent.Field {
	return []ent.Field{
		field.Int64("memory").Default(0).NonNegative().Annotations(bytes()).
			Comment("Memory of a new server; 0 is unlimited."),
		field.Int("cpu").Default(0).NonNegative().
			Comment("CPU of a new server in percent of one core; 0 is unlimited."),
		field.Int64("disk").Default(0).NonNegative().Annotations(bytes()).
			Comment("Disk of a new server; 0 is unlimited."),
		field.Int64("swap").Default(0).NonNegative().Annotations(bytes()).
			Comment("Swap of a new server."),
		field.Int("ports_wanted").Default(0).Range(0, 64).
			Comment("Number of allocations that a new server is given."),
		field.Int64("minimum_memory").Default(0).NonNegative().Annotations(bytes()).
			Comment("Memory that the program cannot do without; 0 says nothing."),
		field.Int("minimum_cpu").Default(0).NonNegative().
			Comment("CPU that the program cannot do without, in percent of one core; 0 says nothing."),
		field.Int64("minimum_disk").Default(0).NonNegative().Annotations(bytes()).
			Comment("Disk that the program cannot do without; 0 says nothing."),
		field.JSON("config_files", []kind.ConfigFile{}).Optional().
			Annotations(entgql.Type("[TemplateConfigFile!]")).
			Comment("Configuration files that are rewritten before each start."),
		field.Strings("backup_before").Default([]string{}).Annotations(added()).
			Comment("Lines that are sent to a running server's console before a backup reads its files."),
		field.Strings("backup_after").Default([]string{}).Annotations(added()).
			Comment("Lines that are sent when it has."),
		field.Strings("denied_files").Default([]string{}).
			Comment("Patterns of files that users may not touch."),
		field.Strings("features").Default([]string{}).
			Comment("Features that a user interface may offer for such servers."),
	}
}

// Edges returns the relations.
func (Template) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("servers", Server.Type).
			Annotations(entgql.RelayConnection(), restrict()).
			Comment("Servers made from the template."),
	}
}

// Indexes returns the indexes of orders and filters.
func (Template) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("name"),
		index.Fields("slug").Unique(),
	}
}
