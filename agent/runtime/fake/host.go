package fake

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/demo"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Program is what a server runs. It should return soon after ctx is done, which is SIGKILL (the Exit is then replaced).
// A zero At in the Exit is filled in.
type Program func(ctx context.Context, p *Process) runtime.Exit

// Host is the machine that programs run on.
type Host struct {
	group sync.WaitGroup

	mu        sync.Mutex
	programs  map[string]Program
	failures  map[string]error
	processes map[string]*Process
	starts    map[string]int
}

// NewHost returns a machine on which nothing runs.
func NewHost() *Host {
	return &Host{
		programs: map[string]Program{}, failures: map[string]error{}, processes: map[string]*Process{}, starts: map[string]int{},
	}
}

// Set makes p the program of a server from its next start on.
func (h *Host) Set(serverID string, p Program) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.programs[serverID] = p
}

// FailStart makes a server's starts fail until it is called with nil.
func (h *Host) FailStart(serverID string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures[serverID] = err
}

// Starts counts the successful starts of a server.
func (h *Host) Starts(serverID string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.starts[serverID]
}

// Running reports whether the server's program runs.
func (h *Host) Running(serverID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.processes {
		if p.spec.ServerID == serverID && !p.hasEnded() {
			return true
		}
	}
	return false
}

// Close kills every program and waits for it.
func (h *Host) Close() {
	h.mu.Lock()
	for _, p := range h.processes {
		p.kill()
	}
	h.mu.Unlock()
	h.group.Wait()
}

// start runs a program; ctx only lends its values.
func (h *Host) start(ctx context.Context, spec runtime.Spec) (*Process, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.processes[spec.Path]; old != nil && !old.hasEnded() {
		return nil, runtime.ErrAlreadyRunning
	}
	if err := h.failures[spec.ServerID]; err != nil {
		return nil, err
	}
	program := h.programs[spec.ServerID]
	if spec.Run == runtime.InstallRun {
		program = func(context.Context, *Process) runtime.Exit { return runtime.Exit{} } // which is quick here
	}
	if argv := spec.Server.GetArgv(); program == nil {
		if len(argv) != 2 || argv[0] != "catalyst" || argv[1] != demo.Command {
			return nil, fmt.Errorf("The program %q was not found on this node: install it or change the startup.", append(argv, "")[0])
		}
		program = Demo
	}
	p := &Process{
		host: h, spec: spec, input: make(chan string, 16), signals: make(chan syscall.Signal, 16),
		ready: len(spec.Server.GetReadyPatterns()) == 0,
	}
	for _, pattern := range spec.Server.GetReadyPatterns() {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("the ready pattern %q is not valid: %w", pattern, err)
		}
		p.patterns = append(p.patterns, re)
	}
	var err error
	if p.log, err = console.OpenWriter(filepath.Join(spec.Path, "console"), console.Options{}); err != nil {
		return nil, fmt.Errorf("open console log: %w", err)
	}
	ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	h.processes[spec.Path] = p
	h.starts[spec.ServerID]++
	p.begin()
	h.group.Go(func() { p.run(ctx, program) })
	return p, nil
}

func (h *Host) find(path string) *Process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.processes[path]
}

func (h *Host) forget(p *Process) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.processes[p.spec.Path] == p {
		delete(h.processes, p.spec.Path)
	}
}

// Demo is the Demo game as a Program. "cpu" is not for tests with synthetic time, which stands still meanwhile.
func Demo(ctx context.Context, p *Process) runtime.Exit {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	in, commands := io.Pipe()
	var feeding sync.WaitGroup
	feeding.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case line := <-p.Input():
				if _, err := io.WriteString(commands, line+"\n"); err != nil {
					return
				}
			case sig := <-p.Signals():
				if sig == syscall.SIGTERM || sig == syscall.SIGINT {
					stop()
				}
			}
		}
	})
	code := demo.Run(ctx, in, &lineWriter{process: p})
	stop()
	// Neither end fails to close; it ends the goroutines on both sides.
	_, _ = in.Close(), commands.Close()
	feeding.Wait()
	return runtime.Exit{Code: code}
}

// lineWriter prints what is written to it.
type lineWriter struct {
	process  *Process
	splitter console.Splitter
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.splitter.Write(b, func(line []byte) { w.process.PrintTo(kind.StreamStdout, string(line)) })
	return len(b), nil
}

// Obedient is a program that prints ready and runs until "stop" or SIGTERM.
func Obedient(ctx context.Context, p *Process) runtime.Exit {
	p.Print("ready")
	for {
		select {
		case <-ctx.Done():
			return runtime.Exit{}
		case line := <-p.Input():
			if line == "stop" {
				return runtime.Exit{}
			}
		case sig := <-p.Signals():
			if sig == syscall.SIGTERM {
				return runtime.Exit{}
			}
		}
	}
}

// Stubborn is a program that prints ready and ends by SIGKILL only.
func Stubborn(ctx context.Context, p *Process) runtime.Exit {
	p.Print("ready")
	<-ctx.Done()
	return runtime.Exit{}
}

// Exits returns a program that prints lines and ends at once.
func Exits(exit runtime.Exit, lines ...string) Program {
	return func(_ context.Context, p *Process) runtime.Exit {
		for _, line := range lines {
			p.Print(line)
		}
		return exit
	}
}
