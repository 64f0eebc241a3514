package templates

import (
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
)

// Document returns a stored template in the form in which templates are exchanged.
func Document(row *ent.Template) document.Template {
	t := document.Template{
		Format: document.Format, Name: row.Name, Description: row.Description, Author: row.Author, Tags: row.Tags,
		Images: row.Images, DefaultImage: row.DefaultImage, Architectures: row.Architectures,
		Startup: document.Startup{
			Shell: row.Startup, Argv: row.StartupArgv, Commands: row.StartupCommands, ImageEntrypoint: row.ImageEntrypoint,
		},
		Variables:   row.Variables,
		Ready:       document.Ready{Patterns: row.ReadyPatterns, Timeout: row.StartTimeout},
		Stop:        document.Stop{Command: row.StopCommand, Signal: row.StopSignal, Grace: &row.StopGrace},
		CrashPolicy: row.CrashPolicy, ConfigFiles: row.ConfigFiles, DeniedFiles: row.DeniedFiles, Features: row.Features,
		Ports: row.PortsWanted, Terminal: row.Tty,
		Limits:  document.Limits{Memory: row.Memory, Swap: row.Swap, CPU: row.CPU, Disk: row.Disk},
		Minimum: kind.TemplateLimits{Memory: row.MinimumMemory, CPU: row.MinimumCPU, Disk: row.MinimumDisk},
		Backup:  kind.BackupHooks{Before: row.BackupBefore, After: row.BackupAfter},
	}
	if row.Slug != nil {
		t.Slug = *row.Slug
	}
	if row.InstallScript != "" {
		t.Install = &document.Install{
			Image: row.InstallImage, Entrypoint: row.InstallEntrypoint, Script: row.InstallScript, Timeout: row.InstallTimeout,
			Clear: row.InstallClear, Keep: row.InstallKeep,
		}
	}
	return t
}

// store writes a template into a row.
func store(m *ent.TemplateMutation, t document.Template) {
	m.SetName(t.Name)
	if t.Slug != "" {
		m.SetSlug(t.Slug)
	} else {
		m.ClearSlug()
	}
	m.SetDescription(t.Description)
	m.SetAuthor(t.Author)
	m.SetTags(list(t.Tags))
	m.SetImages(list(t.Images))
	m.SetDefaultImage(t.DefaultImage)
	m.SetArchitectures(list(t.Architectures))
	m.SetStartup(t.Startup.Shell)
	m.SetStartupArgv(list(t.Startup.Argv))
	m.SetStartupCommands(list(t.Startup.Commands))
	m.SetImageEntrypoint(t.Startup.ImageEntrypoint)
	m.SetVariables(list(t.Variables))
	m.SetReadyPatterns(list(t.Ready.Patterns))
	m.SetStartTimeout(t.Ready.Timeout)
	m.SetStopCommand(t.Stop.Command)
	m.SetStopSignal(t.Stop.Signal)
	m.SetStopGrace(*t.Stop.Grace)
	m.SetCrashPolicy(t.CrashPolicy)
	m.SetConfigFiles(list(t.ConfigFiles))
	m.SetDeniedFiles(list(t.DeniedFiles))
	m.SetFeatures(list(t.Features))
	m.SetPortsWanted(t.Ports)
	m.SetTty(t.Terminal)
	m.SetMemory(t.Limits.Memory)
	m.SetSwap(t.Limits.Swap)
	m.SetCPU(t.Limits.CPU)
	m.SetDisk(t.Limits.Disk)
	m.SetMinimumMemory(t.Minimum.Memory)
	m.SetMinimumCPU(t.Minimum.CPU)
	m.SetMinimumDisk(t.Minimum.Disk)
	m.SetBackupBefore(list(t.Backup.Before))
	m.SetBackupAfter(list(t.Backup.After))
	install := document.Install{Timeout: document.DefaultInstallTimeout}
	if t.Install != nil {
		install = *t.Install
	}
	m.SetInstallImage(install.Image)
	m.SetInstallEntrypoint(install.Entrypoint)
	m.SetInstallScript(install.Script)
	m.SetInstallTimeout(install.Timeout)
	m.SetInstallClear(install.Clear)
	m.SetInstallKeep(list(install.Keep))
}

// list is stored as an empty one where there is none.
func list[T any](of []T) []T {
	if of == nil {
		return []T{}
	}
	return of
}
