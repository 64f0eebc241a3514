package runtimetest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/durable/fulldisk"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// patience bounds every wait.
const patience = 20 * time.Second

// Machine makes runtimes that all run on the same machine: a second one is what an agent has after its restart.
type Machine func() runtime.Runtime

// Bench is one test's server on one machine.
type Bench struct {
	*testing.T
	// Machine makes another runtime, Runtime is the first.
	Machine Machine
	Runtime runtime.Runtime
	Dir     runtime.Dir

	run uint64
}

// Run runs the suite; newMachine is called for each test.
func Run(t *testing.T, newMachine func(t *testing.T) Machine) {
	t.Helper()
	for name, test := range map[string]func(*Bench){
		"start, input, end":             startInputEnd,
		"exit code and last lines":      exitCode,
		"signals":                       signals,
		"one instance at a time":        oneInstance,
		"notice":                        notice,
		"adopt a running program":       adoptRunning,
		"adopt an ended program":        adoptEnded,
		"nothing works after the end":   afterTheEnd,
		"order and numbers of lines":    lineOrder,
		"stats":                         stats,
		"program not found":             notFound,
		"ready pattern":                 readyPattern,
		"nothing to adopt":              nothingToAdopt,
		"many starts and ends in a row": manyRuns,
		"a slow reader of events":       slowReader,
		"an end on a full disk":         fullDisk,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(NewBench(t, newMachine(t)))
		})
	}
}

// NewBench prepares one server.
func NewBench(t *testing.T, machine Machine) *Bench {
	t.Helper()
	b := &Bench{T: t, Machine: machine, Dir: runtime.Dir{ServerID: kind.NewID(kind.PrefixServer), Path: t.TempDir()}}
	b.Runtime = b.NewRuntime()
	return b
}

// NewRuntime is the agent's restart.
func (b *Bench) NewRuntime() runtime.Runtime {
	b.Helper()
	rt := b.Machine()
	b.Cleanup(func() {
		if err := rt.Close(); err != nil {
			b.Errorf("close runtime: %v", err)
		}
	})
	return rt
}

// Demo is the Demo game.
func Demo() *protocol.ServerSpec {
	return &protocol.ServerSpec{Argv: []string{"catalyst", "demo-game"}, ReadyPatterns: []string{"^ready$"}}
}

// Shell is a line for /bin/sh.
func Shell(line string) *protocol.ServerSpec { return &protocol.ServerSpec{Shell: line} }

// TryStart starts the next run.
func (b *Bench) TryStart(server *protocol.ServerSpec) (runtime.Instance, error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	b.run++
	return b.Runtime.Start(ctx, runtime.Spec{Dir: b.Dir, Run: b.run, Server: server})
}

// Start starts the next run, and ends it with the test.
func (b *Bench) Start(server *protocol.ServerSpec) runtime.Instance {
	b.Helper()
	inst, err := b.TryStart(server)
	if err != nil {
		b.Fatalf("start: %v", err)
	}
	if inst.Run() != b.run {
		b.Errorf("run = %d, want %d", inst.Run(), b.run)
	}
	b.endWithTest(inst)
	return inst
}

// Install starts an installation, and ends it with the test.
func (b *Bench) Install(server *protocol.ServerSpec) runtime.Instance {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	inst, err := b.Runtime.Start(ctx, runtime.Spec{Dir: b.Dir, Run: runtime.InstallRun, Server: runtime.Installer(server)})
	if err != nil {
		b.Fatalf("install: %v", err)
	}
	b.endWithTest(inst)
	return inst
}

// Adopt adopts with a new runtime; nil when there is nothing.
func (b *Bench) Adopt() runtime.Instance {
	b.Helper()
	inst, err := b.NewRuntime().Adopt(b.Context(), b.Dir)
	if err != nil {
		b.Fatalf("adopt: %v", err)
	}
	if inst != nil {
		b.endWithTest(inst)
	}
	return inst
}

func (b *Bench) endWithTest(inst runtime.Instance) {
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.Context()), patience)
		defer cancel()
		_ = inst.Signal(ctx, syscall.SIGKILL)
		inst.Detach()
		// Detached instances go on: the last one that is adopted ends whatever is left.
		if left, err := b.Runtime.Adopt(ctx, b.Dir); err == nil && left != nil {
			_ = left.Signal(ctx, syscall.SIGKILL)
			for e := range left.Events() {
				if e.Exit != nil {
					_ = left.Forget(ctx)
				}
			}
			left.Detach()
		}
	})
}

