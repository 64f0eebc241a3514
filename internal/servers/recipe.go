package servers

import (
	"context"
	"fmt"
	"slices"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/template"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// recipe returns what a server runs by: its template as it was when the server was last given its changes. The template
// itself is in the server's edges afterwards.
func (s *Service) recipe(ctx context.Context, t *ent.Tx, sv *ent.Server) (document.Template, error) {
	tmpl, err := t.Template.Get(viewer.System(ctx, nil, "read a server's template"), sv.TemplateID)
	if err != nil {
		return document.Template{}, fmt.Errorf("read the server's template: %w", err)
	}
	sv.Edges.Template = tmpl
	recipes, err := templates.ReadRecipes(ctx, t.Client(), sv)
	if err != nil {
		return document.Template{}, err
	}
	return recipes.Of(sv), nil
}

// ApplyTemplateInput names a server that is given its template's changes, and values of variables.
type ApplyTemplateInput struct {
	ServerID    string
	Environment []kind.EnvVar
}

// ApplyTemplate gives a server the changes of its template, from its next start on. Values that the server has stay; the
// changed template may ask for others, and then they have to be given. It needs server.update and fails with
// BAD_USER_INPUT, naming the variable.
func (s *Service) ApplyTemplate(ctx context.Context, in ApplyTemplateInput) (*ent.Server, error) {
	e := deed("server.apply_template", in.ServerID)
	if err := s.may(ctx, e, access.ServerUpdate); err != nil {
		return nil, err
	}
	infrastructure := mayInfrastructure(ctx)
	return s.change(ctx, e, func(ctx context.Context, t *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error {
		tmpl, err := t.Template.Get(viewer.System(ctx, nil, "read a server's template"), sv.TemplateID)
		if err != nil {
			return fmt.Errorf("read the server's template: %w", err)
		}
		now := templates.Document(tmpl)
		environment, err := templates.Resolve(now, sv.Environment, in.Environment, infrastructure)
		if err != nil {
			return err
		}
		if u.SetEnvironment(environment).SetTemplateRevision(tmpl.Revision); !hasCommand(now, sv.StartupCommand) {
			u.SetStartupCommand("")
		}
		u.SetPendingRestart(sv.State.Alive()).AddGeneration(1)
		s.deliver(ctx, sv)
		return nil
	})
}

// hasCommand reports whether a template knows a way to start a server; the empty name is the usual one.
func hasCommand(t document.Template, name string) bool {
	return name == "" || slices.ContainsFunc(t.Startup.Commands, func(c kind.TemplateCommand) bool { return c.Name == name })
}

// checkCommand refuses a way to start a server that its template does not know.
func checkCommand(t document.Template, name *string) error {
	if name == nil || hasCommand(t, *name) {
		return nil
	}
	return fault.Input("startupCommand", "The template has no such command: its field startupCommands lists those there are; an empty text is the usual one.")
}

// Outdated tells of those of the servers that the caller may see which lack changes of their templates.
func (s *Service) Outdated(ctx context.Context, ids []string) (map[string]bool, error) {
	rows, err := s.visibleWithTemplates(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]bool, len(rows))
	for _, sv := range rows {
		out[sv.ID] = templates.Outdated(sv)
	}
	return out, nil
}

// visibleWithTemplates reads those of the servers that the caller may see, with what of their templates concerns
// variables, which the caller may not be able to see otherwise.
func (s *Service) visibleWithTemplates(ctx context.Context, ids []string) ([]*ent.Server, error) {
	rows, err := s.Client.Server.Query().Where(server.IDIn(ids...)).
		Select(server.FieldID, server.FieldTemplateID, server.FieldTemplateRevision, server.FieldEnvironment).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read servers: %w", err)
	}
	used := make([]string, len(rows))
	for i, sv := range rows {
		used[i] = sv.TemplateID
	}
	list, err := s.Client.Template.Query().Where(template.IDIn(used...)).
		Select(template.FieldID, template.FieldRevision, template.FieldVariables).
		All(viewer.System(ctx, nil, "read the variables of servers' templates"))
	if err != nil {
		return nil, fmt.Errorf("read templates of servers: %w", err)
	}
	byID := make(map[string]*ent.Template, len(list))
	for _, tmpl := range list {
		byID[tmpl.ID] = tmpl
	}
	for _, sv := range rows {
		sv.Edges.Template = byID[sv.TemplateID]
	}
	return slices.DeleteFunc(rows, func(sv *ent.Server) bool { return sv.Edges.Template == nil }), nil
}
