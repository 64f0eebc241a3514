package output

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sync"
	"syscall"
	"time"
)

// ErrLocked is returned by OpenWriter while another writer has the log.
var ErrLocked = errors.New("the console log has another writer")

// ErrFull is returned by Append when lines cannot be written to the disk and no more of them can be kept in memory.
var ErrFull = errors.New("the console log cannot be written")

const (
	lockName = "lock"
	// flushAt is how much is buffered before a write of its own accord, bufferMax how much while writes fail.
	flushAt   = 32 << 10
	bufferMax = 256 << 10
	// maxSkip bounds how many numbers are passed over at once: more cannot have been lost, and numbers end.
	maxSkip = 1 << 40
	// maxSeq is the highest number that is believed, wherever it comes from: the panel takes none above it.
	maxSeq = 1 << 62
)

// Options are a Writer's limits; a zero takes the default.
type Options struct {
	// SegmentBytes is the size at which a new segment is begun: 4 MiB by default.
	SegmentBytes int64
	// TotalBytes is the size that the log is kept under by removing its oldest segments: 64 MiB by default.
	TotalBytes int64
	// After is a number that the next line's must be greater than: the last one that a reader elsewhere already has.
	// It matters only where the log was lost, so that new lines are not taken for old ones.
	After uint64
}

// Writer appends to a log. It is safe for concurrent use.
type Writer struct {
	dir  string
	opts Options

	mu   sync.Mutex
	lock *os.File
	file *os.File
	// open is the segment being written; its size counts whole records only.
	open segment
	buf  []byte
	last uint64
	// flushed is the last line that is in the file.
	flushed uint64
	old     []segment
	// reserved is the last number that may be given out without another reservation, block the size of the last one.
	reserved, block uint64
	reservedAt      time.Time
}

type segment struct {
	first uint64
	size  int64
}

// OpenWriter opens the log in dir, which it makes if need be, and repairs what a crash left. It fails with ErrLocked
// while another writer has it.
func OpenWriter(dir string, opts Options) (*Writer, error) {
	if opts.SegmentBytes <= 0 {
		opts.SegmentBytes = 4 << 20
	}
	if opts.TotalBytes <= 0 {
		opts.TotalBytes = 64 << 20
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make console directory: %w", err)
	}
	lock, err := os.OpenFile(path.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open console lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = errors.Join(err, lock.Close())
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock console: %w", err)
	}
	opts.After = max(opts.After, abandoned(dir))
	w := &Writer{dir: dir, opts: opts, lock: lock}
	if err := w.load(); err != nil {
		return nil, errors.Join(err, unlock(lock))
	}
	return w, nil
}

// unlock gives the lock back, even if a process that is just being started still has the file open.
func unlock(lock *os.File) error {
	if err := errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close()); err != nil {
		return fmt.Errorf("unlock console: %w", err)
	}
	return nil
}

// load finds the end of the log and cuts off what is no whole record.
func (w *Writer) load() error {
	firsts, err := segments(w.dir)
	if err != nil {
		return err
	}
	if len(firsts) == 0 {
		if w.opts.After <= maxSeq {
			w.last = w.opts.After
		}
		return w.create(w.last + 1)
	}
	end := len(firsts) - 1
	for _, first := range firsts[:end] {
		info, err := os.Stat(segmentPath(w.dir, first))
		if err != nil {
			return fmt.Errorf("look at segment: %w", err)
		}
		w.old = append(w.old, segment{first: first, size: info.Size()})
	}
	f, err := os.OpenFile(segmentPath(w.dir, firsts[end]), os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	last, size, err := scanSegment(f, firsts[end])
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("repair segment: %w", err), f.Close())
	}
	w.file, w.open, w.last, w.flushed = f, segment{first: firsts[end], size: size}, last, last
	if w.opts.After > last && w.opts.After-last <= maxSkip {
		return w.skip()
	}
	return nil
}

// skip goes on in a new segment after the lines that were lost.
func (w *Writer) skip() error {
	ended, done := w.file, w.open
	if err := w.create(w.opts.After + 1); err != nil {
		return err
	}
	w.old = append(w.old, done)
	if err := ended.Close(); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	return nil
}

