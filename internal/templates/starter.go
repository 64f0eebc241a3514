package templates

import (
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
)

// starters are what a new database has beside Demo.
func starters() []document.Template { return []document.Template{program(), freeciv(), teeworlds()} }

// program runs whatever lies among the server's files. Its install script, which writes an example, is also what keeps it
// to nodes with containers: a program that people bring along must not run beside the agent.
func program() document.Template {
	const debian = "docker.io/library/debian:stable-slim"
	t := document.New()
	t.Slug, t.Name, t.Author = "linux-program", "Linux program", "Catalyst"
	t.Description = "Any console program for Linux, in a container: upload it among the server's files and name it in PROGRAM."
	t.Images = []kind.TemplateImage{{Label: "Debian", Image: debian}, {Label: "Ubuntu", Image: "docker.io/library/ubuntu:latest"}}
	t.DefaultImage = debian
	t.Startup.Shell = `chmod u+x "./{{PROGRAM}}"; exec "./{{PROGRAM}}" {{ARGUMENTS}}`
	t.Variables = []kind.TemplateVariable{
		{
			Name: "Program", Key: "PROGRAM", Type: kind.VariableTypeString, Default: "start.sh", Rules: []string{"required", "max:255"},
			UserViewable: true, UserEditable: true, Description: "Path of the program among the server's files.",
		},
		{
			Name: "Arguments", Key: "ARGUMENTS", Type: kind.VariableTypeString, Rules: []string{"nullable", "max:4096"},
			UserViewable: true, UserEditable: true, Description: "Arguments of the program, with spaces between them.",
		},
	}
	t.Install = &document.Install{
		Image: debian, Entrypoint: "sh", Timeout: document.DefaultInstallTimeout,
		Script: `cd /mnt/server
[ -e start.sh ] || printf '#!/bin/sh\necho "Put your program beside this file, and its name into PROGRAM."\nexec cat\n' > start.sh
`,
	}
	t.Stop.Signal = document.DefaultSignal
	t.Limits = document.Limits{Memory: 512 << 20, CPU: 100, Disk: 2 << 30}
	return t
}

// freeciv is the game from Debian's package freeciv-server.
func freeciv() document.Template {
	t := document.New()
	t.Slug, t.Name, t.Author = "freeciv", "Freeciv", "Catalyst"
	t.Description = "Freeciv's server from Debian's package freeciv-server: installed on a node without containers, or in an image of yours."
	t.Startup.Argv = []string{"freeciv-server", "--port", "{{SERVER_PORT}}", "--Announce", "none", "--saves", "."}
	t.Ready = document.Ready{Patterns: []string{`Now accepting new client connections`}, Timeout: 60}
	t.Stop = document.Stop{Command: "quit", Grace: new(20)}
	t.Backup = kind.BackupHooks{Before: []string{"save"}}
	t.Ports = 1
	t.Limits = document.Limits{Memory: 512 << 20, CPU: 100, Disk: 1 << 30}
	t.Minimum = kind.TemplateLimits{Memory: 64 << 20}
	return t
}

// teeworlds is the game from Debian's package teeworlds-server. Its console takes a semicolon for the end of a command and
// a quote for that of a value, so that its texts may not have them.
func teeworlds() document.Template {
	t := document.New()
	t.Slug, t.Name, t.Author = "teeworlds", "Teeworlds", "Catalyst"
	t.Description = "Teeworlds' server from Debian's package teeworlds-server: installed on a node without containers, or in an image of yours."
	t.Startup.Argv = []string{
		"teeworlds-server", `sv_name "{{SERVER_NAME}}"`, `sv_motd "{{MOTD}}"`, `password "{{PASSWORD}}"`, "sv_port {{SERVER_PORT}}",
		"sv_max_clients {{MAX_PLAYERS}}", "sv_register {{REGISTER}}",
	}
	plain := []string{"nullable", "max:120", `regex:/^[^";\\\r\n]*$/`}
	variable := func(key, name, value, description string, of kind.VariableType, rules ...string) kind.TemplateVariable {
		return kind.TemplateVariable{
			Name: name, Key: key, Type: of, Default: value, Rules: rules, Description: description, UserViewable: true, UserEditable: true,
		}
	}
	password := variable("PASSWORD", "Password", "", "What players need to join; empty for nothing.", kind.VariableTypeString, plain...)
	password.Secret = true
	t.Variables = []kind.TemplateVariable{
		variable("SERVER_NAME", "Name", "A Catalyst server", "What players see in the list of servers.", kind.VariableTypeString, plain...),
		variable("MOTD", "Message", "", "What players read when they join.", kind.VariableTypeString, plain...),
		password,
		variable("MAX_PLAYERS", "Players", "16", "How many may play at once.", kind.VariableTypeInteger, "required", "between:1,64"),
		variable("REGISTER", "Public", "0", "Whether the server is in the public list: 1 or 0.", kind.VariableTypeBoolean, "required"),
	}
	t.Ready = document.Ready{Patterns: []string{`server name is`}, Timeout: 60}
	t.Stop = document.Stop{Signal: "SIGINT", Grace: new(10)}
	t.Ports = 1
	t.Limits = document.Limits{Memory: 256 << 20, CPU: 100, Disk: 256 << 20}
	t.Minimum = kind.TemplateLimits{Memory: 32 << 20}
	return t
}
