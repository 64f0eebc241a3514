package nodes

import (
	"context"
	"fmt"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/tx"
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
	if err := access.Check(ctx, s.Client, access.LocationCreate, access.Anywhere); err != nil {
		return nil, err
	}
	if err := validLocationName(&in.Name); err != nil {
		return nil, err
	}
	return s.saveLocation(ctx, func(ctx context.Context, t *ent.Tx) (*ent.Location, error) {
		return t.Location.Create().SetName(in.Name).SetNillableDescription(in.Description).Save(ctx)
	})
}

// UpdateLocation changes a location. It needs location.update.
func (s *Service) UpdateLocation(ctx context.Context, in UpdateLocationInput) (*ent.Location, error) {
	if err := access.Check(ctx, s.Client, access.LocationUpdate, access.On(in.ID)); err != nil {
		return nil, err
	}
	if in.Name != nil {
		if err := validLocationName(in.Name); err != nil {
			return nil, err
		}
	}
	return s.saveLocation(ctx, func(ctx context.Context, t *ent.Tx) (*ent.Location, error) {
		return t.Location.UpdateOneID(in.ID).SetNillableName(in.Name).SetNillableDescription(in.Description).Save(ctx)
	})
}

// DeleteLocation removes a location. It needs location.delete and fails with CONFLICT while nodes stand there.
func (s *Service) DeleteLocation(ctx context.Context, id string) error {
	if err := access.Check(ctx, s.Client, access.LocationDelete, access.On(id)); err != nil {
		return err
	}
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		count, err := t.Node.Query().Where(node.LocationID(id)).Count(viewer.System(ctx, s.Logger, "count the nodes of a location"))
		if err != nil {
			return fmt.Errorf("count nodes of the location: %w", err)
		}
		if count > 0 {
			return fault.New(fault.Conflict, "%d nodes stand in this location: move them to another one with updateNode first.", count)
		}
		if err := t.Location.DeleteOneID(id).Exec(ctx); err != nil {
			return fmt.Errorf("delete location: %w", err)
		}
		return nil
	})
}

func validLocationName(name *string) error {
	*name = strings.TrimSpace(*name)
	if n := len(*name); n == 0 || n > 64 {
		return fault.Input("name", "Give the location a name of 1 to 64 characters.")
	}
	return nil
}

func (s *Service) saveLocation(ctx context.Context, save func(context.Context, *ent.Tx) (*ent.Location, error)) (*ent.Location, error) {
	var saved *ent.Location
	err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		l, err := save(ctx, t)
		if ent.IsConstraintError(err) {
			return fault.New(fault.Conflict, "There already is a location with this name: choose another one.").Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("store location: %w", err)
		}
		saved = l.Unwrap()
		return nil
	})
	return saved, err
}
