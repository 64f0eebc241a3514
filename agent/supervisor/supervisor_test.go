package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/supervisor"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// world is a supervisor with one server, its games, and everything it reported.
type world struct {
	t        *testing.T
	dir      string
	games    *games
	sup      *supervisor.Supervisor
	id       string
	begun    time.Time
	gen      uint64
	mu       sync.Mutex
	reports  []*protocol.Observed
	progress []*protocol.InstallProgress
	deaf     error // reports fail with it
}

// run executes a test in a bubble of virtual time.
func run(t *testing.T, s script, test func(w *world)) {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, dir: dir, games: newGames(s), id: kind.NewID(kind.PrefixServer), begun: time.Now()}
		w.open()
		defer func() { w.sup.Detach() }()
		test(w)
		w.checkHistory()
	})
}

func (w *world) open() {
	w.t.Helper()
	sup, err := supervisor.New(w.t.Context(), supervisor.Config{
		Dir: w.dir, Runtime: w.games, Logger: slog.New(slog.DiscardHandler),
		Report: func(o *protocol.Observed) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.deaf == nil {
				w.reports = append(w.reports, o)
			}
			return w.deaf
		},
		Progress: func(p *protocol.InstallProgress) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.progress = append(w.progress, p)
			return nil
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.sup = sup
	synctest.Wait()
}

// reopen is a restart of the agent; away runs in between.
func (w *world) reopen(away func()) {
	w.t.Helper()
	w.sup.Detach()
	away()
	w.open()
}

// apply raises the generation and waits until nothing more happens at once.
func (w *world) apply(power protocol.Power, runNumber uint64) *protocol.Observed {
	w.t.Helper()
	return w.applySpec(specOf(w.id), power, runNumber)
}

func (w *world) applySpec(spec *protocol.ServerSpec, power protocol.Power, runNumber uint64) *protocol.Observed {
	w.t.Helper()
	w.gen++
	o, err := w.sup.Apply(w.t.Context(), spec, &protocol.Desired{Generation: w.gen, Power: power, Run: runNumber})
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	return o
}

func (w *world) pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

func (w *world) observed() *protocol.Observed {
	w.t.Helper()
	for _, o := range w.sup.Digest() {
		if o.GetServerId() == w.id {
			return o
		}
	}
	w.t.Fatal("the server is not in the digest")
	return nil
}

func stateOf(o *protocol.Observed) string { return strings.TrimPrefix(o.GetState().String(), "STATE_") }

func (w *world) expect(want kind.ServerState) {
	w.t.Helper()
	if got := stateOf(w.observed()); got != string(want) {
		w.t.Fatalf("after %s: state %s (%s), want %s", time.Since(w.begun), got, w.observed().GetReason(), want)
	}
}

// history describes the reports: state, generation and run.
func (w *world) history() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, o := range w.reports {
		out = append(out, fmt.Sprintf("%s g%d r%d", stateOf(o), o.GetGeneration(), o.GetRun()))
	}
	return out
}

// checkHistory asserts what holds for every history: only allowed steps, generations and runs never go back.
func (w *world) checkHistory() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	previous := &protocol.Observed{State: protocol.State_STATE_STOPPED}
	for i, o := range w.reports {
		from, to := kind.ServerState(stateOf(previous)), kind.ServerState(stateOf(o))
		if from != to && !kind.CanFollow(from, to) {
			w.t.Errorf("report %d: %s follows %s", i, to, from)
		}
		if o.GetGeneration() < previous.GetGeneration() || o.GetRun() < previous.GetRun() {
			w.t.Errorf("report %d goes back: %v after %v", i, o, previous)
		}
		previous = o
	}
}

func (w *world) lines() []string {
	w.t.Helper()
	r, err := console.OpenReader(w.sup.Console(w.id).Dir)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	lines, _, err := r.ReadAfter(0, 1000, 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		out = append(out, fmt.Sprintf("%s %s", l.Stream, l.Text))
	}
	return out
}

