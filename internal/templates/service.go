package templates

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/template"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// maxPatternBytes is the longest ready pattern.
	maxPatternBytes = 1024
	// maxName is the longest name, in bytes.
	maxName = 128
)

// signals are the signals that may stop a server.
var signals = map[string]bool{
	"SIGTERM": true, "SIGINT": true, "SIGQUIT": true, "SIGHUP": true, "SIGUSR1": true, "SIGUSR2": true, "SIGKILL": true,
}

// Config is what the service needs.
type Config struct {
	Client *ent.Client
	Logger *slog.Logger
}

// Service owns the templates.
type Service struct {
	Config

	trail audit.Trail
}

// New returns the service.
func New(cfg Config) *Service {
	return &Service{Config: cfg, trail: audit.Trail{Client: cfg.Client, Logger: cfg.Logger}}
}

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
	TTY                         *bool
	DeniedFiles, FeatureHints   []string
	builtin                     bool
	slug                        string
}

// Create makes a template. It needs template.create and fails with BAD_USER_INPUT, naming the field.
func (s *Service) Create(ctx context.Context, in Fields) (*ent.Template, error) {
	e := deed("template.create", "")
	if err := access.Check(ctx, s.Client, access.TemplateCreate, access.Anywhere); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if in.Name == nil {
		in.Name = new("")
	}
	if err := in.validate(); err != nil {
		return nil, err
	}
	var made *ent.Template
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		create := t.Template.Create().SetBuiltin(in.builtin)
		if in.slug != "" {
			create.SetSlug(in.slug)
		}
		in.apply(create.Mutation())
		saved, err := create.Save(ctx)
		if err != nil {
			return fmt.Errorf("store template: %w", err)
		}
		e.TargetID, e.Details = saved.ID, map[string]any{"name": saved.Name}
		made = saved.Unwrap()
		return startable(made)
	})
	return made, err
}

// Update changes a template. It needs template.update; servers take the change at their next start.
func (s *Service) Update(ctx context.Context, id string, in Fields) (*ent.Template, error) {
	e := deed("template.update", id)
	if err := access.Check(ctx, s.Client, access.TemplateUpdate, access.On(id)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if err := in.validate(); err != nil {
		return nil, err
	}
	var changed *ent.Template
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		update := t.Template.UpdateOneID(id)
		in.apply(update.Mutation())
		e.Details = map[string]any{"changed": update.Mutation().Fields()}
		saved, err := update.Save(ctx)
		if ent.IsNotFound(err) {
			return fault.Missing("template")
		}
		if err != nil {
			return fmt.Errorf("store template: %w", err)
		}
		changed = saved.Unwrap()
		return startable(changed)
	})
	return changed, err
}

// startable refuses a template that says nothing about how its servers are started.
func startable(t *ent.Template) error {
	if len(t.StartupArgv) == 0 && strings.TrimSpace(t.Startup) == "" {
		return fault.Input("startup", "Say how the server is started: a shell line in startup, or a program and its arguments in startupArgv.")
	}
	return nil
}

// Delete removes a template. It needs template.delete and fails with CONFLICT while servers use it.
func (s *Service) Delete(ctx context.Context, id string) error {
	e := deed("template.delete", id)
	if err := access.Check(ctx, s.Client, access.TemplateDelete, access.On(id)); err != nil {
		return s.trail.Refused(ctx, e, err)
	}
	return s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		sys := viewer.System(ctx, s.Logger, "delete a template")
		used, err := t.Server.Query().Where(server.TemplateID(id)).Count(sys)
		if err != nil {
			return fmt.Errorf("count servers of the template: %w", err)
		}
		if used > 0 {
			return fault.New(fault.Conflict, "%d servers use this template: delete them or give them another one first.", used)
		}
		row, err := t.Template.Get(sys, id)
		if err == nil {
			e.Details = map[string]any{"name": row.Name}
			err = t.Template.DeleteOneID(id).Exec(ctx)
		}
		switch {
		case ent.IsNotFound(err):
			return fault.Missing("template")
		case ent.IsConstraintError(err):
			return fault.New(fault.Conflict, "A server has just been made from this template: delete it first.").Wrap(err)
		case err != nil:
			return fmt.Errorf("delete template: %w", err)
		}
		return nil
	})
}

func deed(action, id string) audit.Entry {
	return audit.Entry{Action: action, TargetType: ent.TypeTemplate, TargetID: id}
}

