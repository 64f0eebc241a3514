package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	consoleDir = "console"
	// reportAgain is when a report is repeated that could not be passed on.
	reportAgain = 5 * time.Second
	// limitTime bounds the change of a running program's limits.
	limitTime = 15 * time.Second
)

// phase is what the actor itself is about; the server's state is what others are told.
type phase int

const (
	// idle: there is no program.
	idle phase = iota
	// launching: the runtime has been asked for a program.
	launching
	// up: a program runs, and may.
	up
	// ending: a program runs and is being stopped.
	ending
	// waiting: a crashed program will be started again.
	waiting
	// unsure: the runtime could not say whether there is a program; it is asked again.
	unsure
	// stray: the runtime has a program that the record says has ended; it either ends now or runs after all.
	stray
	// restoring: files are restored, and there is no program.
	restoring
)

// stage is how far the stopping of a program has gone.
type stage int

const (
	notAsked stage = iota
	asked          // the stop command or signal was sent
	termed         // SIGTERM was sent
	killed         // SIGKILL was sent
)

// live is what others than the actor need of a running program.
type live struct {
	instance runtime.Instance
	spec     *protocol.ServerSpec
	meter    meter
}

// actor owns one server. Its fields belong to its goroutine, unless they are said to be shared.
type actor struct {
	supervisor *Supervisor
	id         string
	dir        runtime.Dir
	log        *slog.Logger

	// Shared.
	inbox    chan func(context.Context)
	done     chan struct{} // closed when the actor has ended
	idled    chan struct{} // closed when a quitting actor has no program any more
	live     atomic.Pointer[live]
	snapshot atomic.Pointer[protocol.Observed]
	disk     disk
	tail     *Tail
	removed  bool // valid after done

	record
	phase    phase
	stage    stage
	instance runtime.Instance
	events   <-chan runtime.Event
	alarm    *time.Timer
	overdue  *time.Timer // when a report that failed is due again
	tasks    sync.WaitGroup

	cancelLaunch  context.CancelFunc // of the launch that goes on
	aborted       bool               // that launch is not wanted any more
	forced        bool               // and what it brings is to be killed
	strayReady    bool               // a stray program said that it is ready
	cancelStop    context.CancelFunc // of the stop command that is being written
	cancelRestore context.CancelFunc // of the restoration that goes on
	killedAt      time.Time
	said          chan struct{} // closed when the last console line so far was written
	reported      uint64        // the generation of the last report
	overSince     time.Time     // when the server was found to fill more than its quota; zero when it does not
	quitting      bool
	gone          bool
}

func newActor(s *Supervisor, id string, r *record) *actor {
	t := s.tails[id]
	path := s.store.Path(id)
	if t == nil {
		t = &Tail{Dir: filepath.Join(path, consoleDir), changed: make(chan struct{})}
		s.tails[id] = t
	}
	a := &actor{
		supervisor: s,
		id:         id,
		dir:        runtime.Dir{ServerID: id, Path: path},
		log:        s.config.Logger.With(slog.String("server_id", id)),
		inbox:      make(chan func(context.Context), 8),
		done:       make(chan struct{}),
		idled:      make(chan struct{}),
		tail:       t,
		record:     *r,
		alarm:      time.NewTimer(time.Hour),
		overdue:    time.NewTimer(time.Hour),
		reported:   r.Generation,
	}
	a.alarm.Stop()
	a.overdue.Stop()
	a.setQuota()
	a.publish()
	return a
}

// run is the actor's goroutine.
func (a *actor) run(ctx context.Context) {
	defer close(a.done)
	ctx, cancel := context.WithCancel(ctx)
	defer a.tasks.Wait()
	defer cancel()
	defer a.alarm.Stop()
	defer a.overdue.Stop()
	if seq, err := console.LastSeq(a.tail.Dir); err == nil {
		a.tail.wrote(seq)
	}
	a.adopt(ctx)
	for !a.gone {
		select {
		case <-ctx.Done():
			a.release()
			return
		case message := <-a.inbox:
			message(ctx)
		case event, ok := <-a.events:
			a.onEvent(ctx, event, ok)
		case <-a.alarm.C:
			a.onAlarm(ctx)
		case <-a.overdue.C:
			a.report(ctx)
		}
		if a.quitting && a.instance == nil && a.phase != launching {
			a.setIdled()
		}
	}
	a.removed = true
	a.supervisor.forget(a)
}

// release lets the program go on without the agent.
func (a *actor) release() {
	if a.cancelLaunch != nil {
		a.cancelLaunch()
	}
	if a.instance != nil {
		a.live.Store(nil)
		a.instance.Detach()
	}
}

