package console

import (
	"time"

	"github.com/catalyst-panel/catalyst/agent/output"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// MaxLine is the longest text of a line in bytes; longer output is split.
const MaxLine = output.MaxLine

// Line is one line of a server's console.
type Line struct {
	// Seq is the line's sequence number in the server's console, from 1.
	Seq uint64
	// At is when it was read or written, by the node's clock, to the microsecond.
	At time.Time
	// Stream says where it comes from.
	Stream kind.Stream
	// Text is valid UTF-8 without a line feed or NUL; escape sequences are kept.
	Text string
}

var (
	// ErrLocked is returned by OpenWriter while another writer has the log.
	ErrLocked = output.ErrLocked
	// ErrFull is returned by Append when lines cannot be written to the disk and no more can be kept in memory.
	ErrFull = output.ErrFull
)

type (
	// Options are a Writer's limits; a zero takes the default.
	Options = output.Options
	// Limits are the size and the refill of a Limiter's two buckets.
	Limits = output.Limits
	// Limiter is a token bucket for lines and bytes.
	Limiter = output.Limiter
	// Splitter turns a stream of bytes into lines.
	Splitter = output.Splitter
)

// NewLimiter returns a Limiter with full buckets.
func NewLimiter(limits Limits) *Limiter { return output.NewLimiter(limits) }

// Clean makes any text fit for one line: valid UTF-8, no line feeds or NUL, at most MaxLine bytes.
func Clean(text string) string { return output.Clean(text) }

// LastSeq returns the sequence number of the last line in dir, or 0 when there is none. It takes no lock.
func LastSeq(dir string) (uint64, error) { return output.LastSeq(dir) } //nolint:wrapcheck // the same package in effect

var streams = [...]kind.Stream{
	output.Stdout: kind.StreamStdout, output.Stderr: kind.StreamStderr, output.System: kind.StreamSystem, output.Input: kind.StreamInput,
}

func code(s kind.Stream) output.Stream {
	switch s {
	case kind.StreamStdout:
		return output.Stdout
	case kind.StreamStderr:
		return output.Stderr
	case kind.StreamInput:
		return output.Input
	case kind.StreamSystem:
	}
	return output.System
}

// Writer appends to a log. It is safe for concurrent use.
type Writer struct{ log *output.Writer }

// OpenWriter opens the log in dir, which it makes if need be, and repairs what a crash left. It fails with ErrLocked
// while another writer has it.
func OpenWriter(dir string, opts Options) (*Writer, error) {
	log, err := output.OpenWriter(dir, opts)
	if err != nil {
		return nil, err //nolint:wrapcheck // the same package in effect
	}
	return &Writer{log: log}, nil
}

// Append adds one line and returns its sequence number. Readers see it after Flush at the latest. A text that is not
// fit for one line is made so (see Clean). It fails with ErrFull, or after Close; the line then has no sequence number.
func (w *Writer) Append(stream kind.Stream, text string, at time.Time) (uint64, error) {
	return w.log.Append(code(stream), text, at) //nolint:wrapcheck // the same package in effect
}

// Flush writes what is buffered, so that readers see it. After an error everything is still buffered, and the next
// Flush tries again.
func (w *Writer) Flush() error { return w.log.Flush() } //nolint:wrapcheck // the same package in effect

// Skip makes the next line's number greater than after.
func (w *Writer) Skip(after uint64) error { return w.log.Skip(after) } //nolint:wrapcheck // the same package in effect

// LastSeq is the sequence number of the last line.
func (w *Writer) LastSeq() uint64 { return w.log.LastSeq() }

// Close writes what is buffered and lets go of the log. Closing twice is harmless.
func (w *Writer) Close() error { return w.log.Close() } //nolint:wrapcheck // the same package in effect

// Reader reads a log while another process may write it. It remembers where it was, so that reading on from the last
// line costs only the new bytes. It is not safe for concurrent use.
type Reader struct{ log *output.Reader }

// OpenReader returns a Reader of the log in dir, which need not exist yet.
func OpenReader(dir string) (*Reader, error) {
	log, err := output.OpenReader(dir)
	if err != nil {
		return nil, err //nolint:wrapcheck // the same package in effect
	}
	return &Reader{log: log}, nil
}

// ReadAfter returns the lines with greater sequence numbers than after, in order: at most maxLines, and no more once
// their texts reach maxBytes (but always one, if there is one). missing is the number of lines between after and the
// first of these that the log no longer has. No lines and no error mean that there is nothing yet.
func (r *Reader) ReadAfter(after uint64, maxLines, maxBytes int) (lines []Line, missing uint64, err error) {
	raw, missing, err := r.log.ReadAfter(after, maxLines, maxBytes)
	if err != nil || len(raw) == 0 {
		return nil, missing, err //nolint:wrapcheck // the same package in effect
	}
	lines = make([]Line, len(raw))
	for i, line := range raw {
		lines[i] = Line{Seq: line.Seq, At: line.At, Stream: streams[line.Stream], Text: line.Text}
	}
	return lines, missing, nil
}

// Close lets go of the log.
func (r *Reader) Close() error { return r.log.Close() } //nolint:wrapcheck // the same package in effect
