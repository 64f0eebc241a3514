package templates

import (
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
)

// Document returns a stored template in the form in which templates are exchanged.
func Document(row *ent.Template) document.Template {
	t := document.Template{
		Format: document.Format, Name: row.Name, Description: row.Description, Author: row.Author,
		Images: row.Images, DefaultImage: row.DefaultImage,
		Startup:     document.Startup{Shell: row.Startup, Argv: row.StartupArgv},
		Variables:   row.Variables,
		Ready:       document.Ready{Patterns: row.ReadyPatterns, Timeout: row.StartTimeout},
		Stop:        document.Stop{Command: row.StopCommand, Signal: row.StopSignal, Grace: &row.StopGrace},
		CrashPolicy: row.CrashPolicy, DeniedFiles: row.DeniedFiles, Features: row.Features,
		Ports: row.PortsWanted, Terminal: row.Tty,
		Limits: document.Limits{Memory: row.Memory, Swap: row.Swap, CPU: row.CPU, Disk: row.Disk},
	}
	if row.Slug != nil {
		t.Slug = *row.Slug
	}
	if row.InstallScript != "" {
		t.Install = &document.Install{
			Image: row.InstallImage, Entrypoint: row.InstallEntrypoint, Script: row.InstallScript, Timeout: row.InstallTimeout,
		}
	}
	return t
}

// store writes a template into a row.
func store(m *ent.TemplateMutation, t document.Template) {
	m.SetName(t.Name)
	m.SetDescription(t.Description)
	m.SetAuthor(t.Author)
	m.SetImages(list(t.Images))
	m.SetDefaultImage(t.DefaultImage)
	m.SetStartup(t.Startup.Shell)
	m.SetStartupArgv(list(t.Startup.Argv))
	m.SetVariables(list(t.Variables))
	m.SetReadyPatterns(list(t.Ready.Patterns))
	m.SetStartTimeout(t.Ready.Timeout)
	m.SetStopCommand(t.Stop.Command)
	m.SetStopSignal(t.Stop.Signal)
	m.SetStopGrace(*t.Stop.Grace)
	m.SetCrashPolicy(t.CrashPolicy)
	m.SetDeniedFiles(list(t.DeniedFiles))
	m.SetFeatures(list(t.Features))
	m.SetPortsWanted(t.Ports)
	m.SetTty(t.Terminal)
	m.SetMemory(t.Limits.Memory)
	m.SetSwap(t.Limits.Swap)
	m.SetCPU(t.Limits.CPU)
	m.SetDisk(t.Limits.Disk)
	install := document.Install{Timeout: document.DefaultInstallTimeout}
	if t.Install != nil {
		install = *t.Install
	}
	m.SetInstallImage(install.Image)
	m.SetInstallEntrypoint(install.Entrypoint)
	m.SetInstallScript(install.Script)
	m.SetInstallTimeout(install.Timeout)
}

// list is stored as an empty one where there is none.
func list[T any](of []T) []T {
	if of == nil {
		return []T{}
	}
	return of
}
