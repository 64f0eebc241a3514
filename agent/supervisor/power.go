package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// defaultGrace is used where a specification gives none.
	defaultGrace = 10 * time.Second
	// maxTermGrace bounds the time between SIGTERM and SIGKILL.
	maxTermGrace = 10 * time.Second
	// killAgain is how often SIGKILL is repeated, killPatience after what time the failure is reported.
	killAgain    = time.Second
	killPatience = 5 * time.Second
	// signalTime bounds the delivery of one signal.
	signalTime = 5 * time.Second
	// launchAgain is how often a start is repeated while the holder of the previous instance is still leaving.
	launchAgain    = 50 * time.Millisecond
	launchPatience = 5 * time.Second

	retryAdoption = 2 * time.Second
	retryRemoval  = 2 * time.Second
	strayTime     = 2 * time.Second
)

// reconcile begins whatever brings the server nearer to what is desired. It is called after each change of either.
func (a *actor) reconcile(ctx context.Context) {
	if a.phase == unsure || a.phase == stray || a.quitting {
		return
	}
	if a.Installing {
		if a.Power == kind.PowerKill {
			a.halt(ctx, true)
		}
		return // its end comes back here
	}
	if a.Restoring {
		if a.Removing {
			a.cancelRestore()
		}
		return // its end comes back here
	}
	if a.WantedInstall > a.Install {
		if a.Power != kind.PowerKill {
			a.reinstall(ctx)
			return
		}
		a.Install = a.WantedInstall // whatever was asked for before a kill is dropped
	}
	if a.WantedRestore > a.Restore && !a.Removing {
		a.putBack(ctx)
		return
	}
	switch a.Power {
	case kind.PowerRun:
		if a.WantedRun > a.Run {
			a.replace(ctx)
		}
	case kind.PowerStop:
		a.halt(ctx, false)
	case kind.PowerKill:
		a.halt(ctx, true)
	}
}

// replace starts the wanted run, after the older one has been stopped.
func (a *actor) replace(ctx context.Context) {
	switch a.phase {
	case idle, waiting:
		// Somebody asked for this start: the crash policy gets its full allowance again.
		a.Restarts = nil
		a.launch(ctx, a.WantedRun)
	case launching, up:
		a.stop(ctx, false)
	case ending, unsure, stray, restoring:
		// The end of the program comes back here.
	}
}

// halt makes the server stopped, whatever it does.
func (a *actor) halt(ctx context.Context, force bool) {
	a.Failure = ""
	if a.phase != idle && a.phase != waiting {
		a.stop(ctx, force)
		return
	}
	a.alarm.Stop()
	a.phase, a.RestartAt = idle, time.Time{}
	if a.State == kind.ServerStateError && !force {
		return // it does not run, and the reason why must not be lost
	}
	if a.State != kind.ServerStateStopped {
		a.setState(ctx, kind.ServerStateStopped, "")
	}
}

// stop begins to stop the program, or goes on to kill it.
func (a *actor) stop(ctx context.Context, force bool) {
	switch a.phase {
	case launching:
		a.cancelLaunch()
		a.forced = a.forced || force
		if !a.aborted {
			a.aborted = true
			a.alarm.Reset(killPatience)
			a.setState(ctx, kind.ServerStateStopping, "")
		}
	case up:
		a.phase = ending
		if force || a.Installing { // a script has no way to end early
			a.kill(ctx)
		} else {
			a.askToStop(ctx)
		}
		a.setState(ctx, kind.ServerStateStopping, a.Failure)
	case ending:
		if force && a.stage != killed {
			a.kill(ctx)
			a.report(ctx)
		}
	case idle, waiting, unsure, stray, restoring:
	}
}

// askToStop sends the stop command, or the signal where there is none.
func (a *actor) askToStop(ctx context.Context) {
	spec := a.Active.orEmpty().GetStop()
	grace := a.grace()
	a.stage = asked
	a.alarm.Reset(grace)
	a.say(ctx, "Stopping")
	if command := spec.GetCommand(); command != "" {
		a.typeStop(ctx, command, grace)
		return
	}
	signal := unix.SignalNum("SIG" + spec.GetSignal())
	if signal == 0 {
		signal = syscall.SIGTERM
	}
	if signal == syscall.SIGTERM {
		a.stage = termed
	}
	a.signal(ctx, signal)
}