func equal[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

const (
	start = protocol.Power_POWER_RUN
	stop  = protocol.Power_POWER_STOP
	kill  = protocol.Power_POWER_KILL
)

func TestStartAndStop(t *testing.T) {
	run(t, script{ready: 3 * time.Second, stopTakes: time.Second, stopExit: 7}, func(w *world) {
		w.apply(stop, 0)
		w.apply(start, 1)
		w.expect(kind.ServerStateStarting)
		w.pass(3 * time.Second)
		w.expect(kind.ServerStateRunning)
		w.apply(stop, 1)
		w.expect(kind.ServerStateStopping)
		w.pass(time.Second)
		w.expect(kind.ServerStateStopped)
		equal(w.t, "history", []string{"STOPPED g1 r0", "STARTING g2 r1", "RUNNING g2 r1", "STOPPING g3 r1", "STOPPED g3 r1"}, w.history())
		equal(w.t, "console", []string{"SYSTEM Starting", "SYSTEM Stopping", "INPUT stop", "SYSTEM Stopped"}, sortedPair(w.lines()))
		if got := w.observed(); got.GetExitCode() != 7 || got.GetConsoleSeq() != 4 || got.GetCrashCount() != 0 {
			w.t.Errorf("observed %v", got)
		}
	})
}

// sortedPair puts the notice before the command: the two are written side by side.
func sortedPair(lines []string) []string {
	for i := 1; i < len(lines); i++ {
		if lines[i] == "SYSTEM Stopping" && lines[i-1] == "INPUT stop" {
			lines[i], lines[i-1] = lines[i-1], lines[i]
		}
	}
	return lines
}

func TestStopEscalates(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script  script
		after   time.Duration
		signals []syscall.Signal
	}{
		"obeys SIGTERM":  {script{deafToStop: true}, 30 * time.Second, []syscall.Signal{syscall.SIGTERM}},
		"deaf":           {script{deafToStop: true, deafToTERM: true}, 40 * time.Second, []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}},
		"does not read":  {script{neverReads: true}, 30 * time.Second, []syscall.Signal{syscall.SIGTERM}},
		"while starting": {script{ready: -1, deafToStop: true, deafToTERM: true}, 40 * time.Second, []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, tc.script, func(w *world) {
				w.apply(start, 1)
				w.apply(stop, 1)
				w.pass(tc.after - time.Millisecond)
				w.expect(kind.ServerStateStopping)
				w.pass(2 * time.Millisecond)
				w.expect(kind.ServerStateStopped)
				equal(w.t, "signals", tc.signals, w.games.signals)
			})
		})
	}
}

func TestStopSignal(t *testing.T) {
	run(t, script{}, func(w *world) {
		spec := specOf(w.id)
		spec.Stop = &protocol.StopSpec{Signal: "INT"}
		w.applySpec(spec, start, 1)
		w.applySpec(spec, stop, 1)
		w.expect(kind.ServerStateStopped)
		equal(w.t, "signals", []syscall.Signal{syscall.SIGINT}, w.games.signals)
	})
}

func TestKillPreempts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script script
		before func(w *world)
	}{
		"a graceful stop":   {script{deafToStop: true, deafToTERM: true}, func(w *world) { w.apply(start, 1); w.apply(stop, 1) }},
		"a start":           {script{startTakes: time.Hour}, func(w *world) { w.apply(start, 1) }},
		"a stop of a start": {script{startTakes: time.Hour}, func(w *world) { w.apply(start, 1); w.apply(stop, 1) }},
		"a starting server": {script{ready: -1, deafToTERM: true}, func(w *world) { w.apply(start, 1) }},
		"a restart":         {script{deafToStop: true, deafToTERM: true}, func(w *world) { w.apply(start, 1); w.apply(start, 2) }},
		"the back-off": {script{exitAfter: time.Minute, exitCode: 1}, func(w *world) {
			w.apply(start, 1)
			w.pass(time.Minute)
			w.expect(kind.ServerStateCrashed)
		}},
		"nothing": {script{}, func(w *world) { w.apply(stop, 0) }},
		"a failed start": {script{startError: errors.New("no such program")}, func(w *world) {
			w.apply(start, 1)
			w.expect(kind.ServerStateError)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, tc.script, func(w *world) {
				tc.before(w)
				w.apply(kill, w.observed().GetRun())
				w.expect(kind.ServerStateStopped)
				if got := w.observed(); got.GetGeneration() != w.gen {
					w.t.Errorf("generation %d, want %d", got.GetGeneration(), w.gen)
				}
				w.pass(time.Hour)
				w.expect(kind.ServerStateStopped)
			})
		})
	}
}

