package supervisor

import (
	"path/filepath"
	"sync"
)

// Tail tells the readers of a server's console when there is something to read. It never holds lines: the log does.
type Tail struct {
	// Dir is the console's directory, which may not exist yet.
	Dir string

	mu      sync.Mutex
	last    uint64
	changed chan struct{}
}

// Console returns the tail of a server's console. The server need not be known yet.
func (s *Supervisor) Console(id string) *Tail {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tails[id]
	if t == nil {
		t = &Tail{Dir: filepath.Join(s.store.Path(id), consoleDir), changed: make(chan struct{})}
		s.tails[id] = t
	}
	return t
}

// Last returns the number of the last line that is known to be written.
func (t *Tail) Last() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// Changed returns a channel that is closed when more lines have been written. To wait without missing any, take it
// before reading.
func (t *Tail) Changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

// wrote wakes the readers.
func (t *Tail) wrote(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq <= t.last {
		return
	}
	t.last = seq
	close(t.changed)
	t.changed = make(chan struct{})
}

// reset forgets the number of a console that was removed.
func (t *Tail) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = 0
}
