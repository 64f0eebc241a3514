package supervisor_test

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// script says how a game behaves.
type script struct {
	startError  error
	startTakes  time.Duration
	startHangs  bool          // even after it was called off, for startTakes
	ready       time.Duration // negative: never
	exitAfter   time.Duration // 0: runs until it is stopped
	exitCode    int
	oom         bool
	deafToStop  bool
	deafToTERM  bool
	immortal    bool
	neverReads  bool
	stopTakes   time.Duration
	stopExit    int
	lastConsole []string
}

// games is a runtime whose programs are scripts. They outlive the supervisor, like programs do.
type games struct {
	mu       sync.Mutex
	script   script
	programs map[string]*program
	starts   []time.Time
	specs    []runtime.Spec
	signals  []syscall.Signal
	adoptErr error
	limits   *protocol.Limits // the last ones that a running program was given
	prepare  []string         // what the preparation of a start has to say
}

func newGames(s script) *games { return &games{script: s, programs: make(map[string]*program)} }

func (g *games) play(s script) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.script = s
}

func (g *games) started() []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]time.Time(nil), g.starts...)
}

func (g *games) Name() string { return "fake" }
func (g *games) Close() error { return nil }

func (g *games) Prepare(_ context.Context, _ *protocol.ServerSpec, progress runtime.Progress) error {
	g.mu.Lock()
	messages := g.prepare
	g.mu.Unlock()
	for _, m := range messages {
		progress(0.5, m)
	}
	return nil
}

func (g *games) Start(ctx context.Context, spec runtime.Spec) (runtime.Instance, error) {
	g.mu.Lock()
	s := g.script
	g.specs = append(g.specs, spec)
	if p := g.programs[spec.ServerID]; p != nil {
		g.mu.Unlock()
		return nil, runtime.ErrAlreadyRunning
	}
	g.mu.Unlock()
	if s.startTakes > 0 {
		called := ctx.Done()
		if s.startHangs {
			called = nil
		}
		t := time.NewTimer(s.startTakes)
		defer t.Stop()
		select {
		case <-t.C:
		case <-called:
			return nil, context.Cause(ctx)
		}
	}
	if s.startError != nil {
		return nil, s.startError
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &program{games: g, dir: spec.Dir, run: spec.Run, script: s, at: time.Now(), command: spec.Server.GetStop().GetCommand()}
	g.programs[spec.ServerID] = p
	g.starts = append(g.starts, time.Now())
	i := p.attach()
	if s.ready >= 0 {
		time.AfterFunc(s.ready, p.becomeReady)
	}
	if s.exitAfter > 0 {
		time.AfterFunc(s.exitAfter, func() { p.exit(s.exitCode, 0) })
	}
	return i, nil
}

func (g *games) Adopt(_ context.Context, dir runtime.Dir) (runtime.Instance, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.adoptErr != nil {
		return nil, g.adoptErr
	}
	p := g.programs[dir.ServerID]
	if p == nil {
		return nil, nil
	}
	return p.attach(), nil
}

// program is one run of a script.
type program struct {
	games   *games
	dir     runtime.Dir
	run     uint64
	script  script
	at      time.Time
	command string

	mu       sync.Mutex
	isReady  bool
	end      *runtime.Exit
	attached *instance
}

func (p *program) attach() *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := &instance{program: p, events: make(chan runtime.Event, 256)}
	p.attached = i
	if p.isReady {
		i.events <- runtime.Event{Ready: true}
	}
	if p.end != nil {
		i.finish(p.end)
	}
	return i
}

func (p *program) becomeReady() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end != nil || p.isReady {
		return
	}
	p.isReady = true
	if p.attached != nil {
		p.attached.events <- runtime.Event{Ready: true}
	}
}

func (p *program) exit(code, signal int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end != nil {
		return
	}
	p.end = &runtime.Exit{Code: code, Signal: signal, OOMKilled: p.script.oom, At: time.Now(), LastLines: p.script.lastConsole}
	if p.attached != nil {
		p.attached.finish(p.end)
	}
}

func (p *program) log(stream kind.Stream, text string) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end != nil {
		return 0, runtime.ErrNotRunning
	}
	w, err := console.OpenWriter(p.dir.Path+"/console", console.Options{})
	if err != nil {
		return 0, err
	}
	seq, err := w.Append(stream, text, time.Now())
	if err := errors.Join(err, w.Close()); err != nil {
		return 0, err
	}
	if p.attached != nil {
		select {
		case p.attached.events <- runtime.Event{Wrote: seq}:
		default:
		}
	}
	return seq, nil
}

type instance struct {
	program *program
	events  chan runtime.Event
	closed  bool
}

func (i *instance) finish(end *runtime.Exit) {
	if !i.closed {
		i.closed = true
		i.events <- runtime.Event{Exit: end}
		close(i.events)
	}
}

func (i *instance) Run() uint64                  { return i.program.run }
func (i *instance) Events() <-chan runtime.Event { return i.events }

func (i *instance) Input(ctx context.Context, text string) (uint64, error) {
	if i.program.script.neverReads {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	}
	seq, err := i.program.log(kind.StreamInput, text)
	if err == nil && text == i.program.command && !i.program.script.deafToStop {
		time.AfterFunc(i.program.script.stopTakes, func() { i.program.exit(i.program.script.stopExit, 0) })
	}
	return seq, err
}

func (i *instance) Notice(_ context.Context, text string) error {
	_, err := i.program.log(kind.StreamSystem, text)
	return err
}

func (*instance) Skip(context.Context, uint64) error { return nil }

func (i *instance) Limit(_ context.Context, limits *protocol.Limits) error {
	i.program.games.mu.Lock()
	defer i.program.games.mu.Unlock()
	i.program.games.limits = limits
	return nil
}

func (i *instance) Signal(_ context.Context, signal syscall.Signal) error {
	p := i.program
	p.games.mu.Lock()
	p.games.signals = append(p.games.signals, signal)
	p.games.mu.Unlock()
	switch {
	case signal == syscall.SIGKILL && !p.script.immortal, signal != syscall.SIGKILL && !p.script.deafToTERM:
		p.exit(128+int(signal), int(signal))
	}
	return nil
}

func (i *instance) Stats(context.Context) (runtime.Sample, error) {
	up := time.Since(i.program.at)
	return runtime.Sample{At: time.Now(), CPUTime: up / 2, MemoryBytes: 1 << 20, Processes: 2, StartedAt: i.program.at}, nil
}

func (i *instance) Forget(context.Context) error {
	p := i.program
	p.games.mu.Lock()
	defer p.games.mu.Unlock()
	if p.games.programs[p.dir.ServerID] == p {
		delete(p.games.programs, p.dir.ServerID)
	}
	return nil
}

func (i *instance) Detach() {
	i.program.mu.Lock()
	defer i.program.mu.Unlock()
	if i.program.attached == i {
		i.program.attached = nil
	}
	if !i.closed {
		i.closed = true
		close(i.events)
	}
}

var _ runtime.Runtime = (*games)(nil)

func specOf(id string) *protocol.ServerSpec {
	return &protocol.ServerSpec{
		ServerId:       id,
		Argv:           []string{"game"},
		Limits:         &protocol.Limits{Memory: 64 << 20},
		Stop:           &protocol.StopSpec{Command: "stop", GraceMs: 30_000},
		StartTimeoutMs: 60_000,
		Crash:          &protocol.CrashSpec{Policy: protocol.CrashPolicy_CRASH_POLICY_ON_FAILURE, MaxRestarts: 3, WindowMs: 600_000},
	}
}