// Ready waits for the Ready event.
func (b *Bench) Ready(inst runtime.Instance) {
	b.Helper()
	b.until(inst, "Ready", func(e runtime.Event) bool { return e.Ready })
}

// Exit waits for the end and checks that nothing comes after it.
func (b *Bench) Exit(inst runtime.Instance) runtime.Exit {
	b.Helper()
	e := b.until(inst, "Exit", func(e runtime.Event) bool { return e.Exit != nil })
	if _, open := <-inst.Events(); open {
		b.Error("there was an event after Exit")
	}
	return *e.Exit
}

func (b *Bench) until(inst runtime.Instance, what string, is func(runtime.Event) bool) runtime.Event {
	b.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case e, open := <-inst.Events():
			if !open {
				b.Fatalf("the events ended without %s", what)
			}
			if is(e) {
				return e
			}
			if e.Exit != nil {
				b.Fatalf("the program ended (%+v) before %s; console: %q", *e.Exit, what, b.Texts())
			}
		case <-limit.C:
			b.Fatalf("no %s; console: %q", what, b.Texts())
		}
	}
}

// Input sends a line.
func (b *Bench) Input(inst runtime.Instance, text string) uint64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	seq, err := inst.Input(ctx, text)
	if err != nil {
		b.Fatalf("input %q: %v", text, err)
	}
	return seq
}

// Signal sends a signal.
func (b *Bench) Signal(inst runtime.Instance, sig syscall.Signal) {
	b.Helper()
	if err := inst.Signal(b.Context(), sig); err != nil {
		b.Fatalf("signal %v: %v", sig, err)
	}
}

// Lines is the whole console.
func (b *Bench) Lines() []console.Line {
	b.Helper()
	r, err := console.OpenReader(filepath.Join(b.Dir.Path, "console"))
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	lines, _, err := r.ReadAfter(0, 1<<20, 1<<30)
	if err != nil {
		b.Fatal(err)
	}
	return lines
}

// Texts is the console as "STREAM text", without ticks.
func (b *Bench) Texts() []string {
	b.Helper()
	var texts []string
	for _, line := range b.Lines() {
		if !strings.HasPrefix(line.Text, "tick ") {
			texts = append(texts, string(line.Stream)+" "+line.Text)
		}
	}
	return texts
}

// Line waits for a line in the console, by polling: the program decides when it comes.
func (b *Bench) Line(text string) console.Line {
	b.Helper()
	poll, limit := time.NewTicker(10*time.Millisecond), time.NewTimer(patience)
	defer poll.Stop()
	defer limit.Stop()
	for {
		for _, line := range b.Lines() {
			if line.Text == text {
				return line
			}
		}
		select {
		case <-poll.C:
		case <-limit.C:
			b.Fatalf("no line %q in %q", text, b.Texts())
		}
	}
}

func (b *Bench) want(got []string, want ...string) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("console (-want +got):\n%s", diff)
	}
}

func startInputEnd(b *Bench) {
	inst := b.Start(Demo())
	b.Ready(inst)
	seq := b.Input(inst, "say hello")
	b.Line("you said: hello")
	b.Input(inst, "stop")
	if exit := b.Exit(inst); exit.Code != 0 || exit.Signal != 0 || exit.Lost || time.Since(exit.At) > patience {
		b.Errorf("exit = %+v", exit)
	}
	b.want(b.Texts(), "STDOUT ready", "INPUT say hello", "STDOUT you said: hello", "INPUT stop", "STDOUT bye")
	if line := b.Line("say hello"); line.Seq != seq {
		b.Errorf("Input answered line %d, the log has it as %d", seq, line.Seq)
	}
	if err := inst.Forget(b.Context()); err != nil {
		b.Errorf("forget: %v", err)
	}
}

func exitCode(b *Bench) {
	inst := b.Start(Demo())
	b.Ready(inst)
	b.Input(inst, "say last words")
	b.Line("you said: last words")
	b.Input(inst, "crash 42")
	exit := b.Exit(inst)
	if exit.Code != 42 || exit.Signal != 0 || exit.OOMKilled {
		b.Errorf("exit = %+v, want code 42", exit)
	}
	if n := len(exit.LastLines); n == 0 || exit.LastLines[n-1] != "you said: last words" {
		b.Errorf("last lines = %q", exit.LastLines)
	}
}

