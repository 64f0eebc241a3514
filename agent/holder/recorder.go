package holder

import (
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	tailLines = 50
	tailBytes = 16 << 10
)

// recorder turns output into console lines. Everything that goes into the log goes through it, under its lock, so that
// the order of lines is that of what happened.
type recorder struct {
	log *console.Writer
	// wake is called, with the lock held, when there is something to tell the agents. It must not block.
	wake func()

	mu       sync.Mutex
	limiter  *console.Limiter
	patterns []*regexp.Regexp
	ready    bool
	// dropped counts lines over the rate limit, unwritten those that the disk did not take, since it was last said.
	dropped, unwritten uint64
	tail               []string
	tailSize           int
}

func newRecorder(log *console.Writer, spec Spec, wake func()) (*recorder, error) {
	r := &recorder{log: log, wake: wake, limiter: console.NewLimiter(spec.Limits), ready: len(spec.ReadyPatterns) == 0}
	for _, p := range spec.ReadyPatterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, fmt.Errorf("the ready pattern %q is not valid: %w", p, err)
		}
		r.patterns = append(r.patterns, re)
	}
	return r, nil
}

// output records the next bytes of a stream and reports whether something is left to be said once it falls silent.
func (r *recorder) output(stream kind.Stream, s *console.Splitter, p []byte, now time.Time) (unfinished bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Write(p, func(line []byte) { r.line(stream, line, now) })
	r.flush()
	return s.Pending() || r.dropped > 0
}

// idle records what a stream has left to say: the part of a line, and what was dropped.
func (r *recorder) idle(stream kind.Stream, s *console.Splitter, final bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Flush(final, func(line []byte) { r.line(stream, line, now) })
	r.explain(now)
	r.flush()
}

// say records a line that is not output, and so under no limit.
func (r *recorder) say(stream kind.Stream, text string, now time.Time) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sayLocked(stream, text, now)
}

func (r *recorder) sayLocked(stream kind.Stream, text string, now time.Time) (uint64, error) {
	r.explain(now)
	seq, err := r.log.Append(stream, text, now)
	r.flush()
	return seq, err
}

func (r *recorder) line(stream kind.Stream, line []byte, now time.Time) {
	if !r.ready {
		for _, p := range r.patterns {
			if p.Match(line) {
				r.ready, r.patterns = true, nil
				break
			}
		}
	}
	r.remember(line)
	if !r.limiter.Allow(now, len(line)) {
		r.dropped++
		return
	}
	r.explain(now)
	if _, err := r.log.Append(stream, string(line), now); err != nil {
		r.unwritten++
	}
}

// explain says how many lines are not in the log, at the place where they would be.
func (r *recorder) explain(now time.Time) {
	tell := func(count *uint64, format string) {
		if *count == 0 {
			return
		}
		if _, err := r.log.Append(kind.StreamSystem, fmt.Sprintf(format, *count), now); err == nil {
			*count = 0
		}
	}
	tell(&r.dropped, "%d lines dropped: the output was over the console's rate limit.")
	tell(&r.unwritten, "%d lines dropped: the node could not write them to its disk.")
}

// flush makes the lines visible to readers. After an error they stay buffered and the next flush tries again; what
// does not fit the buffer is counted as unwritten.
func (r *recorder) flush() {
	if err := r.log.Flush(); err == nil {
		r.wake()
	}
}

// remember keeps a line for the excerpt in Exit.
func (r *recorder) remember(line []byte) {
	r.tail = append(r.tail, string(line))
	r.tailSize += len(line)
	drop := 0
	for len(r.tail)-drop > tailLines || r.tailSize > tailBytes {
		r.tailSize -= len(r.tail[drop])
		drop++
	}
	if drop > 0 {
		r.tail = append(r.tail[:0], r.tail[drop:]...)
	}
}

// news is what agents are told.
func (r *recorder) news() (wrote uint64, ready bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.LastSeq(), r.ready
}

// finish closes the log and returns the excerpt.
func (r *recorder) finish() ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tail, r.log.Close()
}
