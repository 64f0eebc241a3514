package templates

import (
	"errors"
	"slices"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
)

// Fields are the parts of a template that people write. In an update nil leaves a part as it is.
type Fields struct {
	Name, Description, Author   *string
	Images                      []kind.TemplateImage
	DefaultImage                *string
	Startup                     *string
	StartupArgv                 []string
	Variables                   []kind.TemplateVariable
	StopCommand, StopSignal     *string
	StopGrace, StartTimeout     *int
	ReadyPatterns               []string
	CrashPolicy                 *kind.CrashPolicy
	Memory, Disk, Swap          *int64
	CPU, PortsWanted            *int
	InstallImage, InstallScript *string
	InstallEntrypoint           *string
	InstallTimeout              *int
	InstallClear                *bool
	InstallKeep                 []string
	TTY                         *bool
	DeniedFiles, FeatureHints   []string

	Slug                       *string
	Tags, Architectures        []string
	StartupCommands            []kind.TemplateCommand
	ImageEntrypoint            *bool
	ConfigFiles                []kind.ConfigFile
	MinimumMemory, MinimumDisk *int64
	MinimumCPU                 *int
	BackupBefore, BackupAfter  []string
}

// onto changes the parts of a template that are given.
func (f Fields) onto(t *document.Template) {
	set(&t.Name, f.Name)
	t.Name = strings.TrimSpace(t.Name)
	set(&t.Description, f.Description)
	set(&t.Author, f.Author)
	set(&t.DefaultImage, f.DefaultImage)
	set(&t.Startup.Shell, f.Startup)
	set(&t.Stop.Command, f.StopCommand)
	set(&t.Stop.Signal, f.StopSignal)
	set(&t.Ready.Timeout, f.StartTimeout)
	set(&t.CrashPolicy, f.CrashPolicy)
	set(&t.Limits.Memory, f.Memory)
	set(&t.Limits.Disk, f.Disk)
	set(&t.Limits.Swap, f.Swap)
	set(&t.Limits.CPU, f.CPU)
	set(&t.Ports, f.PortsWanted)
	set(&t.Terminal, f.TTY)
	if f.StopGrace != nil {
		t.Stop.Grace = f.StopGrace
	}
	setList(&t.Images, f.Images)
	setList(&t.Startup.Argv, f.StartupArgv)
	setList(&t.Variables, f.Variables)
	setList(&t.Ready.Patterns, f.ReadyPatterns)
	setList(&t.DeniedFiles, f.DeniedFiles)
	setList(&t.Features, f.FeatureHints)
	set(&t.Slug, f.Slug)
	setList(&t.Tags, f.Tags)
	setList(&t.Architectures, f.Architectures)
	setList(&t.Startup.Commands, f.StartupCommands)
	set(&t.Startup.ImageEntrypoint, f.ImageEntrypoint)
	setList(&t.ConfigFiles, f.ConfigFiles)
	set(&t.Minimum.Memory, f.MinimumMemory)
	set(&t.Minimum.Disk, f.MinimumDisk)
	set(&t.Minimum.CPU, f.MinimumCPU)
	setList(&t.Backup.Before, f.BackupBefore)
	setList(&t.Backup.After, f.BackupAfter)
	f.ontoInstall(t)
	if !slices.ContainsFunc(t.Images, func(i kind.TemplateImage) bool { return i.Image == t.DefaultImage }) && f.DefaultImage == nil {
		t.DefaultImage = ""
	}
	if t.DefaultImage == "" && len(t.Images) > 0 {
		t.DefaultImage = t.Images[0].Image
	}
}

// ontoInstall changes how a template is installed; one without a script is not.
func (f Fields) ontoInstall(t *document.Template) {
	install := document.Install{Timeout: document.DefaultInstallTimeout}
	if t.Install != nil {
		install = *t.Install
	}
	set(&install.Image, f.InstallImage)
	set(&install.Script, f.InstallScript)
	set(&install.Entrypoint, f.InstallEntrypoint)
	set(&install.Timeout, f.InstallTimeout)
	set(&install.Clear, f.InstallClear)
	setList(&install.Keep, f.InstallKeep)
	if t.Install = &install; strings.TrimSpace(install.Script) == "" {
		t.Install = nil
	}
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

func setList[T any](to *[]T, v []T) {
	if v != nil {
		*to = v
	}
}

// apiFields are what the API calls the fields of a document, where that differs.
var apiFields = map[string]string{
	"startup": "startup", "startup.shell": "startup", "startup.argv": "startupArgv",
	"install.image": "installImage", "install.script": "installScript", "install.entrypoint": "installEntrypoint",
	"install.timeout": "installTimeout", "install.clear": "installClear", "install.keep": "installKeep", "ready.patterns": "readyPatterns", "ready.timeout": "startTimeout",
	"stop.command": "stopCommand", "stop.signal": "stopSignal", "stop.grace": "stopGrace", "terminal": "tty", "ports": "portsWanted",
	"startup.commands": "startupCommands", "startup.imageEntrypoint": "imageEntrypoint",
	"minimum.memory": "minimumMemory", "minimum.cpu": "minimumCpu", "minimum.disk": "minimumDisk",
	"backup.before": "backupBefore", "backup.after": "backupAfter",
	"limits.memory": "memory", "limits.swap": "swap", "limits.cpu": "cpu", "limits.disk": "disk",
}

// check validates a template; the error names the field as the API calls it.
func check(t document.Template) error {
	err := t.Validate()
	wrong, ok := errors.AsType[*document.FieldError](err)
	if !ok {
		return err
	}
	name, index := wrong.Field, ""
	if at := strings.IndexByte(name, '['); at >= 0 {
		name, index = name[:at], name[at:]
	}
	if api, ok := apiFields[name]; ok {
		name = api
	}
	return fault.Input(name+index, "The field %s%s %s.", name, index, wrong.Problem)
}
