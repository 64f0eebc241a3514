package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

const segmentSuffix = ".log"

// segmentPath is the file whose first record is first.
func segmentPath(dir string, first uint64) string {
	return path.Join(dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
}

// segments lists the first sequence numbers of the segments in dir, in order. A directory that is not there has none.
func segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var firsts []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok || len(digits) != 20 {
			continue
		}
		if first, err := strconv.ParseUint(digits, 10, 64); err == nil && first > 0 && first <= maxSeq {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	return firsts, nil
}

// LastSeq returns the sequence number of the last line in dir, or 0 when there is none. It takes no lock.
func LastSeq(dir string) (uint64, error) {
	firsts, err := segments(dir)
	if err != nil || len(firsts) == 0 {
		return 0, err
	}
	first := firsts[len(firsts)-1]
	f, err := os.Open(segmentPath(dir, first))
	if err != nil {
		return 0, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	last, _, err := scanSegment(f, first)
	return last, err
}

// scanSegment returns the last sequence number of a segment (first-1 when it has no record) and the offset after its
// last whole record.
func scanSegment(f *os.File, first uint64) (last uint64, size int64, err error) {
	last = first - 1
	buf := make([]byte, 64<<10)
	for {
		n, err := f.ReadAt(buf, size)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, fmt.Errorf("read segment: %w", err)
		}
		used := 0
		for used < n {
			line, length, err := decodeRecord(buf[used:n])
			if err != nil || line.Seq != last+1 {
				break
			}
			last = line.Seq
			used += length
		}
		if used == 0 {
			return last, size, nil
		}
		size += int64(used)
	}
}
