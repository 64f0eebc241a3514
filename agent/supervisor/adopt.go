package supervisor

import (
	"context"
	"log/slog"
	"time"

	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// adoptTime bounds one attempt to find a program again.
const adoptTime = 10 * time.Second

// adopt asks the runtime for the program of an earlier agent and takes up where that one ended. It is the one thing
// that the actor itself waits for: without the answer no order can be carried out.
func (a *actor) adopt(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, adoptTime)
	defer cancel()
	instance, err := a.supervisor.config.Runtime.Adopt(limited, a.dir)
	if err != nil {
		if ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelError, "cannot tell whether the program runs, trying again", slog.Any("error", err))
		}
		a.phase = unsure
		a.alarm.Reset(retryAdoption)
		return
	}
	if instance == nil {
		a.resume(ctx)
		return
	}
	a.attach(instance)
	switch a.State {
	case kind.ServerStateInstalling:
		a.armInstallTimeout(strayTime)
	case kind.ServerStateStarting:
		a.Run = instance.Run()
		a.armStartTimeout(strayTime)
	case kind.ServerStateRunning:
		a.Run = instance.Run()
		a.armStable()
	case kind.ServerStateStopping:
		a.phase = ending
		if !a.Installing {
			a.Run = instance.Run()
		}
		if a.Power == kind.PowerKill || a.Installing {
			a.kill(ctx)
		} else {
			a.askToStop(ctx) // the earlier agent may not have come to it
		}
	default:
		// Either the earlier agent died between storing the end and acknowledging it, or the program runs against
		// the record. The former tells its end at once.
		a.live.Store(nil)
		a.phase, a.strayReady = stray, false
		a.alarm.Reset(strayTime)
	}
	a.reconcile(ctx)
}

// resume takes up the record where there is no program.
func (a *actor) resume(ctx context.Context) {
	a.phase = idle
	switch a.State {
	case kind.ServerStateInstalling:
		if a.Installing && a.Power != kind.PowerKill && a.Spec != nil {
			a.Install-- // the earlier agent did not come to it
			a.WantedInstall = max(a.WantedInstall, a.Install+1)
			a.install(ctx)
			return
		}
		a.Installing = false
		a.setState(ctx, kind.ServerStateStopped, "")
	case kind.ServerStateStarting:
		if a.Power == kind.PowerRun && a.WantedRun <= a.Run && a.Spec != nil {
			a.launch(ctx, a.Run) // the earlier agent did not come to it
			return
		}
		a.setState(ctx, kind.ServerStateStopped, "")
	case kind.ServerStateRunning, kind.ServerStateStopping:
		a.ended(ctx, &runtime.Exit{Code: -1, At: time.Now(), Lost: true})
		return
	case kind.ServerStateRestoring:
		if a.Restoring && !a.Removing {
			a.restore(ctx) // the earlier agent did not come to its end
			return
		}
		a.Restoring = false
		a.setState(ctx, kind.ServerStateStopped, "")
	case kind.ServerStateCrashed:
		if !a.RestartAt.IsZero() && a.Power == kind.PowerRun {
			a.phase = waiting
			a.alarm.Reset(within(a.RestartAt, maxBackoff))
		}
	default:
	}
	a.reconcile(ctx)
	a.finishRemoval(ctx)
}

// keepStray takes up a program that runs although the record says that it has ended.
func (a *actor) keepStray(ctx context.Context) {
	if a.instance.Run() == runtime.InstallRun { // the record was lost: nobody knows any more what it is for
		a.attachStray()
		a.Installing = true
		a.setState(ctx, kind.ServerStateInstalling, "")
		a.armInstallTimeout(strayTime)
		a.reconcile(ctx)
		return
	}
	a.attachStray()
	a.Run = max(a.Run, a.instance.Run())
	a.setState(ctx, kind.ServerStateStarting, "The program was found running.")
	if a.strayReady {
		a.ready(ctx)
	} else {
		a.armStartTimeout(strayTime)
	}
	a.reconcile(ctx)
}

func (a *actor) attachStray() {
	a.phase, a.stage = up, notAsked
	a.RestartAt = time.Time{}
	a.live.Store(&live{instance: a.instance, spec: a.Active.orEmpty()})
}
