package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	firstBackoff = time.Second
	maxBackoff   = time.Minute
	// stableAfter is the uptime after which earlier crashes are forgotten.
	stableAfter = 10 * time.Minute
	// forgetTime bounds the acknowledgement of an end.
	forgetTime = 2 * time.Second
)

// onEvent takes an instance's event.
func (a *actor) onEvent(ctx context.Context, event runtime.Event, ok bool) {
	switch {
	case !ok:
		a.log.LogAttrs(ctx, slog.LevelWarn, "the program was lost sight of, looking for it again")
		a.dropInstance()
		a.phase = unsure
		a.alarm.Reset(0)
	case event.Exit != nil:
		a.ended(ctx, event.Exit)
	case event.Ready:
		a.ready(ctx)
	default:
		a.tail.wrote(event.Wrote)
	}
}

func (a *actor) ready(ctx context.Context) {
	if a.phase == stray {
		a.strayReady = true
	}
	if a.phase != up || a.State != kind.ServerStateStarting {
		return
	}
	a.setState(ctx, kind.ServerStateRunning, "")
	a.armStable()
	a.dropReplaced(ctx)
}

// armStable makes a good uptime forget earlier crashes.
func (a *actor) armStable() {
	a.alarm.Stop()
	if a.CrashCount > 0 || len(a.Restarts) > 0 {
		a.alarm.Reset(within(a.At.Add(stableAfter), stableAfter))
	}
}

// within returns how long it is until a time, at most limit: times from the disk are those of a clock that may have been
// set since.
func within(at time.Time, limit time.Duration) time.Duration {
	return min(max(0, time.Until(at)), limit)
}

func (a *actor) stable(ctx context.Context) { a.resetCrashes(ctx) }

func (a *actor) dropInstance() {
	a.instance, a.events = nil, nil
	a.live.Store(nil)
	a.alarm.Stop()
	if a.cancelStop != nil {
		a.cancelStop()
		a.cancelStop = nil
	}
}

// ended takes the end of the program: first the state is stored, then the runtime may forget the instance.
func (a *actor) ended(ctx context.Context, exit *runtime.Exit) {
	instance, wasStray := a.instance, a.phase == stray
	a.dropInstance()
	a.phase = idle
	if wasStray {
		a.forgetInstance(ctx, instance) // this end is in the record already
		a.resume(ctx)
		return
	}
	if a.Installing {
		a.unwritten(ctx, exit)
		a.installed(ctx, exit)
		a.forgetInstance(ctx, instance)
		a.reconcile(ctx)
		a.finishRemoval(ctx)
		return
	}
	wanted := a.Power == kind.PowerRun && a.WantedRun <= a.Run && !a.quitting &&
		(a.State == kind.ServerStateStarting || a.State == kind.ServerStateRunning)
	a.unwritten(ctx, exit)
	code := int32(exit.Code)
	a.ExitCode, a.OOMKilled, a.LastLines = &code, exit.OOMKilled, nil
	switch {
	case wanted:
		a.crashed(ctx, exit)
	case a.Failure != "":
		a.LastLines = exit.LastLines
		reason := a.Failure
		a.Failure = ""
		a.say(ctx, "Stopped")
		a.setState(ctx, kind.ServerStateError, reason)
	default:
		a.say(ctx, "Stopped")
		a.setState(ctx, kind.ServerStateStopped, a.quitReason())
	}
	a.forgetInstance(ctx, instance)
	a.reconcile(ctx)
	a.finishRemoval(ctx)
}

// unwritten says how many lines the console lacks.
func (a *actor) unwritten(ctx context.Context, exit *runtime.Exit) {
	if exit.Unwritten > 0 {
		a.say(ctx, fmt.Sprintf("%d lines dropped: the node could not write them to its disk.", exit.Unwritten))
	}
}

func (a *actor) quitReason() string {
	if a.quitting && a.Power == kind.PowerRun {
		return "The node's agent was shut down."
	}
	return ""
}

// forgetInstance lets the runtime remove what it kept about the end. When the agent dies before, the next one finds
// the instance again as a stray.
func (a *actor) forgetInstance(ctx context.Context, instance runtime.Instance) {
	if instance == nil {
		return
	}
	limited, cancel := context.WithTimeout(ctx, forgetTime)
	defer cancel()
	if err := instance.Forget(limited); err != nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "the end of a program is not acknowledged", slog.Any("error", err))
	}
}

// crashed decides about a program that ended unasked.
func (a *actor) crashed(ctx context.Context, exit *runtime.Exit) {
	policy := a.Spec.orEmpty().GetCrash()
	failed := exit.Code != 0 || exit.OOMKilled
	a.LastLines = exit.LastLines // a program that wants something of people may end well, too
	if !failed && policy.GetPolicy() != protocol.CrashPolicy_CRASH_POLICY_ALWAYS {
		a.say(ctx, "Stopped: "+kind.EndedWell)
		a.setState(ctx, kind.ServerStateStopped, kind.EndedWell)
		return
	}
	a.CrashCount++
	reason := crashReason(exit)
	restart := policy.GetPolicy() == protocol.CrashPolicy_CRASH_POLICY_ALWAYS ||
		policy.GetPolicy() == protocol.CrashPolicy_CRASH_POLICY_ON_FAILURE
	switch {
	case !restart:
		a.say(ctx, "Crashed: "+reason)
	case !a.mayRestart(policy):
		reason = fmt.Sprintf("%s; not restarted again after %d restarts: look at the console, then start the server", reason, len(a.Restarts))
		a.say(ctx, "Crashed: "+reason)
	default:
		delay := min(firstBackoff<<min(len(a.Restarts), 10), maxBackoff)
		a.Restarts = append(a.Restarts, time.Now())
		a.RestartAt = time.Now().Add(delay)
		a.phase = waiting
		a.alarm.Reset(delay)
		a.say(ctx, fmt.Sprintf("Crashed: %s, restarting in %s", reason, delay))
	}
	a.setState(ctx, kind.ServerStateCrashed, reason)
}

// mayRestart forgets restarts that lie before the window, and reports whether one more is allowed.
func (a *actor) mayRestart(policy *protocol.CrashSpec) bool {
	if window := time.Duration(policy.GetWindowMs()) * time.Millisecond; window > 0 {
		now := time.Now()
		a.Restarts = slices.DeleteFunc(slices.Clone(a.Restarts), func(at time.Time) bool {
			return at.Before(now.Add(-window)) || at.After(now) // the clock was set back
		})
	}
	return len(a.Restarts) < int(policy.GetMaxRestarts())
}

func crashReason(exit *runtime.Exit) string {
	switch {
	case exit.OOMKilled:
		return "ran out of memory"
	case exit.Lost && exit.Code < 0:
		return "ended while the agent was away"
	case exit.Signal != 0:
		return fmt.Sprintf("ended by signal %d", exit.Signal)
	default:
		return fmt.Sprintf("exited with code %d", exit.Code)
	}
}

// reasonOf returns what a person should read of an error.
func reasonOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return err.Error()
}
