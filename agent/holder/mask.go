package holder

import (
	"bytes"
	"slices"
	"strings"
)

// shortestSecret is how long a value must be to be masked: shorter ones would make a log unreadable, and hide nothing.
const shortestSecret = 4

// masked stands for a secret.
var masked = []byte("********")

// mask replaces secrets in lines; the longest first, since one may hold another.
type mask [][]byte

func newMask(secrets []string) mask {
	var m mask
	for _, s := range secrets {
		for line := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '\n' || r == '\r' }) {
			if len(line) >= shortestSecret {
				m = append(m, []byte(line))
			}
		}
	}
	slices.SortFunc(m, func(a, b []byte) int { return len(b) - len(a) })
	return m
}

// apply returns the line without secrets; it is the same one where there are none.
func (m mask) apply(line []byte) []byte {
	for _, secret := range m {
		if bytes.Contains(line, secret) {
			line = bytes.ReplaceAll(line, secret, masked)
		}
	}
	return line
}
