package backups

import (
	"context"
	"fmt"
	"log/slog"
	"math"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// maxMessage is the longest message of a progress, in bytes.
	maxMessage = 512
	// followBuffer is how many steps wait for a slow reader.
	followBuffer = 64
)

// progress is a step of a backup, or of a restoration from it.
type progress struct {
	BackupID  string           `json:"b"`
	Restoring bool             `json:"r,omitempty"`
	State     kind.BackupState `json:"s"`
	Progress  float64          `json:"p"`
	Message   string           `json:"m,omitempty"`
}

// Progress is how far a backup, or a restoration from one, is.
type Progress struct {
	Backup *ent.Backup
	// Restoring says that a server is being restored from it; State is that of the backup all the same.
	Restoring bool
	State     kind.BackupState
	Progress  float64
	Message   string
}

// progressTopic carries steps, by server.
var progressTopic = bus.NewTopic[progress]("backup-progress")

// tell publishes a step.
func (s *Service) tell(ctx context.Context, serverID string, p progress) {
	if err := progressTopic.Publish(ctx, s.Bus, serverID, p); err != nil {
		s.Logger.WarnContext(ctx, "could not tell how far a backup is", slog.String("server_id", serverID), slog.Any("error", err))
	}
}

// Restoring passes on what a node tells of a restoration. Word of another node's servers is dropped.
func (s *Service) Restoring(ctx context.Context, nodeID string, p *protocol.RestoreProgress) error {
	ctx = viewer.System(ctx, nil, "progress of a restoration")
	ours, err := s.Client.Server.Query().Where(server.ID(p.GetServerId()), server.NodeID(nodeID),
		server.StateEQ(kind.ServerStateRestoring), server.RestoreBackupID(p.GetBackupId())).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for the server of a restoration: %w", err)
	}
	far := p.GetProgress()
	if !ours || math.IsNaN(far) {
		return nil
	}
	s.tell(ctx, p.GetServerId(), progress{
		BackupID: p.GetBackupId(), Restoring: true, State: kind.BackupStateCompleted,
		Progress: min(max(far, 0), 1), Message: text.Clean(p.GetMessage(), maxMessage),
	})
	return nil
}

// Follow sends how far the backups of a server are: first how they stand, then each step. It ends when those that are being
// made have ended; when there are none, it sends the latest, and waits for the next. It needs backup.read, and blocks until
// then, until ctx ends, or the right is lost.
func (s *Service) Follow(ctx context.Context, serverID string, send func(Progress) error) error {
	ctx, closeGate, err := s.Gate.Open(ctx, access.BackupRead, access.On(serverID))
	if err != nil {
		return err
	}
	defer closeGate()
	steps, err := progressTopic.Subscribe(ctx, s.Bus, serverID, bus.Options{Buffer: followBuffer, Policy: bus.Latest})
	if err != nil {
		return fmt.Errorf("follow backups: %w", err)
	}
	defer steps.Close()
	busy, err := s.standing(ctx, serverID, send)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-steps.Gap():
			before := busy
			if busy, err = s.standing(ctx, serverID, send); err != nil || before > 0 && busy == 0 {
				return err
			}
		case p, ok := <-steps.C():
			if !ok {
				return context.Cause(ctx)
			}
			if err := s.pass(ctx, p, send); err != nil {
				return err
			}
			if p.Restoring || p.State.Unfinished() {
				continue
			}
			if busy, err = s.busy(ctx, serverID); err != nil || busy == 0 {
				return err
			}
		}
	}
}

// busy counts the backups of a server that are being made.
func (s *Service) busy(ctx context.Context, serverID string) (int, error) {
	n, err := s.Client.Backup.Query().Where(backup.ServerID(serverID), backup.StateIn(unfinished...)).
		Count(viewer.System(ctx, nil, "count backups that are being made"))
	if err != nil {
		return 0, fmt.Errorf("count backups: %w", err)
	}
	return n, nil
}

// standing sends how the backups stand, and counts those that are being made.
func (s *Service) standing(ctx context.Context, serverID string, send func(Progress) error) (int, error) {
	const most = 20
	rows, err := s.Client.Backup.Query().Where(backup.ServerID(serverID), backup.DeletedAtIsNil()).
		Order(ent.Desc(backup.FieldCreatedAt, backup.FieldID)).Limit(most).All(viewer.System(ctx, nil, "read backups that are followed"))
	if err != nil {
		return 0, fmt.Errorf("read backups: %w", err)
	}
	busy := 0
	for i, b := range rows {
		if b.State.Unfinished() {
			busy++
		}
		if b.State.Unfinished() || i == 0 {
			p := Progress{Backup: b, State: b.State, Progress: b.Progress, Message: or(b.Message, or(b.Error, ""))}
			if err := send(p); err != nil {
				return 0, err
			}
		}
	}
	return busy, nil
}

// pass sends a step.
func (s *Service) pass(ctx context.Context, p progress, send func(Progress) error) error {
	b, err := s.Client.Backup.Get(viewer.System(ctx, nil, "read a backup that is followed"), p.BackupID)
	if ent.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read backup: %w", err)
	}
	return send(Progress{Backup: b, Restoring: p.Restoring, State: p.State, Progress: p.Progress, Message: p.Message})
}
