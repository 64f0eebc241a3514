package backups

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/tx"
)

// maxError is how long the reason of a failure is, in bytes.
const maxError = 2048

// end stores the end of a backup, tells of it, and deletes those whose place a complete one has taken.
func (w *work) end(ctx context.Context, state kind.BackupState, p *protocol.BackupProgress, reason string) error {
	s := w.service
	if state != kind.BackupStateCompleted && w.remote() {
		if err := w.abandon(ctx); err != nil {
			s.Logger.WarnContext(ctx, "an upload is not abandoned yet", slog.String("backup_id", w.row.ID), slog.Any("error", err))
		}
	}
	reason = text.Clean(reason, maxError)
	err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		sv, err := hold(ctx, t, w.row.ServerID)
		if err != nil {
			return err
		}
		b, err := t.Backup.Query().Where(backup.ID(w.row.ID), backup.StateIn(unfinished...)).Only(ctx)
		if ent.IsNotFound(err) {
			return nil // another instance has stored it
		}
		if err != nil {
			return fmt.Errorf("read backup: %w", err)
		}
		u := t.Backup.UpdateOne(b).SetState(state).SetCancelling(false).ClearMessage().ClearUploadID()
		if state == kind.BackupStateCompleted {
			u.SetProgress(1).SetSize(p.GetSize()).SetChecksum(p.GetChecksum()).SetFiles(p.GetEntries()).SetCompletedAt(now())
		}
		if reason != "" {
			u.SetError(reason)
		}
		if err := u.Exec(ctx); err != nil {
			return fmt.Errorf("store backup: %w", err)
		}
		if state == kind.BackupStateCompleted {
			if err := s.thin(ctx, t, sv, b.ID); err != nil {
				return err
			}
		}
		return emit(ctx, b, sv, state, p, reason)
	})
	if err != nil {
		return err
	}
	n := progress{BackupID: w.row.ID, State: state, Progress: w.told.Progress, Message: reason}
	if state == kind.BackupStateCompleted {
		n.Progress = 1
	}
	s.tell(ctx, w.row.ServerID, n)
	return nil
}

// emit tells those outside how a backup has ended.
func emit(ctx context.Context, b *ent.Backup, sv *ent.Server, state kind.BackupState, p *protocol.BackupProgress, reason string) error {
	e := events.Event{ServerID: sv.ID, NodeID: sv.NodeID, Data: map[string]any{"backupId": b.ID, "name": b.Name}}
	switch state {
	case kind.BackupStateCompleted:
		e.Name, e.Text = events.BackupComplete, "The backup "+b.Name+" is complete."
		e.Data["size"], e.Data["checksum"] = p.GetSize(), p.GetChecksum()
	case kind.BackupStateFailed:
		e.Name, e.Text = events.BackupFailed, "The backup "+b.Name+" failed: "+reason
		e.Data["error"] = reason
	case kind.BackupStateCancelled, kind.BackupStatePending, kind.BackupStateRunning, kind.BackupStateVerifying:
		return nil // whoever cancelled it is on record
	}
	return events.Emit(ctx, e)
}

// thin deletes the backups whose place a new one has taken, by the server's limits and by what it keeps. Those that are
// locked stay, and so does the new one.
func (s *Service) thin(ctx context.Context, t *ent.Tx, sv *ent.Server, fresh string) error {
	rows, err := kept(ctx, t, sv.ID)
	if err != nil {
		return err
	}
	count, size := 0, int64(0)
	for _, b := range rows { // the newest first
		if b.State != kind.BackupStateCompleted {
			continue
		}
		fixed := b.ID == fresh || b.Locked || restoring(sv, b.ID)
		if !fixed && superfluous(sv, b, count, size) {
			u := t.Backup.UpdateOne(b)
			if err := s.hide(ctx, t, sv, b, u); err != nil {
				return err
			}
			if err := u.Exec(ctx); err != nil {
				return fmt.Errorf("delete a backup whose place another one has taken: %w", err)
			}
			continue
		}
		count++
		size += or(b.Size, 0)
	}
	return nil
}

// superfluous reports whether a backup goes when so many newer ones, of such a size together, stay.
func superfluous(sv *ent.Server, b *ent.Backup, newer int, size int64) bool {
	switch {
	case sv.BackupLimit != nil && newer >= *sv.BackupLimit,
		sv.BackupKeep != nil && newer >= *sv.BackupKeep,
		sv.BackupBytesLimit != nil && size+or(b.Size, 0) > *sv.BackupBytesLimit:
		return true
	case sv.BackupKeepDays != nil && b.CompletedAt != nil:
		return time.Since(*b.CompletedAt) > time.Duration(*sv.BackupKeepDays)*24*time.Hour
	}
	return false
}
