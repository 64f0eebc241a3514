package nodes

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// CreateLocationInput describes a new location.
type CreateLocationInput struct {
	Name        string
	Description *string
}

// UpdateLocationInput changes a location; nil leaves a field as it is.
type UpdateLocationInput struct {
	ID                string
	Name, Description *string
}

// CreateLocation makes a location. It needs location.create.
func (s *Service) CreateLocation(ctx context.Context, in CreateLocationInput) (*ent.Location, error) {
	e := audit.Entry{Action: "location.create", TargetType: "Location"}
	if err := access.Check(ctx, s.Client, access.LocationCreate, access.Anywhere); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if err := checkLocation(&in.Name, in.Description); err != nil {
		return nil, err
	}
	e.Details = map[string]any{"name": in.Name}
	return s.saveLocation(ctx, e, func(ctx context.Context, t *ent.Tx) (*ent.Location, error) {
		return t.Location.Create().SetName(in.Name).SetNillableDescription(in.Description).Save(ctx)
	})
}

// UpdateLocation changes a location. It needs location.update.
func (s *Service) UpdateLocation(ctx context.Context, in UpdateLocationInput) (*ent.Location, error) {
	e := audit.Entry{Action: "location.update", TargetType: "Location", TargetID: in.ID}
	if err := access.Check(ctx, s.Client, access.LocationUpdate, access.On(in.ID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if err := checkLocation(in.Name, in.Description); err != nil {
		return nil, err
	}
	return s.saveLocation(ctx, e, func(ctx context.Context, t *ent.Tx) (*ent.Location, error) {
		return t.Location.UpdateOneID(in.ID).SetNillableName(in.Name).SetNillableDescription(in.Description).Save(ctx)
	})
}

// DeleteLocation removes a location. It needs location.delete and fails with CONFLICT while nodes stand there.
func (s *Service) DeleteLocation(ctx context.Context, id string) error {
	e := audit.Entry{Action: "location.delete", TargetType: "Location", TargetID: id}
	if err := access.Check(ctx, s.Client, access.LocationDelete, access.On(id)); err != nil {
		return s.trail.Refused(ctx, e, err)
	}
	return s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, _ *audit.Entry) error {
		count, err := t.Node.Query().Where(node.LocationID(id)).Count(viewer.System(ctx, s.Logger, "count the nodes of a location"))
		if err != nil {
			return fmt.Errorf("count nodes of the location: %w", err)
		}
		if count > 0 {
			return fault.New(fault.Conflict, "%d nodes stand in this location: move them to another one with updateNode first.", count)
		}
		err = t.Location.DeleteOneID(id).Exec(ctx)
		switch {
		case ent.IsNotFound(err):
			return fault.Missing("location")
		case ent.IsConstraintError(err):
			return fault.New(fault.Conflict, "A node has just come to this location: move it to another one with updateNode first.").Wrap(err)
		case err != nil:
			return fmt.Errorf("delete location: %w", err)
		}
		return nil
	})
}

// checkLocation checks what is given of a location, and takes the space around its name away.
func checkLocation(name, description *string) error {
	if name != nil {
		clean, err := text.Name("name", "the location", *name, maxLocationName)
		if err != nil {
			return err
		}
		*name = clean
	}
	return text.Block("description", description, maxDescription)
}

func (s *Service) saveLocation(ctx context.Context, e audit.Entry, save func(context.Context, *ent.Tx) (*ent.Location, error)) (*ent.Location, error) {
	var saved *ent.Location
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		l, err := save(ctx, t)
		switch {
		case ent.IsNotFound(err):
			return fault.Missing("location")
		case ent.IsConstraintError(err):
			return fault.New(fault.Conflict, "There already is a location with this name: choose another one.").Wrap(err)
		case err != nil:
			return fmt.Errorf("store location: %w", err)
		}
		e.TargetID = l.ID
		saved = l.Unwrap()
		return nil
	})
	return saved, err
}
