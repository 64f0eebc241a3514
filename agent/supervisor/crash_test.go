package supervisor_test

import (
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

func TestCrashPolicy(t *testing.T) {
	t.Parallel()
	const never, onFailure, always = protocol.CrashPolicy_CRASH_POLICY_NEVER, protocol.CrashPolicy_CRASH_POLICY_ON_FAILURE, protocol.CrashPolicy_CRASH_POLICY_ALWAYS
	for name, tc := range map[string]struct {
		policy protocol.CrashPolicy
		script script
		want   kind.ServerState
		reason string
		count  int32
		starts int
	}{
		"never":              {never, script{exitCode: 3}, kind.ServerStateCrashed, "exited with code 3", 1, 1},
		"never, code 0":      {never, script{}, kind.ServerStateStopped, "ended by itself with code 0", 0, 1},
		"on failure":         {onFailure, script{exitCode: 3}, kind.ServerStateCrashed, "exited with code 3; not restarted again after 2 restarts: look at the console, then start the server", 3, 3},
		"on failure, code 0": {onFailure, script{}, kind.ServerStateStopped, "ended by itself with code 0", 0, 1},
		"on failure, memory": {onFailure, script{oom: true}, kind.ServerStateCrashed, "ran out of memory; not restarted again after 2 restarts: look at the console, then start the server", 3, 3},
		"always, code 0":     {always, script{}, kind.ServerStateCrashed, "exited with code 0; not restarted again after 2 restarts: look at the console, then start the server", 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			tc.script.exitAfter, tc.script.lastConsole = time.Second, []string{"last words"}
			run(t, tc.script, func(w *world) {
				spec := specOf(w.id)
				spec.Crash = &protocol.CrashSpec{Policy: tc.policy, MaxRestarts: 2, WindowMs: 600_000}
				w.applySpec(spec, start, 1)
				w.pass(time.Hour)
				w.expect(tc.want)
				got := w.observed()
				equal(w.t, "reason", tc.reason, got.GetReason())
				equal(w.t, "crash count", tc.count, got.GetCrashCount())
				equal(w.t, "starts", tc.starts, len(w.games.started()))
				if tc.want == kind.ServerStateCrashed {
					equal(w.t, "last lines", []string{"last words"}, got.GetLastLines())
				}
				// Sending the same again changes nothing.
				w.applySpec(spec, start, 1)
				w.pass(time.Hour)
				w.expect(tc.want)
				equal(w.t, "starts", tc.starts, len(w.games.started()))
			})
		})
	}
}

func TestBackoffDoubles(t *testing.T) {
	run(t, script{exitAfter: time.Millisecond, exitCode: 1}, func(w *world) {
		spec := specOf(w.id)
		spec.Crash = &protocol.CrashSpec{Policy: protocol.CrashPolicy_CRASH_POLICY_ALWAYS, MaxRestarts: 9, WindowMs: 3_600_000}
		w.applySpec(spec, start, 1)
		w.pass(time.Hour)
		var waits []time.Duration
		starts := w.games.started()
		for i := 1; i < len(starts); i++ {
			waits = append(waits, starts[i].Sub(starts[i-1]).Round(time.Second))
		}
		const second, minute = time.Second, time.Minute
		want := []time.Duration{second, 2 * second, 4 * second, 8 * second, 16 * second, 32 * second, minute, minute, minute}
		equal(w.t, "waits", want, waits)
		equal(w.t, "first notice", "SYSTEM Crashed: exited with code 1, restarting in 1s", w.lines()[1])
	})
}

func TestWindowForgetsAndResetClears(t *testing.T) {
	run(t, script{exitAfter: time.Minute, exitCode: 1}, func(w *world) {
		spec := specOf(w.id)
		spec.Crash = &protocol.CrashSpec{Policy: protocol.CrashPolicy_CRASH_POLICY_ALWAYS, MaxRestarts: 2, WindowMs: 90_000}
		w.applySpec(spec, start, 1)
		w.pass(time.Hour)
		if got := len(w.games.started()); got < 40 {
			w.t.Errorf("only %d starts although each crash left the window", got)
		}
		w.apply(stop, 1)
		count := w.observed().GetCrashCount()
		if count < 40 {
			w.t.Errorf("crash count %d", count)
		}
		w.reopen(func() {})
		equal(w.t, "crash count after a restart of the agent", count, w.observed().GetCrashCount())
		if err := w.sup.ResetCrashCount(w.t.Context(), w.id); err != nil {
			w.t.Fatal(err)
		}
		equal(w.t, "crash count after the reset", int32(0), w.observed().GetCrashCount())
	})
}

func TestStableUptimeForgetsCrashes(t *testing.T) {
	run(t, script{exitAfter: time.Minute, exitCode: 1}, func(w *world) {
		w.apply(start, 1)
		w.pass(time.Minute)
		w.games.play(script{})
		w.pass(9 * time.Minute)
		equal(w.t, "crash count", int32(1), w.observed().GetCrashCount())
		w.pass(2 * time.Minute)
		equal(w.t, "crash count", int32(0), w.observed().GetCrashCount())
		w.expect(kind.ServerStateRunning)
	})
}
