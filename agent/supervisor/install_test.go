package supervisor_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// order wants an installation and a run.
func (w *world) order(install uint64, power protocol.Power, runNumber uint64, change ...func(*protocol.InstallSpec)) {
	w.t.Helper()
	spec := specOf(w.id)
	spec.Image = "game"
	spec.Install = &protocol.InstallSpec{Image: "installer", Entrypoint: "bash", Script: "make files", TimeoutMs: 60_000}
	for _, f := range change {
		f(spec.GetInstall())
	}
	w.gen++
	_, err := w.sup.Apply(w.t.Context(), spec, &protocol.Desired{Generation: w.gen, Power: power, Run: runNumber, Install: install})
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

func (w *world) expectReason(want string) {
	w.t.Helper()
	equal(w.t, "reason", want, w.observed().GetReason())
}

func TestInstallThenStart(t *testing.T) {
	run(t, script{exitAfter: 5 * time.Second}, func(w *world) {
		w.games.prepare = []string{"Pulling installer"}
		w.order(1, start, 1)
		w.expect(kind.ServerStateInstalling)
		w.games.prepare = nil
		w.pass(4 * time.Second)
		w.expect(kind.ServerStateInstalling)
		w.games.play(script{})
		w.pass(time.Second)
		w.expect(kind.ServerStateRunning)
		equal(w.t, "history", []string{
			"INSTALLING g1 r0", "STOPPED g1 r0", "STARTING g1 r1", "RUNNING g1 r1",
		}, w.history())
		equal(w.t, "console", []string{
			"SYSTEM Installing", "SYSTEM Pulling installer", "SYSTEM Installed", "SYSTEM Starting",
		}, w.lines())
		installer, game := w.games.specs[0], w.games.specs[1]
		if installer.Run != runtime.InstallRun || installer.Server.GetImage() != "installer" || game.Run != 1 || game.Server.GetImage() != "game" {
			w.t.Errorf("started %v, then %v", installer, game)
		}
		equal(w.t, "command", []string{"bash", runtime.ScriptPath}, installer.Server.GetArgv())
		if p := w.progress; len(p) != 1 || p[0].GetProgress() != 0.25 || p[0].GetMessage() != "Pulling installer" {
			w.t.Errorf("progress %v", p)
		}
		w.order(1, stop, 1) // what was installed is not installed again
		w.expect(kind.ServerStateStopped)
		equal(w.t, "starts", 2, len(w.games.started()))
	})
}

func TestInstallFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script script
		after  time.Duration
		state  kind.ServerState
		reason string
	}{
		"script":  {script{exitAfter: time.Second, exitCode: 3}, time.Second, kind.ServerStateError, "The installation failed: its script exited with code 3."},
		"memory":  {script{exitAfter: time.Second, exitCode: 137, oom: true}, time.Second, kind.ServerStateError, "The installation ran out of memory."},
		"time":    {script{deafToStop: true, deafToTERM: true}, time.Minute, kind.ServerStateError, "The installation did not end within 1m0s."},
		"no pull": {script{startError: errors.New("The image is not there.")}, 0, kind.ServerStateError, "The image is not there."},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, tc.script, func(w *world) {
				w.order(1, start, 1)
				w.pass(tc.after)
				w.expect(tc.state)
				w.expectReason(tc.reason)
				w.games.play(script{})
				w.pass(time.Hour)
				w.expect(tc.state) // what is not whole is not started
				w.games.play(script{exitAfter: time.Second})
				w.order(2, stop, 1)
				w.pass(time.Second)
				w.expect(kind.ServerStateStopped)
				w.expectReason("")
				w.games.play(script{})
				w.order(2, start, 2)
				w.expect(kind.ServerStateRunning)
			})
		})
	}
}

func TestKillEndsAnInstallation(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]script{"script": {deafToStop: true, deafToTERM: true}, "pull": {startTakes: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			run(t, s, func(w *world) {
				w.order(1, start, 1)
				w.pass(time.Second)
				w.expect(kind.ServerStateInstalling)
				w.order(1, kill, 1)
				w.expect(kind.ServerStateStopped)
				w.expectReason("The installation was stopped before its end: install the server again.")
				w.reopen(func() {})
				w.pass(time.Hour)
				w.expect(kind.ServerStateStopped)
			})
		})
	}
}

