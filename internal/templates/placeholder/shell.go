package placeholder

import (
	"regexp"
	"slices"
	"strings"
)

// Shell turns a template's shell line into one in which each placeholder has become an expansion of the environment
// variable that it names. The values travel in the environment only, so none can add a command: inside double quotes an
// expansion stands as it is, inside single quotes these are closed around it, and a bare one splits into words but matches
// no files, since the line then begins with set -f. What the template's author wrote around them keeps its meaning.
func Shell(line string) string {
	s := scanner{line: line}
	s.scan()
	if s.bare {
		return "set -f\n" + s.out.String()
	}
	return s.out.String()
}

// quote is what the text at a position stands in.
type quote byte

const (
	code   quote = iota // commands, also those within $( )
	ticks               // commands within backticks
	group               // commands within ( )
	double              // "…"
	single              // '…'
	ansi                // $'…', which knows escapes
)

// scanner follows a shell's quotes as far as it takes to know which of them a placeholder stands in. Where it is misled, a
// placeholder is quoted in a way that shows, and a value still is no code: expansions are never evaluated again.
type scanner struct {
	line  string
	at    int
	stack []quote
	out   strings.Builder
	// bare is whether a placeholder stands outside of all quotes.
	bare bool
}

func (s *scanner) top() quote {
	if len(s.stack) == 0 {
		return code
	}
	return s.stack[len(s.stack)-1]
}

func (s *scanner) push(q quote) { s.stack = append(s.stack, q) }

func (s *scanner) pop() { s.stack = s.stack[:len(s.stack)-1] }

// copy passes n bytes on.
func (s *scanner) copy(n int) {
	n = min(n, len(s.line)-s.at)
	s.out.WriteString(s.line[s.at : s.at+n])
	s.at += n
}

func (s *scanner) scan() {
	for s.at < len(s.line) {
		if m := leading.FindStringSubmatchIndex(s.line[s.at:]); m != nil {
			s.expand(s.line[s.at+m[2] : s.at+m[3]])
			s.at += m[1]
			continue
		}
		s.step()
	}
}

// expand writes an expansion so that it works in the quotes around it.
func (s *scanner) expand(name string) {
	key, known := Key(name)
	if !known {
		return
	}
	expansion := "${" + key + "}"
	switch s.top() {
	case single:
		expansion = `'"` + expansion + `"'`
	case ansi:
		expansion = `'"` + expansion + `"$'`
	case double:
	default:
		s.bare = true
	}
	s.out.WriteString(expansion)
}

// step passes one character on, or two that belong together.
func (s *scanner) step() {
	rest, top := s.line[s.at:], s.top()
	switch {
	case rest[0] == '\\' && top != single:
		s.escape()
	case top == single || top == ansi:
		if rest[0] == '\'' {
			s.pop()
		}
		s.copy(1)
	case strings.HasPrefix(rest, "$("):
		s.push(group)
		s.copy(2)
	case rest[0] == '`':
		s.toggle(ticks)
	case rest[0] == '"':
		s.toggle(double)
	case top == double:
		s.copy(1)
	default:
		s.command(rest)
	}
}

// escape passes a backslash and what it escapes on; a placeholder stays one.
func (s *scanner) escape() {
	if leading.MatchString(s.line[s.at+1:]) {
		s.copy(1)
		return
	}
	s.copy(2)
}

// toggle opens or closes quotes that begin and end alike.
func (s *scanner) toggle(q quote) {
	if s.top() == q {
		s.pop()
	} else {
		s.push(q)
	}
	s.copy(1)
}

// command passes on what stands outside of quotes.
func (s *scanner) command(rest string) {
	switch {
	case rest[0] == '\'':
		s.push(single)
	case strings.HasPrefix(rest, "$'"):
		s.push(ansi)
		s.copy(1)
	case rest[0] == '(':
		s.push(group)
	case rest[0] == ')' && s.top() == group:
		s.pop()
	case rest[0] == '#' && s.wordBegins():
		s.comment(rest)
		return
	}
	s.copy(1)
}

func (s *scanner) wordBegins() bool {
	return s.at == 0 || strings.IndexByte(" \t\n;&|(", s.line[s.at-1]) >= 0
}

// comment passes a comment on without what a shell would not expand in it, so that an apostrophe opens no quotes.
func (s *scanner) comment(rest string) {
	end := strings.IndexByte(rest, '\n')
	if end < 0 {
		end = len(rest)
	}
	s.copy(end)
}

// arithmetic is where bash calculates with what it finds: (( )), $(( )) and the comparisons of numbers in [[ ]].
var arithmetic = regexp.MustCompile(`(?s)\(\(.*?\)\)|\[\[.*?\s-(?:eq|ne|lt|le|gt|ge)\s.*?\]\]`)

// expansion is a variable as a shell's author writes it.
var expansion = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// Arithmetic returns the variables that a shell line calculates with. bash reads such a value as an expression, in which
// an index like a[$(command)] would be run: what they may hold has to be narrowed.
func Arithmetic(line string) []string {
	var keys []string
	for _, part := range arithmetic.FindAllString(line, -1) {
		for _, name := range Names(part) {
			if key, ok := Key(name); ok {
				keys = append(keys, key)
			}
		}
		for _, m := range expansion.FindAllStringSubmatch(part, -1) {
			keys = append(keys, m[1])
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
