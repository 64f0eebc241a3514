package supervisor_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

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
		if err := w.sup.Advance(w.t.Context(), w.id, 500); err != nil {
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

// TestRemoveWithoutAReadableState removes a server whose state was damaged while its program runs.
func TestRemoveWithoutAReadableState(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(protocol.Power_POWER_RUN, 1)
		w.reopen(func() {
			if err := os.WriteFile(filepath.Join(w.dir, w.id, "state.json"), []byte("{"), 0o600); err != nil {
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
	})
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
	})
}
