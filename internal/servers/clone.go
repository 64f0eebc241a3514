package servers

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// CloneInput says what a copy of a server is called and where it goes. What is nil is decided as for a new server.
type CloneInput struct {
	ID, Name        string
	NodeID, OwnerID *string
	AllocationIDs   []string
	StartOnInstall  bool
}

// Clone makes a new server with the settings of another: template, image, limits, variables, secret ones included, and
// crash policy. Files, backups, tasks and accesses stay with the original. It needs server.create, and server.update on
// the original, and fails as Create does.
func (s *Service) Clone(ctx context.Context, in CloneInput) (*ent.Server, error) {
	e := deed("server.clone", in.ID)
	if err := s.may(ctx, e, access.ServerUpdate); err != nil {
		return nil, err
	}
	if err := access.Check(ctx, s.Client, access.ServerCreate, access.Anywhere); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	original, err := s.Client.Server.Get(viewer.System(ctx, nil, "read a server that is cloned"), in.ID)
	if ent.IsNotFound(err) {
		return nil, fault.Missing("server")
	}
	if err != nil {
		return nil, fmt.Errorf("read server: %w", err)
	}
	create := CreateInput{
		Name: in.Name, TemplateID: original.TemplateID, NodeID: in.NodeID, OwnerID: in.OwnerID, AllocationIDs: in.AllocationIDs,
		Description: &original.Description, Image: &original.Image, CrashPolicy: &original.CrashPolicy,
		Memory: &original.Memory, CPU: &original.CPU, Disk: &original.Disk, Swap: &original.Swap,
		StartOnInstall: in.StartOnInstall, inherited: original.Environment, StartupCommand: &original.StartupCommand,
	}
	if mayInfrastructure(ctx) { // others get the usual network
		create.NetworkMode, create.Network = &original.NetworkMode, original.Network
	}
	plan, err := s.plan(ctx, &create)
	if err != nil {
		return nil, err
	}
	plan.maxRestarts, plan.window = &original.CrashMaxRestarts, &original.CrashWindow
	return s.make(ctx, e, create, plan)
}
