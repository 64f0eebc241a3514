package containerd_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/cgroup"
	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/procfs"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
)

// killHolder kills the holder of a server.
func killHolder(b *runtimetest.Bench) {
	b.Helper()
	all, err := procfs.All()
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range all {
		line, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/cmdline")
		if err == nil && strings.HasSuffix(string(line), "\x00"+holder.Command+"\x00"+filepath.Join(b.Dir.Path, "run")+"\x00") {
			if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
				b.Fatal(err)
			}
			return
		}
	}
	b.Fatal("there is no holder")
}

func processes(b *runtimetest.Bench) []int {
	b.Helper()
	pids, err := cgroup.At("/catalyst/" + b.Dir.ServerID).Processes()
	if err != nil {
		b.Fatal(err)
	}
	return pids
}

// TestHolderIsKilled kills a server's holder, with and without an agent: another one takes over, the program goes on.
func TestHolderIsKilled(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	inst := b.Start(runtimetest.Demo())
	b.Ready(inst)
	before := processes(b)
	killHolder(b)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for _, err := inst.Input(ctx, "say first"); err != nil; _, err = inst.Input(ctx, "say first") {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("no holder takes over: %v", err)
		}
	}
	b.Line("you said: first")
	inst.Detach()
	killHolder(b)
	again := b.Adopt()
	b.Ready(again)
	b.Input(again, "say second")
	b.Line("you said: second")
	if diff := cmp.Diff(before, processes(b)); diff != "" {
		t.Errorf("the program was not left alone (-before +after):\n%s", diff)
	}
	// Both have died: the end is found, and nothing of the program's last words is lost.
	again.Detach()
	b.Runtime = b.NewRuntime()
	third := b.Adopt()
	b.Input(third, "crash 9")
	if exit := b.Exit(third); exit.Code != 9 || exit.Lost {
		t.Errorf("exit = %+v, want 9", exit)
	}
}

// TestEndWhileAway ends the program while neither an agent nor a holder is there.
func TestEndWhileAway(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	inst := b.Start(runtimetest.Demo())
	b.Ready(inst)
	first := processes(b)[0]
	inst.Detach()
	killHolder(b)
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	again := b.Adopt()
	if exit := b.Exit(again); exit.Code != 137 || exit.OOMKilled || exit.Lost || exit.At.Before(time.Now().Add(-time.Minute)) {
		t.Errorf("exit = %+v, want 137", exit)
	}
	if err := again.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := b.Start(runtimetest.Demo())
	b.Ready(next)
}

// TestContainerIsTakenAway removes a container behind the agent's back: that is an end, and no start fails after it.
func TestContainerIsTakenAway(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	inst := b.Start(runtimetest.Demo())
	b.Ready(inst)
	c := testbed.Containerd(t).Client(t)
	container, err := c.LoadContainer(t.Context(), b.Dir.ServerID)
	if err != nil {
		t.Fatal(err)
	}
	task, err := container.Task(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := task.Delete(t.Context(), client.WithProcessKill); err != nil {
		t.Fatal(err)
	}
	if exit := b.Exit(inst); exit.Code == 0 {
		t.Errorf("exit = %+v, want no success", exit)
	}
	next := b.Start(runtimetest.Demo())
	b.Ready(next)
}

// TestContainerdHangs freezes containerd: servers are watched, typed to and killed all the same, and what happened
// meanwhile is found when it goes on.
func TestContainerdHangs(t *testing.T) {
	t.Parallel()
	daemon := testbed.OwnContainerd(t)
	b := runtimetest.NewBench(t, machineOn(t, daemon))
	inst := b.Start(runtimetest.Demo())
	b.Ready(inst)
	if err := daemon.Freeze(); err != nil {
		t.Fatal(err)
	}
	thawed := false
	thaw := func() {
		if !thawed {
			thawed = true
			if err := daemon.Thaw(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(thaw)
	b.Input(inst, "say still here")
	b.Line("you said: still here")
	if _, err := inst.Stats(t.Context()); err != nil {
		t.Errorf("sample: %v", err)
	}
	b.Signal(inst, syscall.SIGKILL)
	limit := time.NewTimer(5 * time.Second)
	defer limit.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for gone := false; !gone; {
		_, err := os.Stat("/proc/" + strconv.Itoa(processesOr(b, 0)))
		gone = errors.Is(err, os.ErrNotExist)
		select {
		case <-poll.C:
		case <-limit.C:
			t.Fatal("the program lives on")
		}
	}
	thaw()
	if exit := b.Exit(inst); exit.Code != 137 || exit.Lost {
		t.Errorf("exit = %+v, want 137", exit)
	}
}

// processesOr returns the first process of a server, or a number that no process has.
func processesOr(b *runtimetest.Bench, i int) int {
	pids, err := cgroup.At("/catalyst/" + b.Dir.ServerID).Processes()
	if err != nil || len(pids) <= i {
		return 1 << 30
	}
	return pids[i]
}

// TestContainerdIsRestarted kills containerd and starts it again: programs go on and are seen to end.
func TestContainerdIsRestarted(t *testing.T) {
	t.Parallel()
	daemon := testbed.OwnContainerd(t)
	b := runtimetest.NewBench(t, machineOn(t, daemon))
	inst := b.Start(runtimetest.Demo())
	b.Ready(inst)
	daemon.Stop()
	b.Input(inst, "say alone")
	b.Line("you said: alone")
	if _, err := b.TryStart(runtimetest.Demo()); err == nil || errors.Is(err, runtime.ErrNotRunning) {
		t.Errorf("a start without containerd: %v", err)
	}
	if err := daemon.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Input(inst, "crash 4")
	if exit := b.Exit(inst); exit.Code != 4 || exit.Lost {
		t.Errorf("exit = %+v, want 4", exit)
	}
	next := b.Start(runtimetest.Demo())
	b.Ready(next)
}
