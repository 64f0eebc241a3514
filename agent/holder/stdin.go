package holder

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/output"
)

var (
	errStdinClosed = errors.New("The program has closed its input.")
	errStdinFull   = errors.New("The program does not read its input: try it again later.")
)

// input is one line to write to the program.
type input struct {
	text string
	// until is when whoever has sent it stops waiting: after that it must not be written any more.
	until time.Time
	// done is called with the sequence number of the line in the console, which is 0 when the disk did not take it.
	done func(seq uint64, err error)
}

// stdin writes lines to the program's standard input, one after the other, in a goroutine of its own.
type stdin struct {
	file     *os.File
	recorder *recorder
	queue    chan input
	// rest is what is left of a line that the program has read in part; it goes first.
	rest []byte
}

// offer queues a line, or refuses it when the program is that far behind.
func (s *stdin) offer(req Request, done func(seq uint64, err error)) {
	select {
	case s.queue <- input{text: *req.Input, until: time.Now().Add(req.patience()), done: done}:
	default:
		done(0, errStdinFull)
	}
}

// run writes what is queued until stop is closed.
func (s *stdin) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case in := <-s.queue:
			in.done(s.write(in))
		}
	}
}

func (s *stdin) write(in input) (uint64, error) {
	if !time.Now().Before(in.until) {
		return 0, errStdinFull
	}
	if err := s.file.SetWriteDeadline(in.until); err != nil {
		return 0, errStdinClosed
	}
	if err := s.finish(); err != nil {
		return 0, err
	}
	text := output.Clean(in.text)
	s.rest = []byte(text + "\n")
	seq, begun := uint64(0), false
	err := s.each(func(fd uintptr) (bool, error) {
		// The line is recorded with the lock held over the write, so that no answer to it can come before it.
		s.recorder.mu.Lock()
		defer s.recorder.mu.Unlock()
		n, err := syscall.Write(int(fd), s.rest)
		if n <= 0 {
			return false, err
		}
		s.rest, begun = s.rest[n:], true
		// What the disk does not take is counted there. The program has the line all the same.
		seq, _ = s.recorder.sayLocked(output.Input, text, time.Now())
		return true, nil
	})
	if !begun {
		// The program got nothing of it: it must not come later, when nobody expects it any more.
		s.rest = nil
		return 0, err
	}
	return seq, s.finish()
}

// finish writes the rest of a line.
func (s *stdin) finish() error {
	for len(s.rest) > 0 {
		err := s.each(func(fd uintptr) (bool, error) {
			n, err := syscall.Write(int(fd), s.rest)
			if n <= 0 {
				return false, err
			}
			s.rest = s.rest[n:]
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// each calls attempt when the pipe may have room, until it is done or fails with anything but a full pipe.
func (s *stdin) each(attempt func(fd uintptr) (bool, error)) error {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return errStdinClosed
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		done, err := attempt(fd)
		if !done && (errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)) {
			return false
		}
		failed = err
		return true
	})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errStdinFull
	case err != nil, errors.Is(failed, syscall.EPIPE):
		return errStdinClosed
	}
	return failed
}
