package servers

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/allocation"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Assign gives a free allocation of its node to a server, as the primary one when the server has no other. The program
// gets it at its next start. It needs node.update, and fails with CONFLICT when the allocation is not free, belongs to
// another node, or the server has as many as it may.
func (s *Service) Assign(ctx context.Context, serverID, allocationID string) (*ent.Allocation, error) {
	e := deed("allocation.assign", serverID)
	if err := s.may(ctx, e, access.NodeUpdate); err != nil {
		return nil, err
	}
	if err := access.Check(ctx, s.Client, access.NodeUpdate, access.On(allocationID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	return s.reallocate(ctx, "allocation.assign", serverID, allocationID, func(ctx context.Context, t *ent.Tx, sv *ent.Server, a *ent.Allocation) error {
		sys := viewer.System(ctx, nil, "count a server's allocations")
		switch {
		case a.ServerID != nil && *a.ServerID == sv.ID:
			return nil
		case a.ServerID != nil:
			return fault.New(fault.Conflict, "The allocation is in use: unassign it first, or choose another one.")
		case a.NodeID != sv.NodeID:
			return fault.New(fault.Conflict, "The allocation belongs to another node than the server: choose one of the server's node.")
		}
		has, err := t.Allocation.Query().Where(allocation.ServerID(sv.ID)).Count(sys)
		if err != nil {
			return fmt.Errorf("count allocations: %w", err)
		}
		if has >= maxAllocations {
			return fault.New(fault.Conflict, "A server may have %d allocations at the most: unassign one first.", maxAllocations)
		}
		return t.Allocation.UpdateOneID(a.ID).SetServerID(sv.ID).SetPrimary(has == 0).Exec(ctx)
	})
}

// Unassign takes an allocation from its server, whose program loses it at its next start. It needs node.update, and
// fails with CONFLICT for the primary one while the server has others.
func (s *Service) Unassign(ctx context.Context, allocationID string) (*ent.Allocation, error) {
	serverID, err := s.holder(ctx, "allocation.unassign", allocationID)
	if err != nil {
		return nil, err
	}
	return s.reallocate(ctx, "allocation.unassign", serverID, allocationID, func(ctx context.Context, t *ent.Tx, sv *ent.Server, a *ent.Allocation) error {
		if err := heldBy(sv, a); err != nil {
			return err
		}
		if a.Primary {
			others, err := t.Allocation.Query().Where(allocation.ServerID(sv.ID), allocation.IDNEQ(a.ID)).
				Exist(viewer.System(ctx, nil, "look for a server's other allocations"))
			if err != nil {
				return fmt.Errorf("look for allocations: %w", err)
			}
			if others {
				return fault.New(fault.Conflict, "This is the server's primary allocation: make another one primary first, with setPrimaryAllocation.")
			}
		}
		return t.Allocation.UpdateOneID(a.ID).ClearServerID().SetPrimary(false).Exec(ctx)
	})
}

// SetPrimary makes an allocation the one that the server's players use. It needs node.update.
func (s *Service) SetPrimary(ctx context.Context, allocationID string) (*ent.Allocation, error) {
	serverID, err := s.holder(ctx, "allocation.primary", allocationID)
	if err != nil {
		return nil, err
	}
	return s.reallocate(ctx, "allocation.primary", serverID, allocationID, func(ctx context.Context, t *ent.Tx, sv *ent.Server, a *ent.Allocation) error {
		if err := heldBy(sv, a); err != nil {
			return err
		}
		before, err := t.Allocation.Query().Where(allocation.ServerID(sv.ID), allocation.Primary(true), allocation.IDNEQ(a.ID)).
			IDs(viewer.System(ctx, nil, "find a server's primary allocation"))
		if err != nil {
			return fmt.Errorf("find the primary allocation: %w", err)
		}
		for _, id := range before {
			if err := t.Allocation.UpdateOneID(id).SetPrimary(false).Exec(ctx); err != nil {
				return fmt.Errorf("change the primary allocation: %w", err)
			}
		}
		return t.Allocation.UpdateOneID(a.ID).SetPrimary(true).Exec(ctx)
	})
}

// holder checks the right to change an allocation and returns the server that has it.
func (s *Service) holder(ctx context.Context, action, allocationID string) (string, error) {
	e := deed(action, "")
	e.TargetType, e.TargetID = ent.TypeAllocation, allocationID
	if err := access.Check(ctx, s.Client, access.NodeUpdate, access.On(allocationID)); err != nil {
		return "", s.trail.Refused(ctx, e, err)
	}
	a, err := s.Client.Allocation.Get(viewer.System(ctx, nil, "find the server of an allocation"), allocationID)
	if ent.IsNotFound(err) {
		return "", fault.Missing("allocation")
	}
	if err != nil {
		return "", fmt.Errorf("read allocation: %w", err)
	}
	if a.ServerID == nil {
		return "", fault.New(fault.Conflict, "No server has this allocation: give it to one with assignAllocation.")
	}
	return *a.ServerID, nil
}

// heldBy refuses an allocation that another caller has meanwhile taken from the server.
func heldBy(sv *ent.Server, a *ent.Allocation) error {
	if a.ServerID != nil && *a.ServerID == sv.ID {
		return nil
	}
	return fault.New(fault.Conflict, "The allocation was taken from the server meanwhile: look at the server's allocations and try again.")
}

// reallocate runs fn on a locked server and one of the allocations, and has the node told of what came of it.
func (s *Service) reallocate(
	ctx context.Context, action, serverID, allocationID string, fn func(ctx context.Context, t *ent.Tx, sv *ent.Server, a *ent.Allocation) error,
) (*ent.Allocation, error) {
	e := deed(action, serverID)
	e.Details = map[string]any{"allocation": allocationID}
	var changed *ent.Allocation
	_, err := s.change(ctx, e, func(ctx context.Context, t *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error {
		sys := viewer.System(ctx, nil, "read an allocation")
		// A write is the lock that both dialects know: two servers must not take the same one.
		if err := t.Allocation.Update().Where(allocation.ID(allocationID)).SetUpdatedAt(now()).Exec(ctx); err != nil {
			return fmt.Errorf("lock allocation: %w", err)
		}
		a, err := t.Allocation.Get(sys, allocationID)
		if ent.IsNotFound(err) {
			return fault.Missing("allocation")
		}
		if err != nil {
			return fmt.Errorf("read allocation: %w", err)
		}
		if err := fn(ctx, t, sv, a); err != nil {
			return err
		}
		if a, err = t.Allocation.Get(sys, allocationID); err != nil {
			return fmt.Errorf("read allocation: %w", err)
		}
		changed = a.Unwrap()
		u.SetPendingRestart(sv.State.Alive()).AddGeneration(1)
		s.deliver(ctx, sv)
		return nil
	})
	return changed, err
}
