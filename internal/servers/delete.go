package servers

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// DeleteInput says how a server is deleted.
type DeleteInput struct {
	ID string
	// Force deletes locked backups as well.
	Force bool
	// KeepFiles leaves the server's files on the node.
	KeepFiles bool
}

// Delete deletes a server: it is gone for everybody at once, and its program, files and allocations go when its node
// has carried it out, which an offline node does when it returns. It needs server.delete and fails with CONFLICT while
// a backup is locked, unless forced.
func (s *Service) Delete(ctx context.Context, in DeleteInput) (string, error) {
	e := deed("server.delete", in.ID)
	if err := s.may(ctx, e, access.ServerDelete); err != nil {
		return "", err
	}
	_, err := s.change(ctx, e, func(ctx context.Context, t *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error {
		locked, err := t.Backup.Query().Where(backup.ServerID(sv.ID), backup.Locked(true)).Count(viewer.System(ctx, nil, "count locked backups"))
		if err != nil {
			return fmt.Errorf("count locked backups: %w", err)
		}
		if locked > 0 && !in.Force {
			return fault.New(fault.Conflict, "%d backups of the server are locked: unlock them, or delete with force.", locked)
		}
		u.SetDeletedAt(now()).SetKeepFiles(in.KeepFiles).SetPower(kind.PowerKill).AddGeneration(1)
		readers, err := access.Readers(ctx, t.Client(), sv.ID)
		if err != nil {
			return err
		}
		changes.Deleted(ctx, s.Bus, s.Logger, ent.TypeServer, sv.ID, access.Had{OwnerID: sv.OwnerID, Readers: readers})
		s.deliver(ctx, sv)
		return nil
	})
	if err != nil {
		return "", err
	}
	return in.ID, nil
}
