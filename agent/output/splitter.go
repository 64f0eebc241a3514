package output

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Splitter turns a stream of bytes into lines.
//
// A line ends at "\n" or "\r\n", or where it would grow over MaxLine, never inside a character. A lone "\r" stays in
// the text, so that a progress bar that redraws itself is one line. Bytes that are not UTF-8 each become U+FFFD, and
// NUL, which not every database can hold, becomes U+2400; nothing is dropped.
//
// The zero value is ready. A Splitter is not safe for concurrent use.
type Splitter struct {
	line []byte
	// tail is the beginning of a character whose rest has not come yet.
	tail []byte
	// cut is set after part of a line was emitted without its line feed: that line feed alone is no further line.
	cut bool
}

// Write takes the next bytes and calls emit for every line that they complete. The slice is only valid during emit.
func (s *Splitter) Write(p []byte, emit func(line []byte)) {
	if len(s.tail) > 0 {
		p = append(s.tail, p...)
		s.tail = nil
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i >= 0 {
			s.add(p[:i], true, emit)
			s.endLine(emit)
			p = p[i+1:]
			continue
		}
		if rest := s.add(p, false, emit); len(rest) > 0 {
			s.tail = append([]byte(nil), rest...)
		}
		return
	}
}

// Pending reports whether part of a line waits for its end.
func (s *Splitter) Pending() bool { return len(s.line) > 0 }

// Flush emits what waits for its end: a prompt, or the last line of a file without a line feed. With final set, a
// character that is cut short is emitted too.
func (s *Splitter) Flush(final bool, emit func(line []byte)) {
	if final && len(s.tail) > 0 {
		rest := s.tail
		s.tail = nil
		s.add(rest, true, emit)
	}
	if len(s.line) == 0 {
		return
	}
	if text := bytes.TrimSuffix(s.line, []byte{'\r'}); len(text) > 0 {
		emit(text)
	}
	s.line, s.cut = s.line[:0], true
}

// add appends p, which has no line feed, to the line. It returns the beginning of a character at p's end, unless whole
// says that nothing follows.
func (s *Splitter) add(p []byte, whole bool, emit func([]byte)) []byte {
	for len(p) > 0 {
		if n := plainPrefix(p); n > 0 {
			s.put(p[:n], emit)
			p = p[n:]
			continue
		}
		r, size := utf8.DecodeRune(p)
		switch {
		case r == 0:
			s.put([]byte("\u2400"), emit)
		case r == utf8.RuneError && size == 1:
			if !whole && !utf8.FullRune(p) {
				return p
			}
			s.put([]byte("\uFFFD"), emit)
		default:
			s.put(p[:size], emit)
		}
		p = p[size:]
	}
	return nil
}

// plainPrefix counts the ASCII bytes other than NUL that p starts with.
func plainPrefix(p []byte) int {
	for i, b := range p {
		if b == 0 || b >= utf8.RuneSelf {
			return i
		}
	}
	return len(p)
}

// put appends valid text, which is ASCII or a single character, and emits full lines.
func (s *Splitter) put(text []byte, emit func([]byte)) {
	for len(s.line)+len(text) > MaxLine {
		room := 0
		if text[0] < utf8.RuneSelf {
			room = MaxLine - len(s.line)
		}
		s.line = append(s.line, text[:room]...)
		text = text[room:]
		emit(s.line)
		s.line, s.cut = s.line[:0], true
	}
	s.line = append(s.line, text...)
}

// endLine ends the line at a line feed.
func (s *Splitter) endLine(emit func([]byte)) {
	line := bytes.TrimSuffix(s.line, []byte{'\r'})
	if len(line) > 0 || !s.cut {
		emit(line)
	}
	s.line, s.cut = s.line[:0], false
}

// Clean makes any text fit for one line: valid UTF-8, no line feeds or NUL, at most MaxLine bytes.
func Clean(text string) string {
	text = strings.TrimRight(text, "\r\n")
	if len(text) <= MaxLine && utf8.ValidString(text) && !strings.ContainsAny(text, "\n\x00") {
		return text
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", " "), "\n", " ")
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\u2400")
	if len(text) <= MaxLine {
		return text
	}
	cut := MaxLine
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}
