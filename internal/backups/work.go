package backups

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"regexp"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// lookEvery is how often it is looked for work that nobody here has begun.
	lookEvery = 2 * time.Second
	// maxWorks is how many backups are looked after at a time.
	maxWorks = 200
	// storeEvery is how often progress is stored.
	storeEvery = time.Second
	// removeTime bounds the removal of an archive.
	removeTime = time.Minute
)

// Run looks after backups until ctx ends, and then waits for what it has begun. Backups go on without it.
func (s *Service) Run(ctx context.Context) {
	ctx = viewer.System(ctx, s.Logger, "look after backups")
	defer s.working.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	tidied := time.Time{}
	for {
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "could not look for backups that are to be made", slog.Any("error", err))
		}
		if time.Since(tidied) > tidyEvery {
			tidied = time.Now()
			s.alone(ctx, "storages", s.tidy)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.woken:
		}
	}
}

// alone does something beside the caller, unless it is being done.
func (s *Service) alone(ctx context.Context, what string, do func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active[what] || len(s.active) >= maxWorks {
		return
	}
	s.active[what] = true
	s.working.Go(func() {
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.active, what)
		}()
		if err := do(ctx); err != nil && ctx.Err() == nil {
			level := slog.LevelWarn
			if fault.CodeOf(err) == fault.NodeOffline {
				level = slog.LevelDebug
			}
			s.Logger.LogAttrs(ctx, level, "work on a backup is tried again", slog.String("what", what), slog.Any("error", err))
		}
	})
}

// look begins what is to be done.
func (s *Service) look(ctx context.Context) error {
	rows, err := s.Client.Backup.Query().Where(backup.Or(backup.StateIn(unfinished...), backup.DeletedAtNotNil())).
		WithServer().WithStorage().Order(ent.Asc(backup.FieldUpdatedAt)).Limit(maxWorks).All(ctx)
	if err != nil {
		return fmt.Errorf("read backups: %w", err)
	}
	for _, b := range rows {
		w := &work{service: s, row: b, server: b.Edges.Server, storage: b.Edges.Storage}
		client, err := s.Link.Backups(w.server.NodeID)
		w.node = client
		switch {
		case b.DeletedAt != nil && (err == nil || w.remote()):
			s.alone(ctx, b.ID, w.remove)
		case b.DeletedAt != nil, err != nil:
			continue // its node is offline, or another instance's
		default:
			s.alone(ctx, b.ID, w.follow)
			if b.Cancelling {
				s.alone(ctx, "cancel "+b.ID, w.cancel)
			}
		}
	}
	return nil
}

// work is what is done for one backup.
type work struct {
	service *Service
	row     *ent.Backup
	server  *ent.Server
	storage *ent.BackupStorage
	node    protocol.BackupServiceClient // nil when the node cannot be reached

	stored time.Time
	told   progress
}

// remote reports whether the archive goes to a storage, and not to the node's own disk.
func (w *work) remote() bool { return w.storage != nil && w.storage.Type == kind.StorageTypeS3 }

// cancel has the node end the backup. Its end comes to whoever follows it.
func (w *work) cancel(ctx context.Context) error {
	ctx, end := context.WithTimeout(ctx, cancelTime)
	defer end()
	_, err := w.node.CancelBackup(ctx, connect.NewRequest(&protocol.CancelBackupRequest{BackupId: w.row.ID, ServerId: w.row.ServerID}))
	return err
}

// forget has the node remove what it has of the backup.
func (w *work) forget(ctx context.Context) error {
	ctx, end := context.WithTimeout(ctx, removeTime)
	defer end()
	_, err := w.node.RemoveBackup(ctx, connect.NewRequest(&protocol.RemoveBackupRequest{BackupId: w.row.ID, ServerId: w.row.ServerID}))
	return err
}

