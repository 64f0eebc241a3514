package servers

import (
	"context"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Suspend stops a server and keeps it from starting until it is unsuspended. Its files, backups and console stay
// readable. It needs server.suspend; a node that is offline stops the server when it returns.
func (s *Service) Suspend(ctx context.Context, id string) (*ent.Server, error) {
	e := deed("server.suspend", id)
	if err := s.may(ctx, e, access.ServerSuspend); err != nil {
		return nil, err
	}
	return s.change(ctx, e, func(ctx context.Context, _ *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error {
		if sv.Suspended {
			return nil
		}
		u.SetSuspended(true).SetPower(kind.PowerStop).AddGeneration(1)
		s.deliver(ctx, sv)
		if !sv.State.Alive() {
			return nil
		}
		return enter(u, sv, kind.ServerStateStopping, "suspended")
	})
}

// Unsuspend lets a server start again; it does not start it. It needs server.suspend.
func (s *Service) Unsuspend(ctx context.Context, id string) (*ent.Server, error) {
	e := deed("server.unsuspend", id)
	if err := s.may(ctx, e, access.ServerSuspend); err != nil {
		return nil, err
	}
	return s.change(ctx, e, func(_ context.Context, _ *ent.Tx, _ *ent.Server, u *ent.ServerUpdateOne) error {
		u.SetSuspended(false)
		return nil
	})
}