// typeStop writes the stop command beside the actor, since a program need not read.
func (a *actor) typeStop(ctx context.Context, command string, grace time.Duration) {
	instance := a.instance
	typing, cancel := context.WithTimeout(ctx, grace)
	a.cancelStop = cancel
	a.tasks.Go(func() {
		defer cancel()
		_, err := instance.Input(typing, command)
		if err == nil || errors.Is(err, runtime.ErrNotRunning) {
			return
		}
		a.post(ctx, func(ctx context.Context) {
			if a.instance == instance && a.stage == asked {
				a.terminate(ctx)
			}
		})
	})
}

func (a *actor) terminate(ctx context.Context) {
	a.stage = termed
	a.alarm.Reset(min(a.grace(), maxTermGrace))
	a.signal(ctx, syscall.SIGTERM)
}

func (a *actor) kill(ctx context.Context) {
	a.stage, a.killedAt = killed, time.Now()
	a.alarm.Reset(killAgain)
	a.signal(ctx, syscall.SIGKILL)
	a.say(ctx, "Killing")
}

// signal sends a signal beside the actor.
func (a *actor) signal(ctx context.Context, signal syscall.Signal) {
	instance := a.instance
	a.tasks.Go(func() {
		limited, cancel := context.WithTimeout(ctx, signalTime)
		defer cancel()
		if err := instance.Signal(limited, signal); err != nil && !errors.Is(err, runtime.ErrNotRunning) && ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelWarn, "signal was not delivered", slog.String("signal", signal.String()), slog.Any("error", err))
		}
	})
}

func (a *actor) grace() time.Duration {
	if ms := a.Active.orEmpty().GetStop().GetGraceMs(); ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return defaultGrace
}

// launch starts a program with the latest specification.
func (a *actor) launch(ctx context.Context, run uint64) {
	a.Run, a.Active = run, a.Spec
	a.begin(ctx, kind.ServerStateStarting, "Starting")
	spec := runtime.Spec{Dir: a.dir, Run: run, Server: a.situated(a.Active.orEmpty())}
	a.launching(ctx, spec, func(ctx context.Context) error { return a.configure(ctx, spec.Server) })
}

// begin says that a run begins, and forgets the end of the one before.
func (a *actor) begin(ctx context.Context, state kind.ServerState, notice string) {
	a.phase, a.stage, a.aborted, a.forced = launching, notAsked, false, false
	a.alarm.Stop()
	a.ExitCode, a.OOMKilled, a.LastLines, a.Failure, a.RestartAt = nil, false, nil, "", time.Time{}
	a.setState(ctx, state, "")
	a.say(ctx, notice)
}

// launching has the runtime start a run, beside the actor; ready prepares the server's files.
func (a *actor) launching(ctx context.Context, spec runtime.Spec, ready func(context.Context) error) {
	said := a.said
	limited, cancel := context.WithCancel(ctx)
	a.cancelLaunch = cancel
	a.tasks.Go(func() {
		defer cancel()
		instance, err := a.start(limited, spec, said, ready)
		seen := a.post(ctx, func(ctx context.Context) { a.launched(ctx, instance, err) })
		if !seen && instance != nil {
			instance.Detach()
		}
	})
}