// EnsureDemo makes the Demo template in a database that has none. Of several instances that start on a new database at
// once, one makes it.
func (s *Service) EnsureDemo(ctx context.Context) error {
	ctx = viewer.System(ctx, s.Logger, "make the Demo template")
	exists, err := s.Client.Template.Query().Where(template.Slug(demoSlug)).Exist(ctx)
	if err != nil || exists {
		return err
	}
	if _, err = s.Create(ctx, demo()); ent.IsConstraintError(err) {
		return nil
	}
	return err
}

// validate refuses what could never work.
func (f Fields) validate() error {
	if f.Name != nil && (strings.TrimSpace(*f.Name) == "" || len(*f.Name) > maxName) {
		return fault.Input("name", "Give the template a name of 1 to %d bytes.", maxName)
	}
	if err := checkVariables(f.Variables); err != nil {
		return err
	}
	for i, p := range f.ReadyPatterns {
		field := fmt.Sprintf("readyPatterns[%d]", i)
		if len(p) > maxPatternBytes {
			return fault.Input(field, "A ready pattern may be %d bytes long at the most.", maxPatternBytes)
		}
		if _, err := regexp.Compile(p); err != nil {
			return fault.Input(field, "The ready pattern is not a regular expression (RE2): %s.", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	if f.StopSignal != nil && !signals[*f.StopSignal] {
		return fault.Input("stopSignal", "Use one of SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 or SIGKILL.")
	}
	if f.StopCommand != nil && strings.ContainsAny(*f.StopCommand, "\r\n\x00") {
		return fault.Input("stopCommand", "The stop command must be one line.")
	}
	return f.validateNumbers()
}

// validateNumbers refuses numbers outside of their range.
func (f Fields) validateNumbers() error {
	for field, n := range map[string]*int64{"memory": f.Memory, "disk": f.Disk, "swap": f.Swap} {
		if n != nil && *n < 0 {
			return fault.Input(field, "A limit cannot be negative; 0 means unlimited.")
		}
	}
	ranges := []struct {
		field    string
		n        *int
		min, max int
	}{
		{"cpu", f.CPU, 0, 1_000_000},
		{"portsWanted", f.PortsWanted, 0, 64},
		{"stopGrace", f.StopGrace, 0, 3600},
		{"startTimeout", f.StartTimeout, 1, 86_400},
		{"installTimeout", f.InstallTimeout, 1, 86_400},
	}
	for _, r := range ranges {
		if r.n != nil && (*r.n < r.min || *r.n > r.max) {
			return fault.Input(r.field, "Use a number from %d to %d.", r.min, r.max)
		}
	}
	return nil
}

// apply writes the fields that are given.
func (f Fields) apply(m *ent.TemplateMutation) {
	set(f.Name, m.SetName)
	set(f.Description, m.SetDescription)
	set(f.Author, m.SetAuthor)
	set(f.DefaultImage, m.SetDefaultImage)
	set(f.Startup, m.SetStartup)
	set(f.StopCommand, m.SetStopCommand)
	set(f.StopSignal, m.SetStopSignal)
	set(f.StopGrace, m.SetStopGrace)
	set(f.StartTimeout, m.SetStartTimeout)
	set(f.CrashPolicy, m.SetCrashPolicy)
	set(f.Memory, m.SetMemory)
	set(f.Disk, m.SetDisk)
	set(f.Swap, m.SetSwap)
	set(f.CPU, m.SetCPU)
	set(f.PortsWanted, m.SetPortsWanted)
	set(f.InstallImage, m.SetInstallImage)
	set(f.InstallScript, m.SetInstallScript)
	set(f.InstallEntrypoint, m.SetInstallEntrypoint)
	set(f.InstallTimeout, m.SetInstallTimeout)
	set(f.TTY, m.SetTty)
	setList(f.Images, m.SetImages)
	setList(f.StartupArgv, m.SetStartupArgv)
	setList(f.Variables, m.SetVariables)
	setList(f.ReadyPatterns, m.SetReadyPatterns)
	setList(f.DeniedFiles, m.SetDeniedFiles)
	setList(f.FeatureHints, m.SetFeatures)
}

func set[T any](v *T, to func(T)) {
	if v != nil {
		to(*v)
	}
}

func setList[T any](v []T, to func([]T)) {
	if v != nil {
		to(v)
	}
}
