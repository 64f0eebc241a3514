package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// Reader reads a log while another process may write it. It remembers where it was, so that reading on from the last
// line costs only the new bytes. It is not safe for concurrent use.
type Reader struct {
	dir string
	// file is the current segment, whose name is first.
	file  *os.File
	first uint64
	// offset is where the record after next-1 begins in file.
	offset int64
	next   uint64
	buf    []byte
}

// OpenReader returns a Reader of the log in dir, which need not exist yet.
func OpenReader(dir string) (*Reader, error) {
	// Listing it finds out early that the directory cannot be read.
	if _, err := segments(dir); err != nil {
		return nil, err
	}
	return &Reader{dir: dir}, nil
}

// ReadAfter returns the lines with greater sequence numbers than after, in order: at most maxLines, and no more once
// their texts reach maxBytes (but always one, if there is one). missing is the number of lines between after and the
// first of these that the log no longer has. No lines and no error mean that there is nothing yet.
func (r *Reader) ReadAfter(after uint64, maxLines, maxBytes int) (lines []Line, missing uint64, err error) {
	if r.file == nil || r.next != after+1 {
		if err := r.seek(after + 1); err != nil || r.file == nil {
			return nil, 0, err
		}
	}
	size := 0
	for len(lines) < maxLines && (size < maxBytes || len(lines) == 0) {
		got, err := r.readChunk(after, maxLines-len(lines), maxBytes-size)
		if err != nil {
			return nil, 0, err
		}
		if len(got) == 0 {
			moved, err := r.advance()
			if err != nil {
				return nil, 0, err
			}
			if !moved {
				break
			}
			continue
		}
		for _, line := range got {
			size += len(line.Text)
		}
		// A gap is only told at the beginning of an answer.
		if len(lines) > 0 && got[0].Seq != lines[len(lines)-1].Seq+1 {
			r.drop()
			break
		}
		lines = append(lines, got...)
	}
	if len(lines) > 0 {
		missing = lines[0].Seq - after - 1
	}
	return lines, missing, nil
}

// seek opens the segment that has next, or the first one after it.
func (r *Reader) seek(next uint64) error {
	r.drop()
	firsts, err := segments(r.dir)
	if err != nil || len(firsts) == 0 {
		return err
	}
	i, found := slices.BinarySearch(firsts, next)
	if !found && i > 0 {
		i--
	}
	for ; i < len(firsts); i++ {
		opened, err := r.open(firsts[i])
		if err != nil || opened {
			return err
		}
		// It was removed in between; the one after it is the oldest now.
	}
	return nil
}

// open makes a segment the current one, unless it has been removed.
func (r *Reader) open(first uint64) (bool, error) {
	f, err := os.Open(segmentPath(r.dir, first))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open segment: %w", err)
	}
	r.drop()
	r.file, r.first, r.offset, r.next = f, first, 0, first
	return true, nil
}

// readChunk decodes whole records from the current position, and skips those up to after. It answers none at the end
// of the segment.
func (r *Reader) readChunk(after uint64, maxLines, maxBytes int) ([]Line, error) {
	if r.buf == nil {
		r.buf = make([]byte, 4*maxRecord)
	}
	var lines []Line
	for size := 0; ; {
		n, err := r.file.ReadAt(r.buf, r.offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read segment: %w", err)
		}
		used := 0
		for used < n && len(lines) < maxLines && (size < maxBytes || len(lines) == 0) {
			line, length, err := decodeRecord(r.buf[used:n])
			if err != nil || line.Seq != r.next {
				break
			}
			used += length
			r.next++
			if line.Seq > after {
				lines = append(lines, line)
				size += len(line.Text)
			}
		}
		r.offset += int64(used)
		if len(lines) > 0 || used == 0 {
			return lines, nil
		}
	}
}

// advance goes to the next segment when the current one is read to its end. The writer ends a segment before it begins
// the next, so a following segment means that this one is complete, once it has been looked at again.
func (r *Reader) advance() (bool, error) {
	if r.next > r.first {
		if opened, err := r.open(r.next); err != nil || opened {
			return opened, err
		}
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(r.file.Fd()), &st); err != nil {
		return false, fmt.Errorf("look at segment: %w", err)
	}
	firsts, err := segments(r.dir)
	if err != nil {
		return false, err
	}
	i, _ := slices.BinarySearch(firsts, max(r.next, r.first+1))
	if i == len(firsts) {
		return false, nil
	}
	if before := r.offset; st.Nlink > 0 && st.Size > before {
		// Either a record came since, or the rest is damaged.
		if size, err := r.wholeRecordAt(before); err != nil || size {
			return size, err
		}
	}
	return r.open(firsts[i])
}

// wholeRecordAt reports whether a valid record begins at the offset.
func (r *Reader) wholeRecordAt(offset int64) (bool, error) {
	n, err := r.file.ReadAt(r.buf[:maxRecord], offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read segment: %w", err)
	}
	line, _, err := decodeRecord(r.buf[:n])
	return err == nil && line.Seq == r.next, nil
}

func (r *Reader) drop() {
	if r.file != nil {
		// It was only read: there is nothing that closing could lose.
		_ = r.file.Close()
		r.file = nil
	}
}

// Close lets go of the log.
func (r *Reader) Close() error {
	r.drop()
	return nil
}