// start asks the runtime for a program. It runs beside the actor.
func (a *actor) start(ctx context.Context, spec runtime.Spec, said <-chan struct{}, ready func(context.Context) error) (runtime.Instance, error) {
	select {
	case <-said: // the holder needs the console to itself
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := a.supervisor.store.Create(a.id); err != nil {
		return nil, err
	}
	if err := a.prepare(ctx, spec); err != nil {
		return nil, err
	}
	if err := ready(ctx); err != nil {
		return nil, err
	}
	retry := time.NewTimer(launchAgain)
	defer retry.Stop()
	for begun := time.Now(); ; {
		instance, err := a.supervisor.config.Runtime.Start(ctx, spec)
		if !errors.Is(err, runtime.ErrAlreadyRunning) {
			return instance, err
		}
		adopted, adoptErr := a.supervisor.config.Runtime.Adopt(ctx, a.dir)
		if adoptErr == nil && adopted != nil {
			return adopted, nil
		}
		if time.Since(begun) > launchPatience {
			return nil, err
		}
		retry.Reset(launchAgain)
		select {
		case <-retry.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// prepare fetches what the start needs, and says in the console what it is about. It runs beside the actor.
func (a *actor) prepare(ctx context.Context, spec runtime.Spec) error {
	return a.supervisor.config.Runtime.Prepare(ctx, spec.Server, func(fraction float64, message string) {
		if spec.Run == runtime.InstallRun {
			a.progress(ctx, fraction*fetched, message)
		}
		if message != "" {
			a.tell(ctx, spec.Server, message)
		}
	})
}

// launched takes what the runtime answered.
func (a *actor) launched(ctx context.Context, instance runtime.Instance, err error) {
	a.alarm.Stop()
	if err != nil {
		a.phase = idle
		a.notLaunched(ctx, err)
		a.reconcile(ctx)
		a.finishRemoval(ctx)
		return
	}
	a.attach(instance)
	if !a.Installing {
		a.Run = instance.Run()
	}
	if a.aborted {
		a.phase = ending
		if a.forced || a.Installing {
			a.kill(ctx)
		} else {
			a.askToStop(ctx)
		}
		return
	}
	if a.Installing {
		a.armInstallTimeout(0)
		a.reconcile(ctx)
		return
	}
	a.armStartTimeout(0)
	a.limit(ctx)
	a.reconcile(ctx)
}

func (a *actor) notLaunched(ctx context.Context, err error) {
	if ctx.Err() != nil && !a.aborted {
		return // the agent ends: the next one starts it
	}
	if a.Installing {
		a.notInstalled(ctx, err)
		return
	}
	if a.aborted {
		a.say(ctx, "Stopped")
		a.setState(ctx, kind.ServerStateStopped, "")
		return
	}
	a.log.LogAttrs(ctx, slog.LevelWarn, "server does not start", slog.Any("error", err))
	reason := reasonOf(err)
	a.say(ctx, "Could not be started: "+reason)
	a.setState(ctx, kind.ServerStateError, reason)
}

// attach makes an instance the server's program.
func (a *actor) attach(instance runtime.Instance) {
	a.instance, a.events = instance, instance.Events()
	a.phase, a.stage = up, notAsked
	a.live.Store(&live{instance: instance, spec: a.Active.orEmpty()})
}

// armStartTimeout limits how long the server may stay STARTING. A program that was adopted gets at least the time in
// which its instance tells that it has long been ready.
func (a *actor) armStartTimeout(atLeast time.Duration) {
	if ms := a.Active.orEmpty().GetStartTimeoutMs(); ms > 0 {
		timeout := time.Duration(ms) * time.Millisecond
		a.alarm.Reset(max(atLeast, within(a.At.Add(timeout), timeout)))
	}
}

// onAlarm does what the phase was waiting to do.
func (a *actor) onAlarm(ctx context.Context) {
	switch a.phase {
	case launching:
		if a.aborted && a.State != kind.ServerStateError {
			a.setState(ctx, kind.ServerStateError, "The node could not call off the start; it goes on trying.")
		}
	case up:
		if a.State == kind.ServerStateRunning {
			a.stable(ctx)
			return
		}
		if a.Installing {
			a.installTooLong(ctx)
			return
		}
		a.Failure = fmt.Sprintf("The server did not become ready within %s.", time.Duration(a.Active.orEmpty().GetStartTimeoutMs())*time.Millisecond)
		a.say(ctx, a.Failure)
		a.stop(ctx, false)
	case ending:
		a.escalate(ctx)
	case waiting:
		a.launch(ctx, a.Run)
	case unsure:
		a.adopt(ctx)
	case stray:
		a.keepStray(ctx)
	case idle:
		a.finishRemoval(ctx)
	case restoring:
	}
}

// escalate goes on stopping a program that has not ended yet.
func (a *actor) escalate(ctx context.Context) {
	switch a.stage {
	case notAsked, asked:
		a.terminate(ctx)
	case termed:
		a.kill(ctx)
	case killed:
		a.alarm.Reset(killAgain)
		a.signal(ctx, syscall.SIGKILL)
		if time.Since(a.killedAt) >= killPatience && a.State != kind.ServerStateError {
			a.setState(ctx, kind.ServerStateError, "The program does not end although it was killed; the node goes on trying.")
		}
	}
}
