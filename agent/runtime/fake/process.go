package fake

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const lastLines = 50

// Process is one run of a Program, as the program sees it.
type Process struct {
	host    *Host
	spec    runtime.Spec
	input   chan string
	signals chan syscall.Signal
	cancel  context.CancelFunc

	mu        sync.Mutex
	log       *console.Writer
	feeds     []*runtime.Feed
	patterns  []*regexp.Regexp
	ready     bool
	killed    bool
	tail      []string
	startedAt time.Time
	exit      *runtime.Exit
	sample    *runtime.Sample
	limits    *protocol.Limits
}

// Spec is what was asked for.
func (p *Process) Spec() runtime.Spec { return p.spec }

// Input is the program's standard input, by lines.
func (p *Process) Input() <-chan string { return p.input }

// Signals are those sent to it, SIGKILL apart.
func (p *Process) Signals() <-chan syscall.Signal { return p.signals }

// Print prints a line to the standard output.
func (p *Process) Print(text string) { p.PrintTo(kind.StreamStdout, text) }

// PrintTo prints a line. After SIGKILL nothing comes of it.
func (p *Process) PrintTo(stream kind.Stream, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed || p.exit != nil {
		return
	}
	if !p.ready && slices.ContainsFunc(p.patterns, func(re *regexp.Regexp) bool { return re.MatchString(text) }) {
		p.ready = true
		for _, f := range p.feeds {
			f.Ready()
		}
	}
	p.tail = append(p.tail, text)
	p.tail = p.tail[max(0, len(p.tail)-lastLines):]
	// A disk that is full in a test shows in the lines that the test misses.
	_, _ = p.record(stream, text)
}

// Limits are the last ones that were changed while it runs, or nil.
func (p *Process) Limits() *protocol.Limits {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limits
}

// SetSample makes Stats answer s.
func (p *Process) SetSample(s runtime.Sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sample = &s
}

func (p *Process) record(stream kind.Stream, text string) (uint64, error) {
	seq, err := p.log.Append(stream, text, time.Now())
	if err == nil {
		err = p.log.Flush()
	}
	if err != nil {
		return 0, fmt.Errorf("write console: %w", err)
	}
	for _, f := range p.feeds {
		f.Wrote(seq)
	}
	return seq, nil
}

func (p *Process) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.startedAt = time.Now()
}

// run is the process's life.
func (p *Process) run(ctx context.Context, program Program) {
	exit := program(ctx, p)
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		exit = runtime.Exit{Code: 137, Signal: int(syscall.SIGKILL)}
	}
	if exit.At.IsZero() {
		exit.At = time.Now()
	}
	if exit.LastLines == nil {
		exit.LastLines = p.tail
	}
	_ = p.log.Close()
	p.exit = &exit
	for _, f := range p.feeds {
		f.Exit(exit)
	}
}

func (p *Process) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit != nil
}

func (p *Process) kill() {
	p.mu.Lock()
	p.killed = p.killed || p.exit == nil
	p.mu.Unlock()
	p.cancel()
}

// attach makes an instance.
func (p *Process) attach() *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := &instance{process: p, feed: runtime.NewFeed()}
	p.feeds = append(p.feeds, i.feed)
	if p.ready {
		i.feed.Ready()
	}
	if seq := p.log.LastSeq(); seq > 0 {
		i.feed.Wrote(seq)
	}
	if p.exit != nil {
		i.feed.Exit(*p.exit)
	}
	return i
}

func (p *Process) detach(feed *runtime.Feed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.feeds = slices.DeleteFunc(p.feeds, func(f *runtime.Feed) bool { return f == feed })
}
