package archive

import (
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// pieceSize is how much is compressed at once when several threads do it, in bytes.
const pieceSize = 4 << 20

// frames compresses pieces of a stream side by side. Each becomes a frame of its own; zstd reads them as one stream. It
// ends with Close or abort.
type frames struct {
	to      io.Writer
	encoder *zstd.Encoder
	piece   []byte
	queue   chan chan []byte // the pieces that are being compressed, in order
	spare   sync.Pool        // of buffers for pieces
	packed  sync.Pool        // of buffers for frames
	threads chan struct{}
	written chan struct{} // closed when everything was written

	mu     sync.Mutex
	failed error
	ended  bool
}

func newFrames(to io.Writer, threads int) (*frames, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(threads), zstd.WithWindowSize(pieceSize))
	if err != nil {
		return nil, err
	}
	f := &frames{
		to: to, encoder: encoder, queue: make(chan chan []byte, threads), threads: make(chan struct{}, threads), written: make(chan struct{}),
	}
	go f.write()
	return f, nil
}

// write passes frames on in the order of their pieces.
func (f *frames) write() {
	defer close(f.written)
	for next := range f.queue {
		frame := <-next
		if f.failure() == nil {
			if _, err := f.to.Write(frame); err != nil {
				f.fail(err)
			}
		}
		f.packed.Put(&frame)
	}
}

func (f *frames) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

func (f *frames) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = err
	}
}

// Write implements io.Writer.
func (f *frames) Write(b []byte) (int, error) {
	n := 0
	for len(b) > 0 {
		if f.piece == nil {
			f.piece = f.buffer()
		}
		room := min(len(b), pieceSize-len(f.piece))
		f.piece = append(f.piece, b[:room]...)
		b, n = b[room:], n+room
		if len(f.piece) == pieceSize {
			if err := f.failure(); err != nil {
				return n, err
			}
			f.begin()
		}
	}
	return n, nil
}

func (f *frames) buffer() []byte {
	if b, ok := f.spare.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, pieceSize)
}

// begin has the piece compressed.
func (f *frames) begin() {
	piece, result := f.piece, make(chan []byte, 1)
	f.piece = nil
	f.threads <- struct{}{}
	f.queue <- result
	go func() {
		defer func() { <-f.threads }()
		var into []byte
		if b, ok := f.packed.Get().(*[]byte); ok {
			into = (*b)[:0]
		}
		result <- f.encoder.EncodeAll(piece, into)
		f.spare.Put(&piece)
	}()
}

// Close compresses the rest and waits until everything was written.
func (f *frames) Close() error {
	if f.ended {
		return f.failure()
	}
	if len(f.piece) > 0 {
		f.begin()
	}
	return f.end()
}

func (f *frames) end() error {
	f.ended = true
	close(f.queue)
	<-f.written
	return errors.Join(f.failure(), f.encoder.Close())
}

// abort lets go of a stream that is not complete.
func (f *frames) abort() {
	if !f.ended {
		f.fail(errors.New("the archive was abandoned"))
		_ = f.end() // it has failed
	}
}
