package sftp

import (
	"io"
	"net/http"
	"sync"
)

// maxPending is how much may wait to be sent to a client, in bytes.
const maxPending = 1 << 20

// stream makes a stream of a request and its answer. What is written goes out as soon as the link takes it: what comes
// meanwhile goes out together, since answers are many and each on its own is expensive.
type stream struct {
	from io.ReadCloser
	to   io.Writer
	out  *http.ResponseController

	sent sync.WaitGroup

	mu      sync.Mutex
	change  *sync.Cond
	pending []byte
	err     error // why nothing can be written any more
}

func newStream(from io.ReadCloser, to http.ResponseWriter) *stream {
	s := &stream{from: from, to: to, out: http.NewResponseController(to)}
	s.change = sync.NewCond(&s.mu)
	s.sent.Go(s.send)
	return s
}

// Read reads what the client has sent.
func (s *stream) Read(p []byte) (int, error) { return s.from.Read(p) }

// Write sends something to the client. It waits while too much is on the way.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) > maxPending && s.err == nil {
		s.change.Wait()
	}
	if s.err != nil {
		return 0, s.err
	}
	s.pending = append(s.pending, p...)
	s.change.Broadcast()
	return len(p), nil
}

// send writes what waits, until the stream is closed and nothing does.
func (s *stream) send() {
	var going []byte
	for {
		s.mu.Lock()
		for len(s.pending) == 0 && s.err == nil {
			s.change.Wait()
		}
		going, s.pending = s.pending, going[:0]
		s.change.Broadcast()
		s.mu.Unlock()
		if len(going) == 0 {
			return
		}
		_, err := s.to.Write(going)
		if err == nil {
			err = s.out.Flush()
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
}

func (s *stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.change.Broadcast()
}

// Close ends the stream. What waits is still sent, which Wait waits for.
func (s *stream) Close() error {
	s.fail(io.ErrClosedPipe)
	return s.from.Close()
}

// Wait returns when nothing is sent any more; the stream must be closed.
func (s *stream) Wait() { s.sent.Wait() }
