package fake

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Name is the runtime's name in configuration.
const Name = "fake"

// Runtime is one agent's view of a Host.
type Runtime struct{ host *Host }

var _ runtime.Runtime = (*Runtime)(nil)

// New returns a runtime on the host.
func New(host *Host) *Runtime { return &Runtime{host: host} }

// Name returns "fake".
func (r *Runtime) Name() string { return Name }

// Close has nothing to let go of.
func (r *Runtime) Close() error { return nil }

// Prepare has nothing to fetch.
func (r *Runtime) Prepare(context.Context, *protocol.ServerSpec, runtime.Progress) error { return nil }

// Start starts a program on the host.
func (r *Runtime) Start(ctx context.Context, spec runtime.Spec) (runtime.Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start: %w", context.Cause(ctx))
	}
	p, err := r.host.start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return p.attach(), nil
}

// Adopt finds the last program of a server on the host.
func (r *Runtime) Adopt(_ context.Context, dir runtime.Dir) (runtime.Instance, error) {
	p := r.host.find(dir.Path)
	if p == nil {
		return nil, nil //nolint:nilnil // the interface's answer for "there is none"
	}
	return p.attach(), nil
}

// instance is a process as an agent sees it.
type instance struct {
	process *Process
	feed    *runtime.Feed
}

// Run is the number that Start was given.
func (i *instance) Run() uint64 { return i.process.spec.Run }

// Events delivers what happens to the program.
func (i *instance) Events() <-chan runtime.Event { return i.feed.Events() }

// Input hands a line to the program.
func (i *instance) Input(ctx context.Context, text string) (uint64, error) {
	p := i.process
	p.mu.Lock()
	if p.exit != nil || p.killed {
		p.mu.Unlock()
		return 0, runtime.ErrNotRunning
	}
	select {
	case p.input <- text:
		defer p.mu.Unlock()
		return p.record(kind.StreamInput, text)
	default:
	}
	p.mu.Unlock()
	<-ctx.Done()
	return 0, fault.New(fault.Conflict, "The program does not read its input: try it again later.")
}

// Skip makes the next line's number greater than after.
func (i *instance) Skip(_ context.Context, after uint64) error {
	i.process.mu.Lock()
	defer i.process.mu.Unlock()
	if i.process.exit != nil {
		return runtime.ErrNotRunning
	}
	return i.process.log.Skip(after)
}

// Notice records a SYSTEM line.
func (i *instance) Notice(_ context.Context, text string) error {
	p := i.process
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exit != nil {
		return runtime.ErrNotRunning
	}
	_, err := p.record(kind.StreamSystem, text)
	return err
}

// Signal sends a signal; one that the program does not read is lost after sixteen.
func (i *instance) Signal(_ context.Context, sig syscall.Signal) error {
	p := i.process
	if p.hasEnded() {
		return runtime.ErrNotRunning
	}
	if sig == syscall.SIGKILL {
		p.kill()
		return nil
	}
	select {
	case p.signals <- sig:
	default:
	}
	return nil
}

// Limit is remembered, for tests.
func (i *instance) Limit(_ context.Context, limits *protocol.Limits) error {
	i.process.mu.Lock()
	defer i.process.mu.Unlock()
	if i.process.exit != nil {
		return runtime.ErrNotRunning
	}
	i.process.limits = limits
	return nil
}

// Stats answers what SetSample said, or something plausible.
func (i *instance) Stats(context.Context) (runtime.Sample, error) {
	p := i.process
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exit != nil {
		return runtime.Sample{}, runtime.ErrNotRunning
	}
	now := time.Now()
	if p.sample != nil {
		s := *p.sample
		s.At, s.StartedAt = now, p.startedAt
		return s, nil
	}
	return runtime.Sample{
		At: now, StartedAt: p.startedAt, CPUTime: now.Sub(p.startedAt) / 10, MemoryBytes: 1 << 20, Processes: 1,
	}, nil
}

// Forget removes the ended program from the host.
func (i *instance) Forget(context.Context) error {
	if !i.process.hasEnded() {
		return runtime.ErrAlreadyRunning
	}
	i.process.host.forget(i.process)
	return nil
}

// Detach lets go of the program.
func (i *instance) Detach() {
	i.process.detach(i.feed)
	i.feed.Close()
}
