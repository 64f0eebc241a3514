package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// atOnce is how many backups are made at a time.
	atOnce = 2
	// maxTries is how often a backup is begun that the end of the agent cuts off.
	maxTries = 3
	// replacedLife is how long the files stay whose place restored ones have taken.
	replacedLife = 24 * time.Hour
	// tidyEvery is how often they are looked for.
	tidyEvery = time.Hour
)

// Consoles are those of the servers. supervisor.Supervisor has them.
type Consoles interface {
	// Input writes a line to a running program, or fails with CONFLICT when none runs.
	Input(ctx context.Context, serverID, text string) (uint64, error)
	// Notice adds a SYSTEM line.
	Notice(ctx context.Context, serverID, text string)
	// Last is the number of the last line.
	Last(serverID string) uint64
}

// Config is what a Keeper needs.
type Config struct {
	// Dir is where the backups are kept.
	Dir string
	// ReadRate is how many bytes of files are read in a second, for all backups together; 0 is as fast as it goes.
	ReadRate int64
	// Logger is for operators.
	Logger *slog.Logger
}

// Keeper owns the backups of a node.
type Keeper struct {
	config Config
	path   string
	pace   *pace

	// What Start is given.
	store    *files.Store
	consoles Consoles
	life     context.Context //nolint:containedctx // of the backups, which no call's context may shorten
	end      context.CancelFunc
	running  sync.WaitGroup
	turns    chan struct{}

	mu     sync.Mutex
	closed bool
	jobs   map[string]*job
	taken  map[string]chan struct{} // by server: holds one token while a backup of it is made
}

// Open opens the directory of the backups, which it makes if need be.
func Open(config Config) (*Keeper, error) {
	path, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the directory of backups: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of backups: %w", err)
	}
	return &Keeper{
		config: config, path: path, pace: newPace(config.ReadRate), turns: make(chan struct{}, atOnce),
		jobs: make(map[string]*job), taken: make(map[string]chan struct{}),
	}, nil
}

// Start goes on with what an earlier agent has begun. The context bounds nothing but this call; the backups live until
// Close.
func (k *Keeper) Start(ctx context.Context, store *files.Store, consoles Consoles) {
	k.store, k.consoles = store, consoles
	k.life, k.end = context.WithCancel(context.WithoutCancel(ctx))
	notes, err := k.loadAll()
	if err != nil {
		k.config.Logger.LogAttrs(ctx, slog.LevelWarn, "some backups cannot be read", slog.Any("error", err))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range notes {
		if !final(n.state.GetStage()) {
			k.begin(n) //nolint:contextcheck // it goes on until Close
		}
	}
}

// Run removes what restorations have replaced once it is old, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for {
		ids, err := k.store.List()
		for _, id := range ids {
			err = errors.Join(err, k.store.DropReplaced(ctx, id, time.Now().Add(-replacedLife)))
		}
		if err != nil && ctx.Err() == nil {
			k.config.Logger.LogAttrs(ctx, slog.LevelWarn, "files that were replaced are not removed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Close breaks off what goes on, which the next agent begins anew, and waits for its end.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.end()
	k.running.Wait()
}

// final reports whether nothing follows a stage.
func final(s protocol.BackupStage) bool {
	switch s {
	case protocol.BackupStage_BACKUP_STAGE_COMPLETED, protocol.BackupStage_BACKUP_STAGE_FAILED, protocol.BackupStage_BACKUP_STAGE_CANCELLED:
		return true
	case protocol.BackupStage_BACKUP_STAGE_UNSPECIFIED, protocol.BackupStage_BACKUP_STAGE_WAITING,
		protocol.BackupStage_BACKUP_STAGE_RUNNING, protocol.BackupStage_BACKUP_STAGE_VERIFYING:
	}
	return false
}

// checkIDs refuses identifiers that are none: they become names of files.
func checkIDs(serverID, backupID string) error {
	if !kind.ValidID(kind.PrefixServer, serverID) || !kind.ValidID(kind.PrefixBackup, backupID) {
		return fault.New(fault.BadUserInput, "A backup is named by its own and its server's id.")
	}
	return nil
}

var errClosing = fault.New(fault.NodeOffline, "The node's agent is shutting down: try again when it is back.")

// make begins a backup, or finds it.
func (k *Keeper) make(spec *protocol.BackupSpec) (*job, error) {
	if err := checkIDs(spec.GetServerId(), spec.GetBackupId()); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, errClosing
	}
	if j := k.jobs[spec.GetBackupId()]; j != nil {
		return j, nil
	}
	n, err := k.load(spec.GetServerId(), spec.GetBackupId())
	if err != nil {
		k.config.Logger.LogAttrs(k.life, slog.LevelError, "a backup's record is unreadable", slog.String("backup_id", spec.GetBackupId()), slog.Any("error", err))
		return nil, fault.New(fault.Conflict, "The node cannot read any more what it knows of this backup: delete it and make another one.").Wrap(err)
	}
	if n != nil {
		return ended(n), nil
	}
	tree, err := k.store.Tree(spec.GetServerId())
	if err != nil {
		return nil, err
	}
	_ = tree.Close() // it was only looked whether it is there
	n = &note{spec: proto.CloneOf(spec), state: &protocol.BackupProgress{Stage: protocol.BackupStage_BACKUP_STAGE_WAITING}}
	if err := k.save(n); err != nil {
		return nil, err
	}
	return k.begin(n), nil
}

// begin has a backup made. The caller holds the mutex.
func (k *Keeper) begin(n *note) *job {
	j := newJob(k, n)
	k.jobs[n.spec.GetBackupId()] = j
	k.running.Go(func() {
		defer close(j.done)
		j.run()
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.jobs, n.spec.GetBackupId())
	})
	return j
}