func signals(b *Bench) {
	inst := b.Start(Demo())
	b.Ready(inst)
	b.Signal(inst, syscall.SIGTERM)
	if exit := b.Exit(inst); exit.Code != 0 {
		b.Errorf("after SIGTERM: %+v, want 0 as the game handles it", exit)
	}
	inst = b.Start(Demo())
	b.Ready(inst)
	b.Signal(inst, syscall.SIGKILL)
	if exit := b.Exit(inst); exit.Code != 137 || exit.Signal != 9 || exit.OOMKilled {
		b.Errorf("after SIGKILL: %+v, want 137, signal 9, not for memory", exit)
	}
}

func oneInstance(b *Bench) {
	inst := b.Start(Demo())
	b.Ready(inst)
	if _, err := b.TryStart(Demo()); !errors.Is(err, runtime.ErrAlreadyRunning) {
		b.Errorf("second start: %v, want ErrAlreadyRunning", err)
	}
	if _, err := b.NewRuntime().Start(b.Context(), runtime.Spec{Dir: b.Dir, Run: 9, Server: Demo()}); !errors.Is(err, runtime.ErrAlreadyRunning) {
		b.Errorf("start by another runtime: %v, want ErrAlreadyRunning", err)
	}
	b.Input(inst, "say still here")
	b.Line("you said: still here")
}

func notice(b *Bench) {
	inst := b.Start(Demo())
	b.Ready(inst)
	if err := inst.Notice(b.Context(), "Backup begins"); err != nil {
		b.Fatal(err)
	}
	b.Input(inst, "stop")
	b.Exit(inst)
	b.want(b.Texts(), "STDOUT ready", "SYSTEM Backup begins", "INPUT stop", "STDOUT bye")
}

func adoptRunning(b *Bench) {
	inst := b.Start(Demo())
	b.Ready(inst)
	inst.Detach()
	for e := range inst.Events() {
		if e.Exit != nil {
			b.Errorf("detached instance reported %+v", e.Exit)
		}
	}
	again := b.Adopt()
	if again == nil {
		b.Fatal("nothing was adopted")
	}
	if again.Run() != 1 {
		b.Errorf("run = %d, want 1", again.Run())
	}
	b.Ready(again)
	b.Input(again, "say hello again")
	b.Line("you said: hello again")
	b.Input(again, "crash 3")
	if exit := b.Exit(again); exit.Code != 3 || exit.Lost {
		b.Errorf("exit = %+v, want 3", exit)
	}
}

func adoptEnded(b *Bench) {
	inst := b.Start(Demo())
	b.Ready(inst)
	b.Input(inst, "crash 5")
	inst.Detach()
	for range 2 {
		again := b.Adopt()
		if again == nil {
			b.Fatal("nothing was adopted")
		}
		if exit := b.Exit(again); exit.Code != 5 || exit.Lost || again.Run() != 1 {
			b.Errorf("run %d, exit %+v, want run 1 and code 5", again.Run(), exit)
		}
		again.Detach()
	}
	last := b.Adopt()
	b.Exit(last)
	if err := last.Forget(b.Context()); err != nil {
		b.Errorf("forget: %v", err)
	}
	if again := b.Adopt(); again != nil {
		b.Error("there was something to adopt after Forget")
	}
}

func afterTheEnd(b *Bench) {
	inst := b.Start(Demo())
	b.Ready(inst)
	if err := inst.Forget(b.Context()); err == nil {
		b.Error("Forget succeeded while the program runs")
	}
	b.Input(inst, "stop")
	b.Exit(inst)
	_, inputErr := inst.Input(b.Context(), "say hello")
	_, statsErr := inst.Stats(b.Context())
	for what, err := range map[string]error{
		"Input": inputErr, "Stats": statsErr,
		"Notice": inst.Notice(b.Context(), "hello"), "Signal": inst.Signal(b.Context(), syscall.SIGTERM),
	} {
		if !errors.Is(err, runtime.ErrNotRunning) {
			b.Errorf("%s after the end: %v, want ErrNotRunning", what, err)
		}
	}
	// The log is free for the supervisor once the end is known.
	w, err := console.OpenWriter(filepath.Join(b.Dir.Path, "console"), console.Options{})
	if err != nil {
		b.Fatalf("open the log after the end: %v", err)
	}
	if err := w.Close(); err != nil {
		b.Error(err)
	}
}