// create begins a segment, which becomes the open one.
func (w *Writer) create(first uint64) error {
	f, err := os.OpenFile(segmentPath(w.dir, first), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("create segment: %w", err)
	}
	w.file, w.open, w.last, w.flushed = f, segment{first: first}, first-1, first-1
	return nil
}

// Append adds one line and returns its sequence number. Readers see it after Flush at the latest. A text that is not
// fit for one line is made so (see Clean). It fails with ErrFull, or after Close; the line then has no sequence number.
func (w *Writer) Append(stream Stream, text string, at time.Time) (uint64, error) {
	text = Clean(text)
	return w.add(at, func(dst []byte, seq uint64) []byte { return appendRecord(dst, seq, at, stream, text) })
}

// AppendLine is Append for a line of a Splitter, which is fit as it is. It does not keep the slice.
func (w *Writer) AppendLine(stream Stream, line []byte, at time.Time) (uint64, error) {
	return w.add(at, func(dst []byte, seq uint64) []byte { return appendRecord(dst, seq, at, stream, line) })
}

// add gives the next sequence number to the record that encode appends.
func (w *Writer) add(at time.Time, encode func(dst []byte, seq uint64) []byte) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return 0, os.ErrClosed
	}
	if len(w.buf) >= flushAt {
		if err := w.flush(); err != nil && len(w.buf) >= bufferMax {
			return 0, fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
	if w.open.size+int64(len(w.buf)) >= w.opts.SegmentBytes {
		if err := w.rotate(); err != nil && len(w.buf) >= bufferMax {
			return 0, fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
	if w.last >= w.reserved {
		w.reserve(at)
	}
	w.last++
	w.buf = encode(w.buf, w.last)
	return w.last, nil
}

// Flush writes what is buffered, so that readers see it. After an error everything is still buffered, and the next
// Flush tries again.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return os.ErrClosed
	}
	return w.flush()
}

func (w *Writer) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	if _, err := w.file.WriteAt(w.buf, w.open.size); err != nil {
		// Part of it may be there. It must not look like a record to anybody who reads on after the next attempt.
		return errors.Join(fmt.Errorf("write segment: %w", err), w.file.Truncate(w.open.size))
	}
	w.open.size += int64(len(w.buf))
	w.buf, w.flushed = w.buf[:0], w.last
	if cap(w.buf) > 2*flushAt {
		w.buf = nil
	}
	return nil
}

// rotate ends the open segment, begins the next one and removes the oldest ones over the limit.
func (w *Writer) rotate() error {
	if err := w.flush(); err != nil {
		return err
	}
	ended, done := w.file, w.open
	if err := w.create(w.last + 1); err != nil {
		return err
	}
	w.old = append(w.old, done)
	total := int64(0)
	for _, s := range w.old {
		total += s.size
	}
	err := ended.Close()
	for len(w.old) > 0 && total+w.opts.SegmentBytes > w.opts.TotalBytes {
		err = errors.Join(err, os.Remove(segmentPath(w.dir, w.old[0].first)))
		total -= w.old[0].size
		w.old = w.old[1:]
	}
	return err
}

// LastSeq is the sequence number of the last line.
func (w *Writer) LastSeq() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// Flushed is the sequence number of the last line that readers can see.
func (w *Writer) Flushed() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flushed
}

// Unwritten is how many lines have a number and are not in the file: those that a reader does not see yet, and after a
// Close that failed never will.
func (w *Writer) Unwritten() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last - w.flushed
}

// Skip makes the next line's number greater than after: a reader elsewhere has lines with those numbers, which are lost
// here. A number that is too far off to be meant is ignored.
func (w *Writer) Skip(after uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return os.ErrClosed
	}
	if after <= w.last || after-w.last > maxSkip {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.opts.After = after
	return w.skip()
}

// Close writes what is buffered and lets go of the log. Closing twice is harmless.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	err := w.flush()
	if err == nil {
		err = w.settle()
	}
	err = errors.Join(err, w.file.Close(), unlock(w.lock))
	w.file = nil
	return err
}
