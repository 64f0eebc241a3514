package supervisor_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// fillDisk makes the server's state unwritable, until the function it returns is called.
func (w *world) fillDisk() (mend func()) {
	w.t.Helper()
	inTheWay := filepath.Join(w.dir, w.id, "state.json.new")
	if err := os.MkdirAll(filepath.Join(inTheWay, "x"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := os.RemoveAll(inTheWay); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestFullDisk gives orders that cannot be stored: those that end a program are carried out, one that starts it is
// refused and can be given again.
func TestFullDisk(t *testing.T) {
	run(t, script{deafToStop: true, deafToTERM: true}, func(w *world) {
		w.apply(protocol.Power_POWER_RUN, 1)
		w.expect(kind.ServerStateRunning)
		mend := w.fillDisk()
		w.apply(protocol.Power_POWER_KILL, 1)
		w.pass(time.Second)
		w.expect(kind.ServerStateStopped)

		w.gen++
		start := &protocol.Desired{Generation: w.gen, Power: protocol.Power_POWER_RUN, Run: 2}
		if o, err := w.sup.Apply(w.t.Context(), specOf(w.id), start); err == nil || o.GetGeneration() == w.gen {
			t.Errorf("a start that cannot be stored: %v, %v", o, err)
		}
		mend()
		if _, err := w.sup.Apply(w.t.Context(), specOf(w.id), start); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.expect(kind.ServerStateRunning)
	})
}

// TestReportsAreRepeated has the reports fail for a while.
func TestReportsAreRepeated(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(protocol.Power_POWER_RUN, 1)
		w.mu.Lock()
		w.deaf = errors.New("the spool cannot be written")
		w.mu.Unlock()
		w.apply(protocol.Power_POWER_STOP, 1)
		w.pass(12 * time.Second)
		w.expect(kind.ServerStateStopped)
		w.mu.Lock()
		w.deaf = nil
		w.mu.Unlock()
		w.pass(6 * time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		if last := w.reports[len(w.reports)-1]; last.GetState() != protocol.State_STATE_STOPPED || last.GetGeneration() != w.gen {
			t.Errorf("the last report is %v", last)
		}
	})
}

// TestConsoleGoesOnAfterThePanel is a node that lost its last lines, and with them their numbers.
func TestConsoleGoesOnAfterThePanel(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(protocol.Power_POWER_STOP, 0)
		if err := w.sup.Advance(w.t.Context(), w.id, 400); err != nil {
			t.Fatal(err)
		}
		again := specOf(w.id)
		again.Console = &protocol.ConsoleSpec{After: 500}
		if _, err := w.sup.Apply(w.t.Context(), again, &protocol.Desired{Generation: w.gen, Power: protocol.Power_POWER_STOP}); err != nil {
			t.Fatal(err)
		}
		w.apply(protocol.Power_POWER_RUN, 1) // whose specification does not know
		w.apply(protocol.Power_POWER_STOP, 1)
		w.pass(time.Second)
		reader, err := console.OpenReader(w.sup.Console(w.id).Dir)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		lines, _, err := reader.ReadAfter(500, 10, 1<<20)
		if err != nil || len(lines) == 0 || lines[0].Seq != 501 || lines[0].Text != "Starting" {
			t.Errorf("the lines after the panel's are %v, %v", lines, err)
		}
	})
}

// TestRemoveWithoutAReadableState removes a server whose state was damaged or lost while its program runs.
func TestRemoveWithoutAReadableState(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"damaged": func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
		"lost":    os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, script{}, func(w *world) {
				w.apply(protocol.Power_POWER_RUN, 1)
				w.reopen(func() {
					if err := damage(filepath.Join(w.dir, w.id, "state.json")); err != nil {
						t.Fatal(err)
					}
				})
				if len(w.sup.Digest()) != 0 {
					t.Fatal("the damaged state was read")
				}
				if err := w.sup.Remove(w.t.Context(), w.id, false); err != nil {
					t.Fatal(err)
				}
				w.games.mu.Lock()
				defer w.games.mu.Unlock()
				if p := w.games.programs[w.id]; p != nil && p.end == nil {
					t.Error("the program still runs")
				}
				if _, err := os.Stat(filepath.Join(w.dir, w.id)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the directory is still there: %v", err)
				}
			})
		})
	}
}

// TestClockSetBack has a restart that is due in a year, by a clock that was wrong.
func TestClockSetBack(t *testing.T) {
	run(t, script{exitAfter: time.Second, exitCode: 1}, func(w *world) {
		spec := specOf(w.id)
		spec.Crash = &protocol.CrashSpec{Policy: protocol.CrashPolicy_CRASH_POLICY_ON_FAILURE, MaxRestarts: 3, WindowMs: 600_000}
		w.applySpec(spec, protocol.Power_POWER_RUN, 1)
		w.pass(1500 * time.Millisecond)
		w.expect(kind.ServerStateCrashed)
		w.reopen(func() {
			w.games.play(script{})
			path := filepath.Join(w.dir, w.id, "state.json")
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			inAYear := replaceTime(content, "restartAt", time.Now().AddDate(1, 0, 0))
			if err := os.WriteFile(path, inAYear, 0o600); err != nil {
				t.Fatal(err)
			}
		})
		w.pass(61 * time.Second)
		w.expect(kind.ServerStateRunning)
	})
}

