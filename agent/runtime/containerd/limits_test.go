package containerd_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
)

// TestMemoryHog is ended by the kernel, and said to be out of memory; a server that is killed is not.
func TestMemoryHog(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	spec := runtimetest.Demo()
	spec.Limits = &protocol.Limits{Memory: 64 << 20}
	inst := b.Start(spec)
	b.Ready(inst)
	b.Input(inst, "mem 512")
	if exit := b.Exit(inst); !exit.OOMKilled || exit.Code != 137 {
		t.Errorf("exit = %+v, want out of memory", exit)
	}
	inst = b.Start(spec)
	b.Ready(inst)
	b.Signal(inst, syscall.SIGKILL)
	if exit := b.Exit(inst); exit.OOMKilled {
		t.Errorf("exit = %+v, want no want of memory", exit)
	}
}

// TestLimitsChange raises the memory of a running server, and limits its processor.
func TestLimitsChange(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	spec := runtimetest.Demo()
	spec.Limits = &protocol.Limits{Memory: 64 << 20}
	inst := b.Start(spec)
	b.Ready(inst)
	if err := inst.Limit(t.Context(), &protocol.Limits{Memory: 512 << 20, Cpu: 20}); err != nil {
		t.Fatal(err)
	}
	b.Input(inst, "mem 128")
	b.Input(inst, "cpu 2")
	before, err := inst.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-time.NewTimer(1500 * time.Millisecond).C
	after, err := inst.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.MemoryBytes < 100<<20 {
		t.Errorf("the server uses %d bytes, want more than its first limit", after.MemoryBytes)
	}
	if used := (after.CPUTime - before.CPUTime).Seconds() / after.At.Sub(before.At).Seconds(); used > 0.4 {
		t.Errorf("the server used %.0f %% of a processor, want 20", 100*used)
	}
}

// TestForkBomb is held by the limit of processes, and ends at once when it is killed.
func TestForkBomb(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	spec := shell(t, `bomb() { bomb | bomb & }; bomb; echo lit; while true; do sleep 1; done`)
	spec.Limits = &protocol.Limits{Memory: 256 << 20, Pids: 64, Cpu: 50}
	spec.ReadyPatterns = []string{"lit"}
	inst := b.Start(spec)
	b.Ready(inst)
	s, err := inst.Stats(t.Context())
	if err != nil || s.Processes > 64 {
		t.Errorf("%d processes, %v; want at most 64", s.Processes, err)
	}
	begun := time.Now()
	b.Signal(inst, syscall.SIGKILL)
	if exit := b.Exit(inst); exit.Code != 137 || time.Since(begun) > 5*time.Second {
		t.Errorf("exit = %+v after %s", exit, time.Since(begun))
	}
}

// TestShellEndsBySignal stops a shell that has no handler: as the first process it would ignore the signal.
func TestShellEndsBySignal(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	spec := shell(t, `echo up; sleep 1000; echo over; exit 3`)
	spec.ReadyPatterns = []string{"up"}
	inst := b.Start(spec)
	b.Ready(inst)
	b.Signal(inst, syscall.SIGTERM)
	if exit := b.Exit(inst); exit.Code != 3 {
		t.Errorf("exit = %+v, want that of the shell after its child", exit)
	}
}

// TestTerminal has one where the template wants it.
func TestTerminal(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	spec := shell(t, `test -t 0 && test -t 1 && echo terminal=$TERM; read line; echo got=$line >&2`)
	spec.Tty = true
	inst := b.Start(spec)
	await(b, "STDOUT terminal=xterm-256color")
	b.Input(inst, "hello")
	b.Exit(inst)
	await(b, "STDOUT got=hello")
}
