package holder

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// quiet is the silence after which an output that nobody writes to any more is at its end.
const quiet = 20 * time.Millisecond

// streams are the holder's ends of a program's standard input and output.
type streams struct {
	stdin, stdout, stderr *os.File

	mu sync.Mutex
	// drained is set when the writers are gone although the ends stay open, so that silence is the end.
	drained bool
}

// await prepares the next read: unfinished says that there is something to tell once the output falls silent. last is
// set when that would be the end.
func (s *streams) await(f *os.File, unfinished bool) (last bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	deadline := time.Time{}
	switch {
	case s.drained:
		deadline = time.Now().Add(quiet)
	case unfinished:
		deadline = time.Now().Add(idleAfter)
	}
	if err := f.SetReadDeadline(deadline); err != nil {
		return false, fmt.Errorf("prepare read: %w", err)
	}
	return s.drained, nil
}

// drain makes silence the end of the outputs.
func (s *streams) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drained = true
	for _, f := range []*os.File{s.stdout, s.stderr} {
		if f != nil {
			_ = f.SetReadDeadline(time.Now()) // whoever waits reads once more
		}
	}
}

func (s *streams) close() {
	for _, f := range []*os.File{s.stdin, s.stdout, s.stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
}
