package supervisor_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

func TestAdoption(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script script
		before func(w *world)
		away   func(w *world)
		want   kind.ServerState
		count  int32
		starts int
	}{
		"running goes on": {
			script{}, func(w *world) { w.apply(start, 1) }, func(*world) {}, kind.ServerStateRunning, 0, 1,
		},
		"ready meanwhile": {
			script{ready: time.Second},
			func(w *world) { w.apply(start, 1) }, func(w *world) { w.pass(time.Minute) },
			kind.ServerStateRunning, 0, 1,
		},
		"crashed meanwhile": {
			script{exitAfter: time.Minute, exitCode: 1},
			func(w *world) { w.apply(start, 1) }, func(w *world) { w.pass(time.Minute) },
			kind.ServerStateCrashed, 1, 1,
		},
		"ended by itself meanwhile": {
			script{exitAfter: time.Minute},
			func(w *world) { w.apply(start, 1) }, func(w *world) { w.pass(time.Minute) },
			kind.ServerStateStopped, 0, 1,
		},
		"stopped meanwhile": {
			script{stopTakes: time.Second, stopExit: 1},
			func(w *world) { w.apply(start, 1); w.apply(stop, 1) },
			func(w *world) { w.pass(time.Minute) }, kind.ServerStateStopped, 0, 1,
		},
		"vanished": {
			script{},
			func(w *world) { w.apply(start, 1) }, func(w *world) { delete(w.games.programs, w.id) },
			kind.ServerStateCrashed, 1, 1,
		},
		"start was cut off": {
			script{startTakes: time.Hour},
			func(w *world) { w.apply(start, 1) }, func(w *world) { w.games.play(script{}) },
			kind.ServerStateRunning, 0, 1,
		},
		"still crashed, back-off not over": {
			script{exitAfter: time.Second, exitCode: 1},
			func(w *world) { w.apply(start, 1); w.pass(time.Second) },
			func(*world) {}, kind.ServerStateCrashed, 1, 1,
		},
		"back-off over meanwhile": {
			script{exitAfter: time.Second, exitCode: 1},
			func(w *world) { w.apply(start, 1); w.pass(time.Second) },
			func(w *world) { w.games.play(script{}); w.pass(time.Minute) }, kind.ServerStateRunning, 1, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, tc.script, func(w *world) {
				tc.before(w)
				w.reopen(func() { tc.away(w) })
				w.pass(0)
				w.expect(tc.want)
				equal(w.t, "crash count", tc.count, w.observed().GetCrashCount())
				equal(w.t, "starts", tc.starts, len(w.games.started()))
			})
		})
	}
}

func TestAdoptionIsRepeated(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(start, 1)
		w.reopen(func() { w.games.adoptErr = errors.New("the runtime does not answer") })
		w.apply(kill, 1)
		w.expect(kind.ServerStateRunning)
		w.games.mu.Lock()
		w.games.adoptErr = nil
		w.games.mu.Unlock()
		w.pass(2 * time.Second)
		w.expect(kind.ServerStateStopped)
	})
}

func TestStrayProgramIsTakenUp(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(start, 1)
		path := filepath.Join(w.dir, w.id, "state.json")
		w.reopen(func() {
			content, err := os.ReadFile(path)
			if err != nil {
				w.t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(content), `"RUNNING"`, `"STOPPED"`, 1)), 0o600); err != nil {
				w.t.Fatal(err)
			}
		})
		w.pass(3 * time.Second)
		w.expect(kind.ServerStateRunning)
	})
}
