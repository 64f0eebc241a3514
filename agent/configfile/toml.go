package configfile

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// rewriteTOML replaces values by their paths and adds those that are missing. Only the bytes of the values change.
func rewriteTOML(doc []byte, changes []*change) ([]byte, error) {
	if err := text(doc); err != nil {
		return nil, err
	}
	for _, c := range changes {
		if err := c.hurry(); err != nil {
			return nil, err
		}
		path := segments(c.match)
		if len(path) == 0 {
			continue
		}
		var err error
		if doc, err = setTOML(doc, path, c); err != nil {
			return nil, err
		}
		if len(doc) > MaxSize {
			return nil, errSize
		}
	}
	return doc, nil
}

// entry is a value that stands in a document.
type entry struct {
	path []string
	// from and to are where its bytes are; both are 0 for a list or an inline table.
	from, to int
	shape    shape
	value    string
}

// layout is where the values of a document are, and where its tables end.
type layout struct {
	entries []entry
	// ends are where a line can be added to the table of a path, by its key.
	ends map[string]int
}

func tableKey(path []string) string { return strings.Join(path, "\x00") }

// lay finds the values of a document.
func lay(doc []byte) (*layout, error) {
	p := &unstable.Parser{}
	p.Reset(doc)
	l := &layout{ends: map[string]int{"": 0}}
	var table []string
	counts := map[string]int{} // of the tables in lists
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind { //nolint:exhaustive // comments; other kinds are no expressions
		case unstable.Table:
			table = placed(keyPath(e.Key()), counts)
			l.ends[tableKey(table)] = lineEnd(doc, e.Raw, e.Key())
		case unstable.ArrayTable:
			list := placed(keyPath(e.Key()), counts)
			n := counts[tableKey(list)]
			counts[tableKey(list)] = n + 1
			table = append(slices.Clone(list), strconv.Itoa(n))
			l.ends[tableKey(table)] = lineEnd(doc, e.Raw, e.Key())
		case unstable.KeyValue:
			l.value(append(slices.Clone(table), keyPath(e.Key())...), e.Value(), 0)
			l.ends[tableKey(table)] = nextLine(doc, int(e.Raw.Offset+e.Raw.Length))
		}
	}
	if p.Error() != nil {
		return nil, errors.New("it is no TOML")
	}
	return l, nil
}

// placed is a table's path with the place of the latest table of each list on its way.
func placed(path []string, counts map[string]int) []string {
	var out []string
	for i, name := range path {
		out = append(out, name)
		if n := counts[tableKey(out)]; n > 0 && i < len(path)-1 {
			out = append(out, strconv.Itoa(n-1))
		}
	}
	return out
}

func keyPath(keys unstable.Iterator) []string {
	var path []string
	for keys.Next() {
		path = append(path, string(keys.Node().Data))
	}
	return path
}

// lineEnd is where the line of a table's header ends.
func lineEnd(doc []byte, raw unstable.Range, keys unstable.Iterator) int {
	at := int(raw.Offset + raw.Length)
	for keys.Next() {
		at = max(at, int(keys.Node().Raw.Offset+keys.Node().Raw.Length))
	}
	return nextLine(doc, at)
}

func nextLine(doc []byte, at int) int {
	if n := bytes.IndexByte(doc[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(doc)
}

// value records a value and what is in it.
func (l *layout) value(path []string, n *unstable.Node, depth int) {
	if depth > maxDepth || len(l.entries) > MaxSize/8 {
		return
	}
	e := entry{path: path, value: string(n.Data)}
	switch n.Kind {
	case unstable.InlineTable:
		for children := n.Children(); children.Next(); {
			if kv := children.Node(); kv.Kind == unstable.KeyValue {
				l.value(append(slices.Clone(path), keyPath(kv.Key())...), kv.Value(), depth+1)
			}
		}
	case unstable.Array:
		i := 0
		for children := n.Children(); children.Next(); {
			if child := children.Node(); child.Kind != unstable.Comment {
				l.value(append(slices.Clone(path), strconv.Itoa(i)), child, depth+1)
				i++
			}
		}
	default:
		e.from, e.to = int(n.Raw.Offset), int(n.Raw.Offset+n.Raw.Length)
		e.shape = tomlShapes[n.Kind]
	}
	l.entries = append(l.entries, e)
}

// tomlShapes are the shapes of TOML's values. A date stays no date when something else is written.
var tomlShapes = map[unstable.Kind]shape{
	unstable.String: textual, unstable.Integer: numeric, unstable.Float: numeric, unstable.Bool: boolean,
}

// setTOML makes one change.
func setTOML(doc []byte, path []string, c *change) ([]byte, error) {
	l, err := lay(doc)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(l.entries, func(a, b entry) int { return a.from - b.from })
	found, last := false, 0
	var out []byte
	for _, e := range l.entries {
		if !matches(path, e.path) {
			continue
		}
		found = true
		if e.to == e.from {
			continue // lists and tables stay
		}
		value, ok, err := c.apply(e.value)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(append(out, doc[last:e.from]...), tomlValue(value, e.shape)...)
			last = e.to
		}
	}
	out = append(out, doc[last:]...)
	if found || !c.unconditional() || !concrete(path) {
		return out, nil
	}
	return l.add(doc, path, c)
}

func matches(path, place []string) bool {
	return slices.EqualFunc(path, place, func(wanted, name string) bool { return wanted == anything || wanted == name })
}

// add adds a value that is missing to its table, which is made if need be. The new document has to be one, which it is not
// when the path leads through something else than tables.
func (l *layout) add(doc []byte, path []string, c *change) ([]byte, error) {
	if err := c.spend(len(c.value)); err != nil {
		return nil, err
	}
	newline := ending(lines(doc))
	table, key := path[:len(path)-1], path[len(path)-1]
	line := tomlKey(key) + " = " + tomlValue(c.value, unknown) + newline
	at, there := l.ends[tableKey(table)]
	if !there {
		names := make([]string, len(table))
		for i, t := range table {
			names[i] = tomlKey(t)
		}
		at, line = len(doc), newline+"["+strings.Join(names, ".")+"]"+newline+line
	}
	if at > 0 && doc[at-1] != '\n' {
		line = newline + line
	}
	out := slices.Concat(doc[:at], []byte(line), doc[at:])
	var whole map[string]any
	if err := toml.Unmarshal(out, &whole); err != nil {
		return nil, errors.New("a replacement's path leads through something that is no table")
	}
	return out, nil
}

// bareKey is a key that needs no quotes.
var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// tomlKey writes a key.
func tomlKey(name string) string {
	if bareKey.MatchString(name) {
		return name
	}
	return tomlString(name)
}

// tomlValue writes a value in the place of one of a shape.
func tomlValue(value string, old shape) string {
	as, value := fit(value, old)
	if as == textual {
		return tomlString(value)
	}
	return value
}

// tomlString writes a basic string.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7F:
			b.WriteString(`\u00` + string("0123456789ABCDEF"[r>>4]) + string("0123456789ABCDEF"[r&15]))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