func TestKillOfWhatCannotBeKilled(t *testing.T) {
	run(t, script{immortal: true, deafToTERM: true}, func(w *world) {
		w.apply(start, 1)
		w.apply(kill, 1)
		w.pass(5 * time.Second)
		w.expect(kind.ServerStateError)
		w.games.programs[w.id].exit(137, 9)
		synctest.Wait()
		w.expect(kind.ServerStateStopped)
	})
}

func TestKillOfAStartThatCannotBeCalledOff(t *testing.T) {
	run(t, script{startTakes: 20 * time.Second, startHangs: true}, func(w *world) {
		w.apply(start, 1)
		w.apply(kill, 1)
		w.pass(10 * time.Second)
		w.expect(kind.ServerStateError)
		w.pass(10 * time.Second)
		w.expect(kind.ServerStateStopped)
	})
}

func TestStartTimeout(t *testing.T) {
	run(t, script{ready: -1, stopTakes: time.Second}, func(w *world) {
		w.apply(start, 1)
		w.pass(time.Minute)
		w.expect(kind.ServerStateStopping)
		w.pass(time.Second)
		w.expect(kind.ServerStateError)
		equal(w.t, "reason", "The server did not become ready within 1m0s.", w.observed().GetReason())
		w.pass(time.Hour)
		w.expect(kind.ServerStateError)
	})
}

func TestStartFails(t *testing.T) {
	run(t, script{startError: fault.New(fault.BadUserInput, `The program "x" was not found.`)}, func(w *world) {
		w.apply(start, 1)
		w.expect(kind.ServerStateError)
		equal(w.t, "reason", `The program "x" was not found.`, w.observed().GetReason())
		equal(w.t, "console", []string{"SYSTEM Starting", `SYSTEM Could not be started: The program "x" was not found.`}, w.lines())
		w.games.play(script{})
		w.apply(start, 2)
		w.expect(kind.ServerStateRunning)
	})
}

func TestRestartStopsFirst(t *testing.T) {
	run(t, script{stopTakes: time.Second}, func(w *world) {
		w.apply(start, 1)
		w.apply(start, 2)
		w.expect(kind.ServerStateStopping)
		w.pass(time.Second)
		w.expect(kind.ServerStateRunning)
		equal(w.t, "history", []string{
			"STARTING g1 r1", "RUNNING g1 r1", "STOPPING g2 r1", "STOPPED g2 r1", "STARTING g2 r2", "RUNNING g2 r2",
		}, w.history())
	})
}

func TestGenerations(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(start, 1)
		before := len(w.history())
		for _, generation := range []uint64{0, w.gen} {
			o, err := w.sup.Apply(w.t.Context(), specOf(w.id), &protocol.Desired{Generation: generation, Power: kill, Run: 1})
			if err != nil || stateOf(o) != "RUNNING" || o.GetGeneration() != w.gen {
				w.t.Errorf("generation %d: %v, %v", generation, o, err)
			}
		}
		equal(w.t, "reports of old generations", before, len(w.history()))
		w.apply(start, 1)
		equal(w.t, "report of an unchanged state", "RUNNING g2 r1", w.history()[before])
	})
}

func TestSpecificationAppliesOnNextStart(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(start, 1)
		spec := specOf(w.id)
		spec.Environment = map[string]string{"MODE": "new"}
		w.applySpec(spec, start, 1)
		equal(w.t, "starts", 1, len(w.games.specs))
		w.applySpec(spec, start, 2)
		equal(w.t, "environment", "new", w.games.specs[1].Server.GetEnvironment()["MODE"])
	})
}