// turn waits until a backup of the server may be made. The result ends the turn.
func (k *Keeper) turn(ctx context.Context, serverID string) (func(), error) {
	k.mu.Lock()
	own := k.taken[serverID]
	if own == nil {
		own = make(chan struct{}, 1)
		k.taken[serverID] = own
	}
	k.mu.Unlock()
	for i, c := range []chan struct{}{own, k.turns} {
		select {
		case c <- struct{}{}:
		case <-ctx.Done():
			if i > 0 {
				<-own
			}
			return nil, context.Cause(ctx)
		}
	}
	return func() { <-k.turns; <-own }, nil
}

func (k *Keeper) find(backupID string) *job {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.jobs[backupID]
}

// Cancel ends a backup that is being made, and waits for that. Any other one stays as it is.
func (k *Keeper) Cancel(ctx context.Context, backupID string) error {
	j := k.find(backupID)
	if j == nil {
		return nil
	}
	j.cancel(errCancelled)
	select {
	case <-j.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Remove removes a backup. What is not there is removed.
func (k *Keeper) Remove(ctx context.Context, serverID, backupID string) error {
	if err := checkIDs(serverID, backupID); err != nil {
		return err
	}
	if err := k.Cancel(ctx, backupID); err != nil {
		return err
	}
	return k.erase(serverID, backupID)
}

// RemoveServer removes all backups of a server.
func (k *Keeper) RemoveServer(ctx context.Context, serverID string) error {
	if !kind.ValidID(kind.PrefixServer, serverID) {
		return fault.New(fault.BadUserInput, "A server's id is needed to remove its backups.")
	}
	for _, id := range k.of(serverID) {
		if err := k.Cancel(ctx, id); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(k.dir(serverID)); err != nil {
		return fmt.Errorf("remove the backups of a server: %w", err)
	}
	return nil
}

// of names the backups of a server that are being made.
func (k *Keeper) of(serverID string) (ids []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, j := range k.jobs {
		if j.note.spec.GetServerId() == serverID {
			ids = append(ids, id)
		}
	}
	return ids
}
