package backups

import (
	"context"
	"time"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// waitEvery is how often a task looks whether its backup has ended.
const waitEvery = 500 * time.Millisecond

// Make makes a backup for a task and waits for its end. It needs backup.create, and fails when the backup does.
func (s *Service) Make(ctx context.Context, serverID, name, runID string) error {
	in := CreateInput{ServerID: serverID, TaskRunID: &runID}
	if name != "" {
		in.Name = &name
	}
	b, err := s.Create(ctx, in)
	if err != nil {
		return err
	}
	tick := time.NewTicker(waitEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fault.New(fault.Conflict, "The panel was shut down meanwhile. The backup goes on.")
		case <-tick.C:
		}
		row, err := s.read(ctx, b.ID)
		if err != nil {
			return err
		}
		switch row.State {
		case kind.BackupStateCompleted:
			return nil
		case kind.BackupStateFailed:
			return fault.New(fault.Conflict, "The backup failed: %s", or(row.Error, ""))
		case kind.BackupStateCancelled:
			return fault.New(fault.Conflict, "The backup was cancelled.")
		case kind.BackupStatePending, kind.BackupStateRunning, kind.BackupStateVerifying:
		}
	}
}
