package agent_test

import (
	"context"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// chatter is a runtime whose programs print what the test tells them to.
type chatter struct {
	mu       sync.Mutex
	programs map[string]*talker
}

func newChatter() *chatter { return &chatter{programs: make(map[string]*talker)} }

func (c *chatter) Name() string { return "fake" }
func (c *chatter) Close() error { return nil }

func (c *chatter) program(id string) *talker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.programs[id]
}

func (c *chatter) Prepare(context.Context, *protocol.ServerSpec, runtime.Progress) error { return nil }

func (c *chatter) Start(_ context.Context, spec runtime.Spec) (runtime.Instance, error) {
	w, err := console.OpenWriter(filepath.Join(spec.Path, "console"), console.Options{})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &talker{log: w, run: spec.Run, begun: time.Now()}
	c.programs[spec.ServerID] = t
	return t.attach(), nil
}

func (c *chatter) Adopt(_ context.Context, dir runtime.Dir) (runtime.Instance, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.programs[dir.ServerID]; t != nil && t.running() {
		return t.attach(), nil
	}
	return nil, nil
}

// talker is a program; its attachments come and go with the agents.
type talker struct {
	log   *console.Writer
	run   uint64
	begun time.Time

	mu       sync.Mutex
	ended    bool
	attached *attachment
}

func (t *talker) running() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.ended
}

func (t *talker) attach() *attachment {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attached = &attachment{talker: t, events: make(chan runtime.Event, 1024)}
	t.attached.events <- runtime.Event{Ready: true}
	t.attached.events <- runtime.Event{Wrote: t.log.LastSeq()}
	return t.attached
}

// print writes a line, whether or not an agent looks.
func (t *talker) print(stream kind.Stream, text string) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return 0, runtime.ErrNotRunning
	}
	seq, err := t.log.Append(stream, text, time.Now())
	if err == nil {
		err = t.log.Flush()
	}
	if t.attached != nil && len(t.attached.events) < cap(t.attached.events)-1 {
		t.attached.events <- runtime.Event{Wrote: seq}
	}
	return seq, err
}

func (t *talker) exit(code int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	_ = t.log.Close()
	if t.attached != nil {
		t.attached.events <- runtime.Event{Exit: &runtime.Exit{Code: code, At: time.Now()}}
		close(t.attached.events)
	}
}

type attachment struct {
	talker *talker
	events chan runtime.Event
}

func (a *attachment) Run() uint64                  { return a.talker.run }
func (a *attachment) Events() <-chan runtime.Event { return a.events }

func (a *attachment) Input(_ context.Context, text string) (uint64, error) {
	seq, err := a.talker.print(kind.StreamInput, text)
	if text == "stop" {
		a.talker.exit(0)
	}
	return seq, err
}

func (a *attachment) Notice(_ context.Context, text string) error {
	_, err := a.talker.print(kind.StreamSystem, text)
	return err
}

func (*attachment) Skip(context.Context, uint64) error { return nil }

func (*attachment) Limit(context.Context, *protocol.Limits) error { return nil }

func (a *attachment) Signal(_ context.Context, signal syscall.Signal) error {
	a.talker.exit(128 + int(signal))
	return nil
}

func (a *attachment) Stats(context.Context) (runtime.Sample, error) {
	if !a.talker.running() {
		return runtime.Sample{}, runtime.ErrNotRunning
	}
	return runtime.Sample{At: time.Now(), MemoryBytes: 1 << 20, Processes: 1, StartedAt: a.talker.begun}, nil
}

func (a *attachment) Forget(context.Context) error { return nil }

func (a *attachment) Detach() {
	a.talker.mu.Lock()
	defer a.talker.mu.Unlock()
	if a.talker.attached == a {
		a.talker.attached = nil
	}
}