func (a *actor) setIdled() {
	select {
	case <-a.idled:
	default:
		close(a.idled)
	}
}

// errGone is returned by ask when the actor has ended.
var errGone = fault.New(fault.NotFound, "The server has been removed from the node.")

// ask runs a function in the actor and returns when it has run.
func (a *actor) ask(ctx context.Context, message func(context.Context)) error {
	ran := make(chan struct{})
	wrapped := func(ctx context.Context) {
		defer close(ran)
		message(ctx)
	}
	select {
	case a.inbox <- wrapped:
	case <-a.done:
		return errGone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-ran:
		return nil
	case <-a.done:
		return errGone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// post hands a task's result to the actor; it reports whether the actor will see it.
func (a *actor) post(ctx context.Context, message func(context.Context)) bool {
	select {
	case a.inbox <- message:
		return true
	case <-ctx.Done():
		return false
	}
}

// apply takes over a newer generation.
func (a *actor) apply(ctx context.Context, spec *protocol.ServerSpec, desired *protocol.Desired) error {
	if a.Removing {
		return fault.New(fault.Conflict, "The server is being removed from the node: wait until that is done.")
	}
	if a.Spec != nil && desired.GetGeneration() <= a.Generation {
		a.advance(ctx, spec.GetConsole().GetAfter()) // that the panel has more lines is no matter of generations
		return nil
	}
	next := a.record
	after := a.Spec.orEmpty().GetConsole().GetAfter()
	next.Spec = numbered(spec, max(after, spec.GetConsole().GetAfter()))
	next.Generation = desired.GetGeneration()
	next.Power = powerOf(desired.GetPower())
	next.WantedRun = desired.GetRun()
	next.WantedInstall = desired.GetInstall()
	next.WantedRestore = desired.GetRestore()
	if next.CrashResets != desired.GetCrashResets() {
		next.CrashResets, next.CrashCount, next.Restarts = desired.GetCrashResets(), 0, nil
	}
	if err := next.save(a.dir.Path); err != nil {
		// An order that only ends a program is carried out all the same: that is what a full disk may need. Should the
		// agent end before the disk takes it, the panel gives the order again. An order to run is left alone, so that the
		// panel's next try finds it still to be done.
		if next.Power == kind.PowerRun {
			return err
		}
		a.log.LogAttrs(ctx, slog.LevelError, "an order is carried out but not stored", slog.Any("error", err))
	}
	a.record = next
	a.setQuota()
	a.publish()
	a.limit(ctx)
	a.reconcile(ctx)
	if a.reported != a.Generation {
		a.report(ctx)
	}
	return nil
}

// limit gives a program that runs the limits of the latest specification, beside the actor.
func (a *actor) limit(ctx context.Context) {
	limits, instance := a.Spec.orEmpty().GetLimits(), a.instance
	if instance == nil || a.phase != up || a.Installing || proto.Equal(a.Active.orEmpty().GetLimits(), limits) {
		return
	}
	a.tasks.Go(func() {
		limited, cancel := context.WithTimeout(ctx, limitTime)
		defer cancel()
		if err := instance.Limit(limited, limits); err != nil {
			if !errors.Is(err, runtime.ErrNotRunning) && ctx.Err() == nil {
				a.log.LogAttrs(ctx, slog.LevelWarn, "the limits of a running server are not changed", slog.Any("error", err))
			}
			return
		}
		a.post(ctx, func(ctx context.Context) {
			if a.instance != instance {
				return
			}
			active := proto.CloneOf(a.Active.orEmpty())
			active.Limits = limits
			a.Active = &specJSON{active}
			a.store(ctx)
			a.live.Store(&live{instance: instance, spec: active})
		})
	})
}

// setState stores and reports a state. The same state again is only reported.
func (a *actor) setState(ctx context.Context, state kind.ServerState, reason string) {
	if a.State != state && !kind.CanFollow(a.State, state) {
		// It cannot happen; if it does, a wrong history is worse than a missing step.
		a.log.LogAttrs(ctx, slog.LevelError, "impossible change of state",
			slog.String("from", string(a.State)), slog.String("to", string(state)))
	}
	a.State, a.Reason, a.At = state, sentence(reason), following(a.At, time.Now())
	a.store(ctx)
	a.report(ctx)
}

// following returns the present, or the moment after the last state where the clock was set back: the panel tells reports
// apart by their times, and would pass over one that seems older than the last.
func following(last, present time.Time) time.Time {
	if next := last.Add(time.Microsecond); present.Before(next) {
		return next
	}
	return present
}

// maxReason is the longest reason, in bytes; a start error may repeat a command of any length.
const maxReason = 1 << 10

// sentence makes a reason text that a message can carry.
func sentence(reason string) string {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason-len("…")], "") + "…"
}