func TestApplyRefuses(t *testing.T) {
	run(t, script{}, func(w *world) {
		for name, spec := range map[string]*protocol.ServerSpec{
			"no id": {}, "traversal": {ServerId: "../x"}, "another kind": {ServerId: kind.NewID(kind.PrefixNode)},
		} {
			_, err := w.sup.Apply(w.t.Context(), spec, &protocol.Desired{Generation: 1, Power: start, Run: 1})
			equal(w.t, name, fault.BadUserInput, fault.CodeOf(err))
		}
	})
}

func TestInput(t *testing.T) {
	run(t, script{}, func(w *world) {
		_, err := w.sup.Input(w.t.Context(), w.id, "x")
		equal(w.t, "unknown server", fault.NotFound, fault.CodeOf(err))
		w.apply(stop, 0)
		_, err = w.sup.Input(w.t.Context(), w.id, "x")
		equal(w.t, "stopped server", fault.Conflict, fault.CodeOf(err))
		w.apply(start, 1)
		seq, err := w.sup.Input(w.t.Context(), w.id, "say hi")
		synctest.Wait()
		if err != nil || seq == 0 || w.sup.Console(w.id).Last() != seq {
			w.t.Errorf("seq %d, tail %d, %v", seq, w.sup.Console(w.id).Last(), err)
		}
	})
}

func TestSample(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(start, 1)
		if err := os.WriteFile(filepath.Join(w.dir, w.id, "files", "save"), make([]byte, 1000), 0o600); err != nil {
			w.t.Fatal(err)
		}
		w.pass(10 * time.Second)
		if _, err := w.sup.Sample(w.t.Context(), w.id); err != nil {
			w.t.Fatal(err)
		}
		w.pass(time.Second)
		s, err := w.sup.Sample(w.t.Context(), w.id)
		if err != nil {
			w.t.Fatal(err)
		}
		if s.GetCpuPercent() < 49.9 || s.GetCpuPercent() > 50.1 || s.GetMemoryLimit() != 64<<20 || s.GetDiskBytes() < 1000 || s.GetUptimeMs() != 11_000 {
			w.t.Errorf("sample %v", s)
		}
		equal(w.t, "samples", 1, len(w.sup.Samples(w.t.Context())))
		w.apply(kill, 1)
		_, err = w.sup.Sample(w.t.Context(), w.id)
		equal(w.t, "stopped server", fault.Conflict, fault.CodeOf(err))
	})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprint("keep files ", keep), func(t *testing.T) {
			run(t, script{deafToStop: true, deafToTERM: true}, func(w *world) {
				w.apply(start, 1)
				save := filepath.Join(w.dir, w.id, "files", "save")
				if err := os.WriteFile(save, []byte("x"), 0o600); err != nil {
					w.t.Fatal(err)
				}
				for range 2 {
					if err := w.sup.Remove(w.t.Context(), w.id, keep); err != nil {
						w.t.Fatal(err)
					}
				}
				_, err := os.Stat(save)
				equal(w.t, "files are there", keep, err == nil)
				_, err = os.Stat(filepath.Join(w.dir, w.id, "console"))
				equal(w.t, "console is there", false, err == nil)
				equal(w.t, "digest", 0, len(w.sup.Digest()))
				equal(w.t, "programs", 0, len(w.games.programs))
				w.gen = 0
				w.apply(start, 1)
				w.expect(kind.ServerStateRunning)
				w.mu.Lock()
				w.reports = nil // a new server, a new history
				w.mu.Unlock()
			})
		})
	}
}

func TestRemovalIsTakenUpAgain(t *testing.T) {
	run(t, script{immortal: true}, func(w *world) {
		w.apply(start, 1)
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		if err := w.sup.Remove(ctx, w.id, false); !errors.Is(err, context.DeadlineExceeded) {
			w.t.Fatalf("removal of what cannot be killed: %v", err)
		}
		_, err := w.sup.Apply(w.t.Context(), specOf(w.id), &protocol.Desired{Generation: 9, Power: start, Run: 9})
		equal(w.t, "apply meanwhile", fault.Conflict, fault.CodeOf(err))
		w.reopen(func() { w.games.programs[w.id].exit(137, 9) })
		w.pass(time.Second)
		equal(w.t, "digest", 0, len(w.sup.Digest()))
		if _, err := os.Stat(filepath.Join(w.dir, w.id)); !errors.Is(err, os.ErrNotExist) {
			w.t.Errorf("the directory is still there: %v", err)
		}
	})
}

