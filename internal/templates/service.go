package templates

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/template"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Config is what the service needs.
type Config struct {
	Client *ent.Client
	// HTTP fetches documents; it must reach public addresses only.
	HTTP   *http.Client
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

// Create makes a template. It needs template.create and fails with BAD_USER_INPUT, naming the field.
func (s *Service) Create(ctx context.Context, in Fields) (*ent.Template, error) {
	e := deed("template.create", "")
	if err := access.Check(ctx, s.Client, access.TemplateCreate, access.Anywhere); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	t := document.New()
	in.onto(&t)
	if err := check(t); err != nil {
		return nil, err
	}
	return s.make(ctx, e, t, false)
}

// make stores a new template.
func (s *Service) make(ctx context.Context, e audit.Entry, t document.Template, builtin bool) (*ent.Template, error) {
	var made *ent.Template
	err := s.trail.Do(ctx, e, func(ctx context.Context, x *ent.Tx, e *audit.Entry) error {
		create := x.Template.Create().SetBuiltin(builtin)
		store(create.Mutation(), t)
		saved, err := create.Save(ctx)
		if err != nil {
			return stored(err)
		}
		e.TargetID, e.Details = saved.ID, map[string]any{"name": saved.Name}
		made = saved.Unwrap()
		return nil
	})
	return made, err
}

// stored says why a template could not be stored.
func stored(err error) error {
	if ent.IsConstraintError(err) {
		return fault.New(fault.Conflict, "Another template has this slug: choose a different one.").Wrap(err)
	}
	return fmt.Errorf("store template: %w", err)
}

// Update changes a template. It needs template.update. Servers that exist go on with what it was.
func (s *Service) Update(ctx context.Context, id string, in Fields) (*ent.Template, error) {
	e := deed("template.update", id)
	if err := access.Check(ctx, s.Client, access.TemplateUpdate, access.On(id)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	var changed *ent.Template
	err := s.trail.Do(ctx, e, func(ctx context.Context, x *ent.Tx, e *audit.Entry) error {
		row, err := s.hold(ctx, x, id)
		if err != nil {
			return err
		}
		before := Document(row)
		after := before
		in.onto(&after)
		if err := check(after); err != nil {
			return err
		}
		changes := document.Changes(before, after)
		e.Details = map[string]any{"changed": changes}
		next, err := s.revise(ctx, x, row, changes)
		if err != nil {
			return err
		}
		update := x.Template.UpdateOneID(id)
		if store(update.Mutation(), after); next {
			update.AddRevision(1)
		}
		saved, err := update.Save(ctx)
		if err != nil {
			return stored(err)
		}
		changed = saved.Unwrap()
		return nil
	})
	return changed, err
}

// hold locks a template's row and reads it. A write is the lock that both databases know.
func (s *Service) hold(ctx context.Context, x *ent.Tx, id string) (*ent.Template, error) {
	held, err := x.Template.Update().Where(template.ID(id)).AddStopGrace(0).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("hold template: %w", err)
	}
	if held == 0 {
		return nil, fault.Missing("template")
	}
	row, err := x.Template.Get(viewer.System(ctx, nil, "read a template that is held"), id)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	return row, nil
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

// EnsureStarters makes the Demo template where there is none, and the other starters in a database without any template.
// Of several instances that start on a new database at once, one makes each.
func (s *Service) EnsureStarters(ctx context.Context) error {
	ctx = viewer.System(ctx, s.Logger, "make the starter templates")
	exists, err := s.Client.Template.Query().Where(template.Slug(demoSlug)).Exist(ctx)
	if err != nil || exists {
		return err
	}
	missing := []document.Template{demo()}
	any, err := s.Client.Template.Query().Exist(ctx)
	if err != nil {
		return err
	}
	if !any {
		missing = append(missing, starters()...)
	}
	for _, t := range missing {
		if _, err := s.make(ctx, deed("template.create", ""), t, true); err != nil && fault.CodeOf(err) != fault.Conflict {
			return err
		}
	}
	return nil
}
