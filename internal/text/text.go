package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// replacement stands for what cannot be kept.
const replacement = "\uFFFD"

// Name returns a name without the space around it, or the fault for one that is empty, longer than longest bytes, or
// not text on one line. The noun says whose name it is: "the server".
func Name(field, noun, s string, longest int) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || !fits(s, longest, oneLine) {
		return "", fault.Input(field, "Give %s a name of 1 to %d bytes on one line.", noun, longest)
	}
	return s, nil
}

// Line returns the fault for a value that is longer than longest bytes or not text on one line. Nil and empty are fine.
func Line(field string, s *string, longest int) error {
	if s == nil || fits(*s, longest, oneLine) {
		return nil
	}
	return fault.Input(field, "Use at most %d bytes of text on one line.", longest)
}

// Block is Line for text of several lines.
func Block(field string, s *string, longest int) error {
	if s == nil || fits(*s, longest, anyLines) {
		return nil
	}
	return fault.Input(field, "Use at most %d bytes of text.", longest)
}

// Clean makes text of a machine fit to be kept: valid UTF-8 without NUL, at most longest bytes.
func Clean(s string, longest int) string {
	if len(s) <= longest && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	if len(s) > longest {
		s = s[:longest] // replacing makes nothing shorter
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
	for len(s) > longest {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

func fits(s string, longest int, forbidden func(rune) bool) bool {
	return len(s) <= longest && utf8.ValidString(s) && !strings.ContainsFunc(s, forbidden)
}

func oneLine(r rune) bool { return unicode.IsControl(r) }

func anyLines(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }
