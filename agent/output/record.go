package output

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// MaxLine is the longest text of a line in bytes; longer output is split.
const MaxLine = 8 << 10

// Stream says where a line comes from. The values are those in the records.
type Stream byte

// The streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
	System Stream = 3
	Input  Stream = 4
)

// Line is one line of a server's console.
type Line struct {
	// Seq is the line's sequence number in the server's console, from 1.
	Seq uint64
	// At is when it was read or written, by the node's clock, to the microsecond.
	At time.Time
	// Stream says where it comes from.
	Stream Stream
	// Text is valid UTF-8 without a line feed or NUL; escape sequences are kept.
	Text string
}

const (
	headerSize = 8
	fixedSize  = 17
	maxRecord  = headerSize + fixedSize + MaxLine
)

var (
	crcTable = crc32.MakeTable(crc32.Castagnoli)

	// errShort means that the buffer ends before the record does.
	errShort = errors.New("the record is cut short")
	// errCorrupt means that no reading of more bytes would make this a record.
	errCorrupt = errors.New("the record is damaged")
)

// appendRecord adds a record to dst.
func appendRecord[T string | []byte](dst []byte, seq uint64, at time.Time, stream Stream, text T) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(fixedSize+len(text)))
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, seq)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(at.UnixMicro()))
	dst = append(dst, byte(stream))
	dst = append(dst, text...)
	binary.LittleEndian.PutUint32(dst[start+4:], crc32.Checksum(dst[start+headerSize:], crcTable))
	return dst
}

// recordSize returns the whole size of the record that b starts with.
func recordSize(b []byte) (int, error) {
	if len(b) < headerSize {
		return 0, errShort
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n < fixedSize || n > fixedSize+MaxLine {
		return 0, errCorrupt
	}
	if len(b) < headerSize+n {
		return 0, errShort
	}
	return headerSize + n, nil
}

// decodeRecord reads the record that b starts with and says how long it is. It does not keep b.
func decodeRecord(b []byte) (Line, int, error) {
	size, err := recordSize(b)
	if err != nil {
		return Line{}, 0, err
	}
	body := b[headerSize:size]
	if crc32.Checksum(body, crcTable) != binary.LittleEndian.Uint32(b[4:]) {
		return Line{}, 0, errCorrupt
	}
	stream := Stream(body[16])
	if stream < Stdout || stream > Input {
		return Line{}, 0, errCorrupt
	}
	return Line{
		Seq:    binary.LittleEndian.Uint64(body),
		At:     time.UnixMicro(int64(binary.LittleEndian.Uint64(body[8:]))),
		Stream: stream,
		Text:   string(body[fixedSize:]),
	}, size, nil
}