func lineOrder(b *Bench) {
	const n = 3000
	for range 2 {
		inst := b.Start(Demo())
		b.Ready(inst)
		b.Input(inst, fmt.Sprintf("burst %d", n))
		b.Input(inst, "stop")
		b.Exit(inst)
	}
	next := 0
	for i, line := range b.Lines() {
		if line.Seq != uint64(i)+1 {
			b.Fatalf("line %d has number %d", i+1, line.Seq)
		}
		if strings.HasPrefix(line.Text, "burst ") && line.Stream == kind.StreamStdout {
			want := fmt.Sprintf("burst %d/%d", next%(n+1)+1, n)
			if next%(n+1) == n {
				want = fmt.Sprintf("burst done %d", n)
			}
			if line.Text != want {
				b.Fatalf("line %d = %q, want %q", line.Seq, line.Text, want)
			}
			next++
		}
	}
	if next != 2*(n+1) {
		b.Errorf("%d lines of two bursts, want %d", next, 2*(n+1))
	}
}

func stats(b *Bench) {
	before := time.Now()
	inst := b.Start(Demo())
	b.Ready(inst)
	s, err := inst.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if s.Processes < 1 || s.MemoryBytes < 1<<10 || s.CPUTime < 0 ||
		s.StartedAt.Before(before.Add(-time.Second)) || s.At.Before(s.StartedAt.Add(-time.Second)) {
		b.Errorf("sample = %+v", s)
	}
}

func notFound(b *Bench) {
	_, err := b.TryStart(&protocol.ServerSpec{Argv: []string{"freeciv-server-of-nobody"}})
	want := `The program "freeciv-server-of-nobody" was not found`
	if err == nil || !strings.Contains(err.Error(), want) {
		b.Fatalf("start: %v, want %q", err, want)
	}
	if inst := b.Adopt(); inst != nil {
		b.Error("something is left of the failed start")
	}
	inst := b.Start(Demo())
	b.Ready(inst)
}

func readyPattern(b *Bench) {
	spec := Demo()
	spec.ReadyPatterns = []string{"never", "^you said: (open|done)$"}
	inst := b.Start(spec)
	b.Line("ready")
	b.Input(inst, "say opening")
	b.Line("you said: opening")
	b.Input(inst, "say open")
	b.Ready(inst)
	b.Line("you said: open")
	inst.Detach()

	spec.ReadyPatterns = nil
	other := NewBench(b.T, b.Machine)
	other.Ready(other.Start(spec))
}

func nothingToAdopt(b *Bench) {
	if inst := b.Adopt(); inst != nil {
		b.Error("adopted something in an empty directory")
	}
}

func manyRuns(b *Bench) {
	for i := range 10 {
		inst := b.Start(Demo())
		b.Ready(inst)
		b.Input(inst, fmt.Sprintf("crash %d", i))
		if exit := b.Exit(inst); exit.Code != i {
			b.Fatalf("run %d ended with %+v", i, exit)
		}
		if i%2 == 0 {
			if err := inst.Forget(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func slowReader(b *Bench) {
	inst := b.Start(Demo())
	b.Input(inst, "burst 2000")
	b.Line("burst done 2000")
	b.Input(inst, "stop")
	b.Line("bye")
	wrote, events := uint64(0), 0
	exit := b.until(inst, "Exit", func(e runtime.Event) bool {
		events++
		if e.Wrote != 0 && e.Wrote <= wrote {
			b.Errorf("Wrote %d after %d", e.Wrote, wrote)
		}
		wrote = max(wrote, e.Wrote)
		return e.Exit != nil
	})
	if last := b.Line("bye").Seq; wrote < last || exit.Exit.Code != 0 {
		b.Errorf("told of %d lines, want %d; exit %+v", wrote, last, exit.Exit)
	}
	if events > 20 {
		b.Errorf("%d events for a reader that came late, want them merged", events)
	}
}

// fullDisk ends a program where nothing can be written any more: how it ended is known all the same.
func fullDisk(b *Bench) {
	b.Dir.Path = fulldisk.Mount(b.T, "2m")
	inst := b.Start(Demo())
	b.Ready(inst)
	free := fulldisk.Fill(b.T, b.Dir.Path)
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if _, err := inst.Input(ctx, "crash 5"); err != nil {
		b.Logf("input on a full disk: %v", err) // the record of it may not fit; what counts is the end
	}
	if exit := b.Exit(inst); exit.Code != 5 || exit.Lost {
		b.Errorf("exit = %+v, want code 5", exit)
	}
	free()
	if err := inst.Forget(b.Context()); err != nil {
		b.Errorf("forget: %v", err)
	}
	next := b.Start(Demo())
	b.Ready(next)
	b.Input(next, "stop")
	b.Exit(next)
}
