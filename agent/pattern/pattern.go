package pattern

import "unicode/utf8"

// Op is what an instruction does.
type Op uint8

// The instructions.
const (
	// Fail matches nothing.
	Fail Op = iota
	// Match ends the program: the line matches.
	Match
	// Runes takes one character that lies in one of the ranges, then goes on at Out.
	Runes
	// Split goes on at both Out and Arg.
	Split
	// Empty goes on at Out where all conditions of Arg hold.
	Empty
	// Jump goes on at Out.
	Jump
)

// The conditions of Empty; the values are those of regexp/syntax.EmptyOp.
const (
	beginLine = 1 << iota
	endLine
	beginText
	endText
	wordBoundary
	noWordBoundary
)

// Inst is one instruction.
type Inst struct {
	Op  Op     `json:"o"`
	Out uint32 `json:"x,omitempty"`
	Arg uint32 `json:"a,omitempty"`
	// Ranges are pairs of first and last characters.
	Ranges []rune `json:"r,omitempty"`
}

// Program is a compiled pattern.
type Program struct {
	Insts []Inst `json:"i"`
	Start uint32 `json:"s"`
}

// Valid reports whether every instruction leads to another one.
func (p Program) Valid() bool {
	n := uint32(len(p.Insts))
	for _, in := range p.Insts {
		if in.Out >= n || in.Op == Split && in.Arg >= n || len(in.Ranges)%2 != 0 {
			return false
		}
	}
	return p.Start < n
}

// Matcher runs one program. It is not safe for concurrent use.
type Matcher struct {
	program Program
	// now and next are the instructions that wait for a character; seen says in which step one was added last.
	now, next, stack []uint32
	seen             []uint64
	step             uint64
}

// NewMatcher returns a Matcher of a valid program.
func NewMatcher(p Program) *Matcher {
	return &Matcher{program: p, seen: make([]uint64, len(p.Insts))}
}

// Match reports whether the pattern matches anywhere in the line, which is valid UTF-8 without line feeds.
func (m *Matcher) Match(line []byte) bool {
	m.now = m.now[:0]
	before := rune(-1)
	for {
		after, size := rune(-1), 0
		if len(line) > 0 {
			after, size = utf8.DecodeRune(line)
		}
		at := conditions(before, after)
		m.step++
		// What was waiting for a character and got it stands in now; the pattern may begin here too.
		m.next = m.next[:0]
		for _, pc := range m.now {
			if m.add(pc, at) {
				return true
			}
		}
		if m.add(m.program.Start, at) {
			return true
		}
		if size == 0 {
			return false
		}
		m.now = m.now[:0]
		for _, pc := range m.next {
			if in := m.program.Insts[pc]; within(in.Ranges, after) {
				m.now = append(m.now, in.Out)
			}
		}
		before, line = after, line[size:]
	}
}

// add follows the instructions from pc that take no character, and reports whether they lead to a match.
func (m *Matcher) add(pc uint32, at uint32) bool {
	m.stack = append(m.stack[:0], pc)
	for len(m.stack) > 0 {
		pc = m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if m.seen[pc] == m.step {
			continue
		}
		m.seen[pc] = m.step
		switch in := m.program.Insts[pc]; in.Op {
		case Match:
			return true
		case Runes:
			m.next = append(m.next, pc)
		case Split:
			m.stack = append(m.stack, in.Arg, in.Out)
		case Empty:
			if in.Arg&^at == 0 {
				m.stack = append(m.stack, in.Out)
			}
		case Jump:
			m.stack = append(m.stack, in.Out)
		case Fail:
		}
	}
	return false
}

func within(ranges []rune, r rune) bool {
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] <= r && r <= ranges[i+1] {
			return true
		}
	}
	return false
}

// conditions says what holds between two characters; -1 stands for the ends of the line.
func conditions(before, after rune) uint32 {
	at := uint32(noWordBoundary)
	if before < 0 {
		at |= beginText | beginLine
	}
	if after < 0 {
		at |= endText | endLine
	}
	if word(before) != word(after) {
		at ^= wordBoundary | noWordBoundary
	}
	return at
}

func word(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
}