// remove removes the archive of a deleted backup, and then its row.
func (w *work) remove(ctx context.Context) error {
	if w.remote() {
		if err := w.removeObject(ctx); err != nil {
			return err
		}
	} else if err := w.forget(ctx); err != nil {
		return err
	}
	return tx.Do(ctx, w.service.Client, func(ctx context.Context, t *ent.Tx) error {
		_, err := t.Backup.Delete().Where(backup.ID(w.row.ID), backup.DeletedAtNotNil()).Exec(ctx)
		return err
	})
}

// follow has the node make the backup, and stores how far it is until its end.
func (w *work) follow(ctx context.Context) error {
	if w.row.Cancelling && w.row.State == kind.BackupStatePending {
		// The node may not know it at all.
		if err := w.forget(ctx); err != nil {
			return err
		}
		return w.end(ctx, kind.BackupStateCancelled, nil, "")
	}
	spec, err := w.spec(ctx)
	if err != nil {
		return w.hopeless(ctx, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream := w.node.MakeBackup(ctx)
	defer func() { _, _ = stream.CloseRequest(), stream.CloseResponse() }()
	if err := stream.Send(&protocol.MakeBackupRequest{Spec: spec}); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("ask for a backup: %w", err)
	}
	for {
		p, err := stream.Receive()
		if err != nil {
			return w.hopeless(ctx, err)
		}
		if done, err := w.step(ctx, stream, p); done || err != nil {
			return err
		}
	}
}

// hopeless ends a backup as failed when trying again would not help.
func (w *work) hopeless(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if connect.CodeOf(err) == connect.CodeUnimplemented {
		return w.end(ctx, kind.BackupStateFailed, nil, "The node's agent is too old to make backups: update it.")
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	switch f.Code {
	case fault.NotFound, fault.Conflict, fault.BadUserInput, fault.QuotaExceeded:
		return w.end(ctx, kind.BackupStateFailed, nil, f.Message)
	default:
		return err
	}
}

// spec is the backup as its node needs to know it.
func (w *work) spec(ctx context.Context) (*protocol.BackupSpec, error) {
	template, err := w.server.QueryTemplate().Only(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the server's template: %w", err)
	}
	spec := &protocol.BackupSpec{
		BackupId: w.row.ID, ServerId: w.row.ServerID, Gzip: w.row.Compression == kind.BackupCompressionGzip, Ignore: w.row.IgnorePatterns,
		Before: template.BackupBefore, After: template.BackupAfter, Remote: w.remote(),
	}
	if limit := w.server.BackupBytesLimit; limit != nil {
		fixed, err := w.fixed(ctx)
		if err != nil {
			return nil, err
		}
		if spec.MaxBytes = *limit - fixed; spec.MaxBytes <= 0 {
			return nil, fault.New(fault.QuotaExceeded, "Backups that are locked fill what the server may have: delete or unlock one.")
		}
	}
	return spec, nil
}

// fixed is how much the server's backups that cannot go take up.
func (w *work) fixed(ctx context.Context) (int64, error) {
	rows, err := w.service.Client.Backup.Query().Where(backup.ServerID(w.row.ServerID), backup.DeletedAtIsNil(),
		backup.Locked(true), backup.StateEQ(kind.BackupStateCompleted)).All(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the server's backups: %w", err)
	}
	sum := int64(0)
	for _, b := range rows {
		sum += or(b.Size, 0)
	}
	return sum, nil
}

// grantor is where addresses of parts are sent.
type grantor interface {
	Send(*protocol.MakeBackupRequest) error
}

// stages are the states of what a node tells.
var stages = map[protocol.BackupStage]kind.BackupState{
	protocol.BackupStage_BACKUP_STAGE_WAITING: kind.BackupStatePending, protocol.BackupStage_BACKUP_STAGE_RUNNING: kind.BackupStateRunning,
	protocol.BackupStage_BACKUP_STAGE_VERIFYING: kind.BackupStateVerifying, protocol.BackupStage_BACKUP_STAGE_COMPLETED: kind.BackupStateCompleted,
	protocol.BackupStage_BACKUP_STAGE_FAILED: kind.BackupStateFailed, protocol.BackupStage_BACKUP_STAGE_CANCELLED: kind.BackupStateCancelled,
}

// step takes what the node tells; it reports whether that was the last.
func (w *work) step(ctx context.Context, node grantor, p *protocol.BackupProgress) (bool, error) {
	state, known := stages[p.GetStage()]
	if !known {
		return false, nil
	}
	if n := p.GetWantsPart(); n > 0 && w.remote() && state.Unfinished() {
		if err := w.grant(ctx, node, n, p.GetTotal()); err != nil {
			return false, w.storageFailed(ctx, err)
		}
	}
	switch state {
	case kind.BackupStatePending, kind.BackupStateRunning, kind.BackupStateVerifying:
		return false, w.advance(ctx, state, p)
	case kind.BackupStateCompleted:
		return true, w.complete(ctx, p)
	case kind.BackupStateFailed, kind.BackupStateCancelled:
		if err := w.forget(ctx); err != nil {
			return true, err
		}
		return true, w.end(ctx, state, nil, p.GetError())
	}
	return false, nil
}

// storageFailed ends a backup whose storage does not work, after the node has ended it.
func (w *work) storageFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	w.service.Logger.WarnContext(ctx, "a backup storage does not work", slog.String("backup_id", w.row.ID), slog.Any("error", err))
	if err := w.forget(ctx); err != nil {
		return err
	}
	return w.end(ctx, kind.BackupStateFailed, nil, storageReason(err))
}

// advance stores how far the backup is, and tells those who follow it.
func (w *work) advance(ctx context.Context, state kind.BackupState, p *protocol.BackupProgress) error {
	far := p.GetProgress()
	if math.IsNaN(far) {
		far = 0
	}
	n := progress{BackupID: w.row.ID, State: state, Progress: min(max(far, 0), 1), Message: text.Clean(p.GetMessage(), maxMessage)}
	if n == w.told {
		return nil
	}
	w.service.tell(ctx, w.row.ServerID, n)
	again := n.State == w.told.State && time.Since(w.stored) < storeEvery
	w.told = n
	if again {
		return nil
	}
	w.stored = time.Now()
	err := tx.Do(ctx, w.service.Client, func(ctx context.Context, t *ent.Tx) error {
		b, err := t.Backup.Query().Where(backup.ID(w.row.ID), backup.StateIn(unfinished...)).Only(ctx)
		if err != nil {
			return err
		}
		u := t.Backup.UpdateOne(b).SetState(n.State).SetProgress(n.Progress)
		if n.Message != "" {
			u.SetMessage(n.Message)
		}
		return u.Exec(ctx)
	})
	if ent.IsNotFound(err) {
		return errEnded
	}
	if err != nil {
		return fmt.Errorf("store how far a backup is: %w", err)
	}
	return nil
}

// errEnded ends the following of a backup that somebody else has brought to its end.
var errEnded = errors.New("the backup has ended already")

// sum is what a SHA-256 looks like.
var sum = regexp.MustCompile(`^[0-9a-f]{64}$`)

// complete takes the end of a backup that the node has made.
func (w *work) complete(ctx context.Context, p *protocol.BackupProgress) error {
	if p.GetSize() <= 0 || !sum.MatchString(p.GetChecksum()) || p.GetEntries() < 0 {
		return w.end(ctx, kind.BackupStateFailed, nil, "The node told nonsense of the archive: update its agent.")
	}
	if w.remote() {
		if err := w.advance(ctx, kind.BackupStateVerifying, &protocol.BackupProgress{Progress: p.GetProgress() * 0.99, Message: "Putting the archive together"}); err != nil {
			return err
		}
		if err := w.assemble(ctx, p); err != nil {
			return w.storageFailed(ctx, err)
		}
	}
	if err := w.end(ctx, kind.BackupStateCompleted, p, ""); err != nil {
		return err
	}
	if w.remote() {
		return w.forget(ctx)
	}
	return nil
}
