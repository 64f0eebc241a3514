package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

const (
	headerSize = 8
	// maxRecord bounds what a damaged length field can make the reader allocate.
	maxRecord = 4 << 20
	suffix    = ".events"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segment is one file of consecutive events.
type segment struct {
	path  string
	first uint64
	count uint64
	size  int64
}

// next returns the number that follows the segment's last event.
func (s *segment) next() uint64 { return s.first + s.count }

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, suffix))
}

// segmentFirst returns the first sequence number of the segment with the file name.
func segmentFirst(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil && first > 0 && first <= maxSeq
}

// encode frames an event as a record.
func encode(event *protocol.EventsResponse) ([]byte, error) {
	record, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, headerSize, headerSize+proto.Size(event)), event)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	payload := record[headerSize:]
	if len(payload) > maxRecord {
		return nil, fmt.Errorf("event of %d bytes is larger than %d", len(payload), maxRecord)
	}
	binary.LittleEndian.PutUint32(record, uint32(len(payload)))
	binary.LittleEndian.PutUint32(record[4:], crc32.Checksum(payload, castagnoli))
	return record, nil
}

// errDamaged says that the bytes at this place are no whole record.
var errDamaged = errors.New("damaged record")

// decode reads one record and returns it with its size on the disk. The end of the file is io.EOF; anything that is
// not a whole, undamaged record is errDamaged.
func decode(r io.Reader) (*protocol.EventsResponse, int64, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, 0, io.EOF
		}
		return nil, 0, errDamaged
	}
	length := binary.LittleEndian.Uint32(header[:])
	if length > maxRecord {
		return nil, 0, errDamaged
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, 0, errDamaged
	}
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(header[4:]) {
		return nil, 0, errDamaged
	}
	event := &protocol.EventsResponse{}
	if err := proto.Unmarshal(payload, event); err != nil {
		return nil, 0, errDamaged
	}
	return event, headerSize + int64(length), nil
}

// scan counts the whole records of a segment file and where they end.
func scan(path string, first uint64) (*segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	s := &segment{path: path, first: first}
	r := bufio.NewReader(f)
	for {
		event, n, err := decode(r)
		if err != nil || event.GetSeq() != s.next() {
			return s, nil
		}
		s.count++
		s.size += n
	}
}
