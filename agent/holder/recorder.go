package holder

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/catalyst-panel/catalyst/agent/output"
	"github.com/catalyst-panel/catalyst/agent/pattern"
)

const (
	tailLines = 50
	tailLine  = 1 << 10
	// retryEvery is how often a disk that refused lines is tried again.
	retryEvery = time.Second
)

// recorder turns output into console lines. Everything that goes into the log goes through it, under its lock, so that
// the order of lines is that of what happened.
type recorder struct {
	log *output.Writer
	// wake is called, with the lock held, when there is something to tell the agents. It must not block.
	wake func()

	mu       sync.Mutex
	limiter  *output.Limiter
	mask     mask
	patterns []*pattern.Matcher
	ready    bool
	// marker is a file that tells a later holder of the same container that it is ready; empty where there is none.
	marker string
	// dropped counts lines over the rate limit, unwritten those that the disk did not take, since it was last said.
	dropped, unwritten uint64
	// tail is a ring of the last lines, at is where the next one goes.
	tail [tailLines][]byte
	at   int
}

func newRecorder(log *output.Writer, spec Spec, wake func()) (*recorder, error) {
	r := &recorder{log: log, wake: wake, limiter: output.NewLimiter(spec.Limits), mask: newMask(spec.Secrets), ready: len(spec.ReadyPatterns) == 0}
	for _, p := range spec.ReadyPatterns {
		if !p.Valid() {
			return nil, errors.New("a ready pattern is damaged")
		}
		r.patterns = append(r.patterns, pattern.NewMatcher(p))
	}
	if spec.FIFOs != nil {
		r.marker = ReadyFile
		if _, err := os.Stat(r.marker); err == nil {
			r.ready, r.patterns = true, nil
		}
	}
	return r, nil
}

// output records the next bytes of a stream and reports whether something is left to be said once it falls silent.
func (r *recorder) output(stream output.Stream, s *output.Splitter, p []byte, now time.Time) (unfinished bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Write(p, func(line []byte) { r.line(stream, line, now) })
	r.flush()
	return s.Pending() || r.dropped > 0
}

// idle records what a stream has left to say: the part of a line, and what was dropped.
func (r *recorder) idle(stream output.Stream, s *output.Splitter, final bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Flush(final, func(line []byte) { r.line(stream, line, now) })
	r.explain(now)
	r.flush()
}

// say records a line that is not output, and so under no limit.
func (r *recorder) say(stream output.Stream, text string, now time.Time) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sayLocked(stream, text, now)
}

func (r *recorder) sayLocked(stream output.Stream, text string, now time.Time) (uint64, error) {
	r.explain(now)
	seq, err := r.log.Append(stream, text, now)
	if err != nil {
		r.unwritten++
	}
	r.flush()
	return seq, err
}

func (r *recorder) line(stream output.Stream, line []byte, now time.Time) {
	line = r.mask.apply(line)
	if !r.ready {
		for _, p := range r.patterns {
			if p.Match(line) {
				r.becomeReady()
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
	if _, err := r.log.AppendLine(stream, line, now); err != nil {
		r.unwritten++
	}
}

// becomeReady ends the search for a ready pattern.
func (r *recorder) becomeReady() {
	r.ready, r.patterns = true, nil
	if r.marker == "" {
		return
	}
	// Without it a later holder would wait for a pattern that has come and gone, until the start's time is over; a disk
	// that does not take it changes nothing for this one.
	_ = os.WriteFile(r.marker, nil, 0o600)
}

// explain says how many lines are not in the log, at the place where they would be.
func (r *recorder) explain(now time.Time) {
	tell := func(count *uint64, format string) {
		if *count == 0 {
			return
		}
		if _, err := r.log.Append(output.System, fmt.Sprintf(format, *count), now); err == nil {
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

// remember keeps the beginning of a line for the excerpt in Exit.
func (r *recorder) remember(line []byte) {
	if len(line) > tailLine {
		cut := tailLine
		for !utf8.RuneStart(line[cut]) {
			cut--
		}
		line = line[:cut]
	}
	// With its end, so that an empty line is told from none.
	r.tail[r.at] = append(append(r.tail[r.at][:0], line...), '\n')
	r.at = (r.at + 1) % tailLines
}

// excerpt is what remember has kept, oldest first.
func (r *recorder) excerpt() []string {
	var lines []string
	for i := range r.tail {
		if line := r.tail[(r.at+i)%tailLines]; len(line) > 0 {
			lines = append(lines, string(line[:len(line)-1]))
		}
	}
	return lines
}

// news is what agents are told.
func (r *recorder) news() (wrote uint64, ready bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Flushed(), r.ready
}

// retry writes what the disk has refused, again and again until stop is closed: nothing else would when the program
// falls silent.
func (r *recorder) retry(stop <-chan struct{}) {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		r.mu.Lock()
		if r.unwritten > 0 || r.log.Unwritten() > 0 {
			r.flush()
			r.explain(time.Now())
			r.flush()
		}
		r.mu.Unlock()
	}
}

// skip makes the next line's number greater than after.
func (r *recorder) skip(after uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Skip(after)
}

// finish closes the log and returns the excerpt, and how many lines the disk did not take in the end.
func (r *recorder) finish() (lines []string, unwritten uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.explain(time.Now())
	err = r.log.Close()
	return r.excerpt(), r.unwritten + r.log.Unwritten(), err
}
