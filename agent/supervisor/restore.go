package supervisor

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Restoration is a server's files that are to be restored from a backup.
type Restoration struct {
	Files    *files.Store
	ServerID string
	Spec     *protocol.RestoreSpec
	// Renewed is what Prepared was given by an agent that was killed after it; empty otherwise.
	Renewed string
	// Prepared writes down what it is given. It is called before the server's files are touched.
	Prepared func(identity string) error
	// Progress takes how far it is, from 0 to 1.
	Progress func(fraction float64, message string)
}

// putBack begins the wanted restoration, after the program has been stopped.
func (a *actor) putBack(ctx context.Context) {
	switch a.phase {
	case idle, waiting:
		a.alarm.Stop()
		a.Restore, a.Restoring, a.Renewed, a.RestartAt = a.WantedRestore, true, "", time.Time{}
		a.say(ctx, "Restoring from a backup")
		a.setState(ctx, kind.ServerStateRestoring, "")
		a.restore(ctx)
	case launching, up:
		a.stop(ctx, false)
	case ending, unsure, stray, restoring:
		// Its end comes back here.
	}
}

// restore restores the files beside the actor. An earlier agent may have begun it.
func (a *actor) restore(ctx context.Context) {
	a.phase = restoring
	limited, cancel := context.WithCancel(ctx)
	a.cancelRestore = cancel
	spec := proto.CloneOf(a.Spec.orEmpty().GetRestore())
	r := Restoration{
		Files: a.supervisor.store, ServerID: a.id, Spec: spec, Renewed: a.Renewed,
		Prepared: func(identity string) error {
			var stored error
			err := a.ask(limited, func(context.Context) {
				a.Renewed = identity
				stored = a.save(a.dir.Path)
			})
			if err != nil {
				return err
			}
			return stored
		},
		Progress: func(fraction float64, message string) {
			err := a.supervisor.config.RestoreProgress(&protocol.RestoreProgress{
				ServerId: a.id, BackupId: spec.GetBackupId(), Progress: fraction, Message: message,
			})
			if err != nil {
				a.log.LogAttrs(ctx, slog.LevelWarn, "the progress of a restoration is not told", slog.Any("error", err))
			}
		},
	}
	a.tasks.Go(func() {
		defer cancel()
		err := a.supervisor.config.Restore(limited, r)
		a.post(ctx, func(ctx context.Context) { a.restored(ctx, err) })
	})
}

// restored takes the end of a restoration. A server whose restoration failed has the files that it had.
func (a *actor) restored(ctx context.Context, err error) {
	a.phase, a.cancelRestore = idle, nil
	a.Restoring, a.Renewed = false, ""
	switch {
	case a.Removing:
	case err != nil:
		a.log.LogAttrs(ctx, slog.LevelWarn, "server is not restored", slog.Any("error", err))
		reason := "The restoration failed, and the server's files are as they were. " + reasonOf(err)
		a.say(ctx, reason)
		a.setState(ctx, kind.ServerStateStopped, reason)
	default:
		a.say(ctx, "Restored")
		a.setState(ctx, kind.ServerStateStopped, "")
	}
	a.reconcile(ctx)
	a.finishRemoval(ctx)
}

// dropReplaced frees the room of the files whose place restored ones have taken: the program runs with these.
func (a *actor) dropReplaced(ctx context.Context) {
	a.tasks.Go(func() {
		if err := a.supervisor.store.DropReplaced(ctx, a.id, time.Now()); err != nil && ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelWarn, "files that were replaced are not removed", slog.Any("error", err))
		}
	})
}

// Last is the number of the last line of a server's console.
func (s *Supervisor) Last(id string) uint64 {
	a := s.find(id)
	if a == nil {
		return 0
	}
	return a.tail.Last()
}
