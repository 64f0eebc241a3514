package servers

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/alert"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/ent/scheduledtask"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/ent/taskrun"
	"github.com/catalyst-panel/catalyst/ent/transfer"
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
		s.deliver(ctx, sv)
		return s.announceEnd(ctx, t, sv)
	})
	if err != nil {
		return "", err
	}
	return in.ID, nil
}

// announceEnd announces that a server is gone, and all that is hidden with it.
func (s *Service) announceEnd(ctx context.Context, t *ent.Tx, sv *ent.Server) error {
	sys := viewer.System(ctx, nil, "see what goes with a server")
	for _, k := range []struct {
		entity string
		read   access.Permission
		ids    func(context.Context) ([]string, error)
	}{
		{ent.TypeTaskRun, access.TaskRead, t.TaskRun.Query().Where(taskrun.HasTaskWith(scheduledtask.ServerID(sv.ID))).IDs},
		{ent.TypeScheduledTask, access.TaskRead, t.ScheduledTask.Query().Where(scheduledtask.ServerID(sv.ID)).IDs},
		{ent.TypeBackup, access.BackupRead, t.Backup.Query().Where(backup.ServerID(sv.ID)).IDs},
		{ent.TypeTransfer, access.ServerRead, t.Transfer.Query().Where(transfer.ServerID(sv.ID)).IDs},
		{ent.TypeAlert, access.AlertRead, t.Alert.Query().Where(alert.ServerID(sv.ID)).IDs},
		{ent.TypeServerAccess, access.ServerAccess, t.ServerAccess.Query().Where(serveraccess.ServerID(sv.ID)).IDs},
		{ent.TypeServer, access.ServerRead, func(context.Context) ([]string, error) { return []string{sv.ID}, nil }},
	} {
		ids, err := k.ids(sys)
		if err != nil {
			return fmt.Errorf("see what goes with a server: %w", err)
		}
		readers, err := access.Readers(ctx, t.Client(), sv.ID, k.read)
		if err != nil {
			return err
		}
		for _, id := range ids {
			changes.Deleted(ctx, s.Bus, s.Logger, k.entity, id, access.Had{OwnerID: sv.OwnerID, Readers: readers})
		}
	}
	return nil
}
