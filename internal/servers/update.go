package servers

import (
	"context"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// actionUpdate is Update's in the audit trail, where it names the fields that changed.
const actionUpdate = "server.update"

// UpdateInput changes a server; nil leaves a field as it is. Environment names only the variables to change.
type UpdateInput struct {
	ID                       string
	Name, Description, Image *string
	// Memory, Disk and Swap are bytes, CPU is percent of one core.
	Memory, Disk, Swap *int64
	CPU                *int
	Environment        []kind.EnvVar
	CrashPolicy        *kind.CrashPolicy
	// StartupCommand is the name of a command of the template; empty for the usual one.
	StartupCommand *string
	// CrashMaxRestarts restarts are allowed within CrashWindow seconds.
	CrashMaxRestarts, CrashWindow *int
}

// Update changes a server. It needs server.update. What the program itself is given (image, limits, environment) is
// applied by its next start, and the server's pendingRestart says so until then.
func (s *Service) Update(ctx context.Context, in UpdateInput) (*ent.Server, error) {
	e := deed(actionUpdate, in.ID)
	if err := s.may(ctx, e, access.ServerUpdate); err != nil {
		return nil, err
	}
	if err := (texts{name: in.Name, description: in.Description, image: in.Image}).check(); err != nil {
		return nil, err
	}
	if in.CrashMaxRestarts != nil && *in.CrashMaxRestarts < 0 {
		return nil, fault.Input("crashMaxRestarts", "The number of restarts cannot be negative.")
	}
	if in.CrashWindow != nil && *in.CrashWindow < 1 {
		return nil, fault.Input("crashWindow", "The window is at least one second long.")
	}
	infrastructure := mayInfrastructure(ctx)
	if err := checkLimits(limits{in.Memory, in.Disk, in.Swap, in.CPU}, infrastructure); err != nil {
		return nil, err
	}
	return s.change(ctx, e, func(ctx context.Context, t *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error {
		sys := viewer.System(ctx, nil, "change a server")
		recipe, err := s.recipe(sys, t, sv)
		if err != nil {
			return err
		}
		if err := checkCommand(recipe, in.StartupCommand); err != nil {
			return err
		}
		tmpl := sv.Edges.Template
		environment, err := templates.Resolve(recipe, sv.Environment, in.Environment, infrastructure)
		if err != nil {
			return err
		}
		if !infrastructure {
			most := max(sv.Swap, tmpl.Swap, or(in.Memory, sv.Memory))
			if err := checkProgram(tmpl, sv.Image, in.Image, in.Swap, most); err != nil {
				return err
			}
		}
		if err := s.checkGrowth(sys, t, sv, in); err != nil {
			return err
		}
		u.SetEnvironment(environment)
		in.apply(u)
		if in.program() && sv.State.Alive() { // the node learns of it now and its program at its next start
			u.SetPendingRestart(true)
		}
		if in.program() || in.policy() {
			u.AddGeneration(1)
			s.deliver(ctx, sv)
		}
		return nil
	})
}

// program reports whether something changes that a program is given when it starts.
func (in UpdateInput) program() bool {
	return in.Name != nil || in.Image != nil || in.Memory != nil || in.Disk != nil || in.Swap != nil || in.CPU != nil ||
		in.Environment != nil || in.StartupCommand != nil
}

// policy reports whether something changes that the node must know, and that holds at once.
func (in UpdateInput) policy() bool {
	return in.CrashPolicy != nil || in.CrashMaxRestarts != nil || in.CrashWindow != nil
}

func (in UpdateInput) apply(u *ent.ServerUpdateOne) {
	u.SetNillableName(in.Name).SetNillableStartupCommand(in.StartupCommand).SetNillableDescription(in.Description).SetNillableImage(in.Image).
		SetNillableMemory(in.Memory).SetNillableDisk(in.Disk).SetNillableSwap(in.Swap).SetNillableCPU(in.CPU).
		SetNillableCrashPolicy(in.CrashPolicy).SetNillableCrashMaxRestarts(in.CrashMaxRestarts).SetNillableCrashWindow(in.CrashWindow)
}

// checkGrowth refuses limits that the node has no room for.
func (s *Service) checkGrowth(ctx context.Context, t *ent.Tx, sv *ent.Server, in UpdateInput) error {
	need := nodes.Need{
		Memory: or(in.Memory, sv.Memory) - sv.Memory, Disk: or(in.Disk, sv.Disk) - sv.Disk, CPU: or(in.CPU, sv.CPU) - sv.CPU,
	}
	if need.Memory <= 0 && need.Disk <= 0 && need.CPU <= 0 {
		return nil
	}
	return s.Nodes.Reserve(ctx, t, sv.NodeID, need)
}

// Environments returns the variables of those of the servers that the caller may see, each in its template's order:
// secrets are masked always, and what users may not view is left out for those who may not change nodes.
func (s *Service) Environments(ctx context.Context, ids []string) (map[string][]kind.EnvVar, error) {
	rows, err := s.visibleWithTemplates(ctx, ids)
	if err != nil {
		return nil, err
	}
	recipes, err := templates.ReadRecipes(ctx, s.Client, rows...)
	if err != nil {
		return nil, err
	}
	infrastructure := mayInfrastructure(ctx)
	out := make(map[string][]kind.EnvVar, len(rows))
	for _, sv := range rows {
		out[sv.ID] = visible(recipes.Of(sv).Variables, sv.Environment, infrastructure)
	}
	return out, nil
}

// visible returns the values of variables as a viewer sees them.
func visible(variables []kind.TemplateVariable, values map[string]string, infrastructure bool) []kind.EnvVar {
	out := make([]kind.EnvVar, 0, len(variables))
	for _, v := range variables {
		value, set := values[v.Key]
		switch {
		case !v.UserViewable && !infrastructure:
			continue
		case !set:
			value = v.Default
		}
		if v.Secret && value != "" {
			value = "********"
		}
		out = append(out, kind.EnvVar{Key: v.Key, Value: value})
	}
	return out
}

// ResetCrashCount forgets a server's crashes, so that its crash policy begins anew; a node that is offline does so when it
// returns. It needs server.update.
func (s *Service) ResetCrashCount(ctx context.Context, id string) (*ent.Server, error) {
	e := deed("server.reset_crash_count", id)
	if err := s.may(ctx, e, access.ServerUpdate); err != nil {
		return nil, err
	}
	return s.change(ctx, e, func(ctx context.Context, _ *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error {
		u.SetCrashCount(0).AddCrashResets(1).AddGeneration(1)
		s.deliver(ctx, sv)
		return nil
	})
}