// store saves the record; a disk that does not take it must not stop the supervision.
func (a *actor) store(ctx context.Context) {
	if err := a.save(a.dir.Path); err != nil {
		a.log.LogAttrs(ctx, slog.LevelError, "server state is not stored", slog.Any("error", err))
	}
}

// publish makes the state visible to others.
func (a *actor) publish() {
	a.snapshot.Store(&protocol.Observed{
		ServerId:   a.id,
		State:      protocol.State(protocol.State_value["STATE_"+string(a.State)]),
		Generation: a.Generation,
		Run:        a.Run,
		Reason:     a.Reason,
		ExitCode:   a.ExitCode,
		OomKilled:  a.OOMKilled,
		CrashCount: a.CrashCount,
		LastLines:  a.LastLines,
		AtUs:       a.At.UnixMicro(),
	})
}

// observed returns a copy of what is observed; anybody may call it.
func (a *actor) observed() *protocol.Observed {
	o := proto.CloneOf(a.snapshot.Load())
	o.ConsoleSeq = a.tail.Last()
	return o
}

// report tells the panel what is observed.
func (a *actor) report(ctx context.Context) {
	a.publish()
	a.reported = a.Generation
	if a.Removing {
		return
	}
	if err := a.supervisor.config.Report(a.observed()); err != nil {
		a.log.LogAttrs(ctx, slog.LevelError, "server state is not reported, trying again", slog.Any("error", err))
		a.overdue.Reset(reportAgain)
		return
	}
	a.overdue.Stop()
}

// numbered is a specification, which it may change, whose console goes on after a number.
func numbered(spec *protocol.ServerSpec, after uint64) *specJSON {
	if spec.GetConsole().GetAfter() < after {
		if spec.Console == nil {
			spec.Console = &protocol.ConsoleSpec{}
		}
		spec.Console.After = after
	}
	return &specJSON{spec}
}

// advance makes the numbers of console lines go on after those that the panel has: a node that lost its last lines with
// its power would otherwise give their numbers to others, which the panel would take for known.
func (a *actor) advance(ctx context.Context, after uint64) {
	if a.Spec == nil || after <= a.tail.Last() || after <= a.Spec.GetConsole().GetAfter() {
		return
	}
	a.Spec = numbered(proto.CloneOf(a.Spec.ServerSpec), after)
	a.store(ctx)
	instance := a.instance
	if instance == nil {
		return
	}
	a.tasks.Go(func() {
		limited, cancel := context.WithTimeout(ctx, noticeTime)
		defer cancel()
		if err := instance.Skip(limited, after); err != nil && !errors.Is(err, runtime.ErrNotRunning) && ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelWarn, "console numbers do not go on after the panel's", slog.Any("error", err))
		}
	})
}

func (a *actor) resetCrashes(ctx context.Context) {
	a.CrashCount, a.Restarts = 0, nil
	a.store(ctx)
	a.report(ctx)
}

// remove begins the removal; the actor ends when it is done.
func (a *actor) remove(ctx context.Context, keepFiles bool) {
	if !a.Removing {
		a.Removing, a.KeepFiles = true, keepFiles
		a.Power = kind.PowerKill
		a.store(ctx)
		a.reconcile(ctx)
	}
	a.finishRemoval(ctx)
}

// finishRemoval removes the directory once there is no program.
func (a *actor) finishRemoval(ctx context.Context) {
	if !a.Removing || a.phase != idle || a.gone {
		return
	}
	if a.said != nil {
		<-a.said // a console line may still be on its way
	}
	if err := a.supervisor.store.Remove(ctx, a.id, a.KeepFiles); err != nil {
		if ctx.Err() != nil {
			return // the panel has it done by the next agent
		}
		a.log.LogAttrs(ctx, slog.LevelError, "server is not removed, trying again", slog.Any("error", err))
		a.alarm.Reset(retryRemoval)
		return
	}
	a.gone = true
}

// quit stops the program because the agent ends; what is desired stays as it is.
func (a *actor) quit(ctx context.Context, force bool) {
	a.quitting = true
	if a.phase == waiting {
		a.alarm.Stop() // the restart is the next agent's
	}
	a.stop(ctx, force)
}

func powerOf(p protocol.Power) kind.Power {
	switch p {
	case protocol.Power_POWER_RUN:
		return kind.PowerRun
	case protocol.Power_POWER_KILL:
		return kind.PowerKill
	case protocol.Power_POWER_STOP, protocol.Power_POWER_UNSPECIFIED:
		return kind.PowerStop
	}
	return kind.PowerStop
}