// TestKillDropsAnInstallation that was asked for while the node was offline.
func TestKillDropsAnInstallation(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.order(1, kill, 0)
		w.order(1, stop, 0)
		w.pass(time.Minute)
		w.expect(kind.ServerStateStopped)
		equal(w.t, "starts", 0, len(w.games.started()))
	})
}

// TestC6Install has the agent die at points of an installation.
func TestC6Install(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script, later script
		before        time.Duration
		away          func(w *world)
		state         kind.ServerState
		reason        string
		starts        int
	}{
		"while it pulls":    {script{startTakes: time.Hour}, script{exitAfter: time.Second}, 0, func(*world) {}, kind.ServerStateStopped, "", 1},
		"while it runs":     {script{exitAfter: 10 * time.Second}, script{}, 5 * time.Second, func(*world) {}, kind.ServerStateStopped, "", 1},
		"it ends meanwhile": {script{exitAfter: 10 * time.Second}, script{}, 5 * time.Second, func(w *world) { w.pass(time.Minute) }, kind.ServerStateStopped, "", 1},
		"it fails meanwhile": {
			script{exitAfter: 10 * time.Second, exitCode: 1},
			script{},
			5 * time.Second, func(w *world) { w.pass(time.Minute) },
			kind.ServerStateError, "The installation failed: its script exited with code 1.", 1,
		},
		"it vanishes": {
			script{},
			script{exitAfter: time.Second},
			time.Second, func(w *world) { delete(w.games.programs, w.id) },
			kind.ServerStateStopped, "", 2,
		},
		"too long for its time": {
			script{deafToStop: true, deafToTERM: true},
			script{},
			time.Second, func(w *world) { w.pass(2 * time.Minute) },
			kind.ServerStateError, "The installation did not end within 1m0s.", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, tc.script, func(w *world) {
				w.order(1, stop, 0)
				w.pass(tc.before)
				w.expect(kind.ServerStateInstalling)
				w.reopen(func() { w.games.play(tc.later); tc.away(w) })
				w.pass(10 * time.Second)
				w.expect(tc.state)
				w.expectReason(tc.reason)
				equal(w.t, "starts", tc.starts, len(w.games.started()))
			})
		})
	}
}

// TestReinstallKeeps what the template says, and everything where it says nothing.
func TestReinstallKeeps(t *testing.T) {
	t.Parallel()
	all := []string{"game.bin", "saves", "saves/one", "mods", "mods/a", "mods/a/config.ini", "mods/a/code", "mods/b"}
	for name, tc := range map[string]struct {
		clear bool
		keep  []string
		left  []string
	}{
		"everything": {false, nil, all},
		"nothing":    {true, nil, nil},
		"some":       {true, []string{"saves", "/mods/*/config.ini"}, []string{"saves", "saves/one", "mods", "mods/a", "mods/a/config.ini", "mods/b"}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, script{exitAfter: time.Second}, func(w *world) {
				say := func(i *protocol.InstallSpec) { i.Clear, i.Keep = tc.clear, tc.keep }
				w.order(1, stop, 0, say)
				w.pass(time.Second)
				w.expect(kind.ServerStateStopped)
				files := filepath.Join(w.dir, w.id, "files")
				for _, dir := range []string{"saves", "mods/a", "mods/b"} {
					if err := os.MkdirAll(filepath.Join(files, dir), 0o700); err != nil {
						w.t.Fatal(err)
					}
				}
				for _, file := range []string{"game.bin", "saves/one", "mods/a/config.ini", "mods/a/code"} {
					if err := os.WriteFile(filepath.Join(files, file), nil, 0o600); err != nil {
						w.t.Fatal(err)
					}
				}
				w.order(2, stop, 0, say)
				w.pass(time.Second)
				w.expect(kind.ServerStateStopped)
				var left []string
				err := filepath.WalkDir(files, func(path string, _ fs.DirEntry, err error) error {
					if name, _ := filepath.Rel(files, path); name != "." {
						left = append(left, name)
					}
					return err
				})
				if err != nil {
					w.t.Fatal(err)
				}
				slices.Sort(left)
				want := slices.Sorted(slices.Values(tc.left))
				equal(w.t, "files that are left", want, left)
			})
		})
	}
}
