package files

import (
	"strings"
	"unicode/utf8"
)

// The bytes 0x80 to 0xFF of names that are no UTF-8 are shown as U+EF80 to U+EFFF, which Unicode leaves to private use.
const (
	escapeFirst, escapeLast = '\uEF80', '\uEFFF'
	escapeBase              = escapeFirst - 0x80
)

// shown is a name or path of a node as the API shows it: the same text for UTF-8, and for anything else a text of which raw
// makes the same bytes again.
func shown(raw []byte) string {
	if utf8.Valid(raw) && !hasEscape(string(raw)) {
		return string(raw)
	}
	var b strings.Builder
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		if r == utf8.RuneError && size == 1 || escapeFirst <= r && r <= escapeLast {
			for _, c := range raw[:size] {
				b.WriteRune(escapeBase + rune(c))
			}
		} else {
			b.Write(raw[:size])
		}
		raw = raw[size:]
	}
	return b.String()
}

func hasEscape(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return escapeFirst <= r && r <= escapeLast })
}

// raw is what a node knows a shown name or path by.
func raw(text string) []byte {
	if !hasEscape(text) {
		return []byte(text)
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if escapeFirst <= r && r <= escapeLast {
			out = append(out, byte(r-escapeBase))
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}
