package backups

import (
	"context"
	"fmt"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// UpdateInput changes a backup; nil leaves a part as it is.
type UpdateInput struct {
	ID     string
	Name   *string
	Locked *bool
}

// Update gives a backup another name, or locks or unlocks it. It needs backup.create, and to unlock it backup.delete.
func (s *Service) Update(ctx context.Context, in UpdateInput) (*ent.Backup, error) {
	row, e, err := s.find(ctx, "backup.update", access.BackupCreate, in.ID)
	if err != nil {
		return nil, err
	}
	if row.Locked && in.Locked != nil && !*in.Locked {
		if err := access.Check(ctx, s.Client, access.BackupDelete, access.On(in.ID)); err != nil {
			return nil, s.trail.Refused(ctx, e, err)
		}
	}
	if in.Name != nil {
		name, err := text.Name("name", "the backup", *in.Name, maxName)
		if err != nil {
			return nil, err
		}
		in.Name = &name
	}
	return s.change(ctx, e, func(_ context.Context, _ *ent.Tx, _ *ent.Backup, u *ent.BackupUpdateOne, e *audit.Entry) error {
		u.SetNillableName(in.Name).SetNillableLocked(in.Locked)
		e.Details = map[string]any{"changed": u.Mutation().Fields()}
		return nil
	})
}

// change changes a backup within a unit of work, and records the deed.
func (s *Service) change(ctx context.Context, e audit.Entry, fn func(ctx context.Context, t *ent.Tx, b *ent.Backup, u *ent.BackupUpdateOne, e *audit.Entry) error) (*ent.Backup, error) {
	var out *ent.Backup
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		if _, err := hold(ctx, t, e.ServerID); err != nil {
			return err
		}
		b, err := t.Backup.Query().Where(backup.ID(e.TargetID), backup.DeletedAtIsNil()).Only(viewer.System(ctx, nil, "read a backup that is changed"))
		if ent.IsNotFound(err) {
			return fault.Missing("backup")
		}
		if err != nil {
			return fmt.Errorf("read backup: %w", err)
		}
		u := t.Backup.UpdateOneID(b.ID)
		if err := fn(ctx, t, b, u, e); err != nil {
			return err
		}
		saved, err := u.Save(ctx)
		if err != nil {
			return fmt.Errorf("store backup: %w", err)
		}
		out = saved.Unwrap()
		return nil
	})
	return out, err
}

// Delete deletes a backup. It is gone at once; its archive goes as soon as its node or its storage can be reached. It needs
// backup.delete, and fails with CONFLICT while the backup is locked, being made, or restored.
func (s *Service) Delete(ctx context.Context, id string) error {
	_, e, err := s.find(ctx, "backup.delete", access.BackupDelete, id)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, e, func(ctx context.Context, t *ent.Tx, b *ent.Backup, u *ent.BackupUpdateOne, e *audit.Entry) error {
		e.Details = map[string]any{"name": b.Name}
		switch {
		case b.Locked:
			return fault.New(fault.Conflict, "The backup is locked: unlock it first.")
		case b.State.Unfinished():
			return fault.New(fault.Conflict, "The backup is being made: cancel it first.")
		}
		sv, err := t.Server.Get(viewer.System(ctx, nil, "read a backup's server"), b.ServerID)
		if err != nil {
			return fmt.Errorf("read server: %w", err)
		}
		if restoring(sv, b.ID) {
			return fault.New(fault.Conflict, "The server is being restored from this backup: wait until that has ended.")
		}
		return s.hide(ctx, t, sv, b, u)
	})
	return err
}

// restoring reports whether a server is being restored from a backup.
func restoring(sv *ent.Server, backupID string) bool {
	return sv.State == kind.ServerStateRestoring && sv.RestoreBackupID != nil && *sv.RestoreBackupID == backupID
}

// hide makes a backup one that is gone, and has its archive removed.
func (s *Service) hide(ctx context.Context, t *ent.Tx, sv *ent.Server, b *ent.Backup, u *ent.BackupUpdateOne) error {
	u.SetDeletedAt(now())
	readers, err := access.Readers(ctx, t.Client(), sv.ID, access.BackupRead)
	if err != nil {
		return err
	}
	changes.Deleted(ctx, s.Bus, s.Logger, ent.TypeBackup, b.ID, access.Had{OwnerID: sv.OwnerID, Readers: readers})
	tx.AfterCommit(ctx, func(context.Context) { s.wake() })
	return nil
}

// cancelTime is how long a call to cancel waits for the node.
const cancelTime = 10 * time.Second

// Cancel ends a backup that is being made; a node that is offline does so when it returns. It needs backup.create, and fails
// with CONFLICT when the backup has ended.
func (s *Service) Cancel(ctx context.Context, id string) (*ent.Backup, error) {
	_, e, err := s.find(ctx, "backup.cancel", access.BackupCreate, id)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, e, func(ctx context.Context, _ *ent.Tx, b *ent.Backup, u *ent.BackupUpdateOne, _ *audit.Entry) error {
		if !b.State.Unfinished() {
			return fault.New(fault.Conflict, "The backup is not being made any more.")
		}
		u.SetCancelling(true)
		tx.AfterCommit(ctx, func(context.Context) { s.wake() })
		return nil
	})
}

// Policy says how many backups of a server are kept. Outer nil leaves a part as it is, inner nil lifts it.
type Policy struct {
	ServerID string
	// Limit and BytesLimit are what the server may have; they need node.update.
	Limit      **int
	BytesLimit **int64
	// Keep and KeepDays are what is kept of that.
	Keep, KeepDays **int
}

// SetPolicy changes a server's limits of backups, which needs node.update, and what is kept of them, which needs
// backup.delete.
func (s *Service) SetPolicy(ctx context.Context, in Policy) (*ent.Server, error) {
	e := audit.Entry{Action: "backup.policy", TargetType: ent.TypeServer, TargetID: in.ServerID, ServerID: in.ServerID}
	if err := access.Check(ctx, s.Client, access.BackupDelete, access.On(in.ServerID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if !kind.ValidID(kind.PrefixServer, in.ServerID) {
		return nil, fault.Missing("server")
	}
	if (in.Limit != nil || in.BytesLimit != nil) && !access.Grants(viewer.FromContext(ctx), access.NodeUpdate) {
		return nil, s.trail.Refused(ctx, e, fault.New(fault.Forbidden, "Limits of backups need the permission node.update."))
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	var out *ent.Server
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		if _, err := hold(ctx, t, in.ServerID); err != nil {
			return err
		}
		u := t.Server.UpdateOneID(in.ServerID)
		in.apply(u)
		e.Details = map[string]any{"changed": u.Mutation().Fields()}
		saved, err := u.Save(ctx)
		if err != nil {
			return fmt.Errorf("store server: %w", err)
		}
		out = saved.Unwrap()
		return nil
	})
	return out, err
}

func (in Policy) check() error {
	for field, v := range map[string]**int{"keep": in.Keep, "keepDays": in.KeepDays} {
		if v != nil && *v != nil && **v < 1 {
			return fault.Input(field, "This is at least 1, or null for no limit.")
		}
	}
	if in.Limit != nil && *in.Limit != nil && **in.Limit < 0 || in.BytesLimit != nil && *in.BytesLimit != nil && **in.BytesLimit < 0 {
		return fault.Input("limit", "A limit cannot be negative; null is none.")
	}
	return nil
}

func (in Policy) apply(u *ent.ServerUpdateOne) {
	put(in.Limit, u.SetBackupLimit, u.ClearBackupLimit)
	put(in.BytesLimit, u.SetBackupBytesLimit, u.ClearBackupBytesLimit)
	put(in.Keep, u.SetBackupKeep, u.ClearBackupKeep)
	put(in.KeepDays, u.SetBackupKeepDays, u.ClearBackupKeepDays)
}

// put sets or clears a column, or leaves it.
func put[T any](v **T, set func(T) *ent.ServerUpdateOne, clearIt func() *ent.ServerUpdateOne) {
	switch {
	case v == nil:
	case *v == nil:
		clearIt()
	default:
		set(**v)
	}
}
