package configfile

import (
	"slices"
	"strconv"
	"strings"
)

// anything is the segment that stands for every element.
const anything = "*"

// segments splits a path: names between dots, and positions within lists as names or in brackets, as in
// listeners[0].host. A dot after a backslash belongs to the name.
func segments(path string) []string {
	var out []string
	var name strings.Builder
	flush := func() {
		if name.Len() > 0 {
			out = append(out, name.String())
			name.Reset()
		}
	}
	for at := 0; at < len(path); at++ {
		switch c := path[at]; {
		case c == '\\' && at+1 < len(path) && strings.IndexByte(`.[\`, path[at+1]) >= 0:
			at++
			name.WriteByte(path[at])
		case c == '.':
			flush()
		case c == '[':
			end := strings.IndexByte(path[at:], ']')
			if _, ok := position(path[at+1 : at+max(end, 1)]); end < 0 || (!ok && path[at+1:at+end] != anything) {
				name.WriteByte(c)
				continue
			}
			flush()
			out = append(out, path[at+1:at+end])
			at += end
		default:
			name.WriteByte(c)
		}
	}
	flush()
	return out
}

// position reads a place in a list.
func position(segment string) (int, bool) {
	n, err := strconv.Atoi(segment)
	return n, err == nil && n >= 0 && segment[0] != '+'
}

// concrete reports whether a path names one value only.
func concrete(path []string) bool { return !slices.Contains(path, anything) }