// TestStatesFollowEachOther has a last state that is a year ahead, by a clock that was wrong.
func TestStatesFollowEachOther(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(start, 1)
		ahead := time.Now().AddDate(1, 0, 0).Truncate(time.Second)
		w.reopen(func() {
			path := filepath.Join(w.dir, w.id, "state.json")
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, replaceTime(content, "at", ahead), 0o600); err != nil {
				t.Fatal(err)
			}
		})
		w.apply(stop, 1)
		w.expect(kind.ServerStateStopped)
		if at := w.observed().GetAtUs(); at <= ahead.UnixMicro() || at > ahead.UnixMicro()+10 {
			t.Errorf("the last state is of %s, want just after %s", time.UnixMicro(at).UTC(), ahead)
		}
	})
}

func replaceTime(content []byte, field string, to time.Time) []byte {
	pattern := regexp.MustCompile(`"` + field + `":"[^"]*"`)
	return pattern.ReplaceAll(content, []byte(`"`+field+`":"`+to.Format(time.RFC3339Nano)+`"`))
}

// TestCrashesAreForgottenByOrder resets the count as part of what is desired.
func TestCrashesAreForgottenByOrder(t *testing.T) {
	run(t, script{exitAfter: time.Second, exitCode: 1}, func(w *world) {
		spec := specOf(w.id)
		spec.Crash = &protocol.CrashSpec{Policy: protocol.CrashPolicy_CRASH_POLICY_NEVER}
		w.applySpec(spec, protocol.Power_POWER_RUN, 1)
		w.pass(2 * time.Second)
		if n := w.observed().GetCrashCount(); n != 1 {
			t.Fatalf("%d crashes", n)
		}
		for range 2 {
			w.gen++
			o, err := w.sup.Apply(w.t.Context(), spec, &protocol.Desired{Generation: w.gen, Power: protocol.Power_POWER_RUN, Run: 1, CrashResets: 1})
			if err != nil || o.GetCrashCount() != 0 {
				t.Errorf("after the order: %v, %v", o, err)
			}
		}
		// A panel whose database came from a backup has counted less; its next order counts all the same.
		w.apply(protocol.Power_POWER_RUN, 2)
		w.pass(2 * time.Second)
		w.gen++
		o, err := w.sup.Apply(w.t.Context(), spec, &protocol.Desired{Generation: w.gen, Power: protocol.Power_POWER_RUN, Run: 2, CrashResets: 7})
		if err != nil || o.GetCrashCount() != 0 {
			t.Errorf("after another order: %v, %v", o, err)
		}
		w.applySpec(spec, protocol.Power_POWER_RUN, 3)
		w.pass(2 * time.Second)
		w.gen++
		o, err = w.sup.Apply(w.t.Context(), spec, &protocol.Desired{Generation: w.gen, Power: protocol.Power_POWER_RUN, Run: 3, CrashResets: 2})
		if err != nil || o.GetCrashCount() != 0 {
			t.Errorf("after an order of an older panel: %v, %v", o, err)
		}
	})
}

// TestErrorsThatAreNoText reports a start that fails with something that no message can carry.
func TestErrorsThatAreNoText(t *testing.T) {
	run(t, script{startError: errors.New("no such file: \xff\xfe" + strings.Repeat("€", 1<<20))}, func(w *world) {
		w.apply(protocol.Power_POWER_RUN, 1)
		w.expect(kind.ServerStateError)
		if _, err := proto.Marshal(&protocol.SyncResponse{Servers: w.sup.Digest()}); err != nil {
			t.Error(err)
		}
		if n := len(w.observed().GetReason()); n > 1<<10 {
			t.Errorf("the reason has %d bytes", n)
		}
	})
}

// TestManyRemovalsAreTakenUp finds servers whose removal an earlier agent had begun, while it still loads others.
func TestManyRemovalsAreTakenUp(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.reopen(func() {
			for range 100 {
				dir := filepath.Join(w.dir, kind.NewID(kind.PrefixServer))
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				state := `{"version":1,"generation":1,"power":"KILL","wantedRun":0,"state":"STOPPED","run":0,"at":"2026-01-01T00:00:00Z","removing":true}`
				if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(state), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
		left, err := os.ReadDir(w.dir)
		if err != nil || len(left) != 0 || len(w.sup.Digest()) != 0 {
			t.Errorf("%d directories and %d servers are left, %v", len(left), len(w.sup.Digest()), err)
		}
	})
}
