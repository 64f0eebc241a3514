package console

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// MaxLine is the longest text of a line in bytes; longer output is split.
const MaxLine = 8 << 10

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

var streamCodes = [...]kind.Stream{1: kind.StreamStdout, 2: kind.StreamStderr, 3: kind.StreamSystem, 4: kind.StreamInput}

func streamCode(s kind.Stream) byte {
	for code, stream := range streamCodes {
		if stream == s && code > 0 {
			return byte(code)
		}
	}
	return 3
}

// appendRecord adds the record of line to dst.
func appendRecord(dst []byte, line Line) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(fixedSize+len(line.Text)))
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, line.Seq)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(line.At.UnixMicro()))
	dst = append(dst, streamCode(line.Stream))
	dst = append(dst, line.Text...)
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
	code := body[16]
	if code == 0 || int(code) >= len(streamCodes) {
		return Line{}, 0, errCorrupt
	}
	return Line{
		Seq:    binary.LittleEndian.Uint64(body),
		At:     time.UnixMicro(int64(binary.LittleEndian.Uint64(body[8:]))),
		Stream: streamCodes[code],
		Text:   string(body[fixedSize:]),
	}, size, nil
}