func TestStopAll(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script script
		takes  time.Duration
	}{
		"gracefully": {script{stopTakes: 2 * time.Second}, 2 * time.Second},
		"by force":   {script{deafToStop: true, deafToTERM: true}, 5 * time.Second},
		"starting":   {script{startTakes: time.Hour}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, tc.script, func(w *world) {
				w.apply(start, 1)
				begun := time.Now()
				ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
				defer cancel()
				w.sup.StopAll(ctx)
				equal(w.t, "took", tc.takes, time.Since(begun))
				w.expect(kind.ServerStateStopped)
				w.reopen(func() {})
				w.pass(time.Minute)
				w.expect(kind.ServerStateStopped)
			})
		})
	}
}

// TestC5ParallelPower: whatever is asked at the same time, the history is linear and ends where the last order says.
func TestC5ParallelPower(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := script{ready: time.Duration(random.IntN(3)) * time.Second, stopTakes: time.Duration(random.IntN(4)) * time.Second}
			if random.IntN(3) == 0 {
				s.exitAfter, s.exitCode = time.Duration(1+random.IntN(5))*time.Second, 1
			}
			if random.IntN(3) == 0 {
				s.startTakes = time.Duration(random.IntN(3)) * time.Second
			}
			run(t, s, func(w *world) {
				var wg sync.WaitGroup
				runNumber := uint64(1)
				w.apply(start, 1)
				for i := range 100 {
					power := []protocol.Power{start, stop, kill, start}[random.IntN(4)]
					if i == 99 && seed%2 == 0 {
						power = kill
					}
					if power == start {
						runNumber++
					}
					w.gen++
					desired := &protocol.Desired{Generation: w.gen, Power: power, Run: runNumber}
					delay := time.Duration(random.IntN(300)) * time.Millisecond
					wg.Go(func() {
						timer := time.NewTimer(delay)
						<-timer.C
						if _, err := w.sup.Apply(w.t.Context(), specOf(w.id), desired); err != nil {
							w.t.Error(err)
						}
					})
				}
				wg.Wait()
				w.pass(5 * time.Second)
				got := w.observed()
				equal(w.t, "generation", w.gen, got.GetGeneration())
				if seed%2 == 0 {
					w.expect(kind.ServerStateStopped)
					equal(w.t, "programs", 0, len(w.games.programs))
				} else if got.GetState() == protocol.State_STATE_STOPPING {
					w.t.Errorf("stuck: %v", got)
				}
			})
		})
	}
}

// TestLimitsChangeWhileItRuns gives a running program new limits, and leaves it alone otherwise.
func TestLimitsChangeWhileItRuns(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.games.prepare = []string{"Pulling an image"}
		spec := specOf(w.id)
		spec.Limits = &protocol.Limits{Memory: 1 << 30}
		w.applySpec(spec, protocol.Power_POWER_RUN, 1)
		w.expect(kind.ServerStateRunning)
		w.applySpec(spec, protocol.Power_POWER_RUN, 1)
		if w.games.limits != nil {
			t.Errorf("the same limits were changed to %v", w.games.limits)
		}
		spec.Limits.Memory = 2 << 30
		w.applySpec(spec, protocol.Power_POWER_RUN, 1)
		synctest.Wait()
		if got := w.games.limits.GetMemory(); got != 2<<30 {
			t.Errorf("the program's memory is limited to %d", got)
		}
		sample, err := w.sup.Sample(w.t.Context(), w.id)
		if err != nil || sample.GetMemoryLimit() != 2<<30 || len(w.games.started()) != 1 {
			t.Errorf("sample %v, %v; %d starts", sample, err, len(w.games.started()))
		}
		if said := strings.Join(w.lines(), "\n"); !strings.Contains(said, "Pulling an image") {
			t.Errorf("the console has %q", said)
		}
	})
}
