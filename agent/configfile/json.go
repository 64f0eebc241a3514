package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/tailscale/hujson"
)

// rewriteJSON replaces values by their paths and adds those that are missing. Comments and commas too many are kept, since
// many programs allow them in their files.
func rewriteJSON(doc []byte, changes []*change) ([]byte, error) {
	if err := errors.Join(text(doc), shallow(doc)); err != nil {
		return nil, err
	}
	empty := len(bytes.TrimSpace(doc)) == 0
	if empty {
		doc = []byte("{}\n")
	}
	root, err := hujson.Parse(doc)
	if err != nil {
		return nil, errors.New("it is no JSON")
	}
	for _, c := range changes {
		if err := c.hurry(); err != nil {
			return nil, err
		}
		path := segments(c.match)
		if len(path) == 0 {
			continue
		}
		if err := setJSON(&root, path, c, concrete(path)); err != nil {
			return nil, err
		}
	}
	if empty {
		root.Format()
	}
	return root.Pack(), nil
}

// shallow refuses JSON that is nested so deep that reading it would take the whole stack.
func shallow(doc []byte) error {
	depth, in := 0, byte(0)
	for at := 0; at < len(doc); at++ {
		switch c := doc[at]; {
		case in == '"' && c == '\\':
			at++
		case in == '"':
			if c == '"' {
				in = 0
			}
		case c == '"':
			in = '"'
		case c == '/' && at+1 < len(doc) && (doc[at+1] == '/' || doc[at+1] == '*'):
			at = commentEnd(doc, at)
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("it is nested deeper than %d levels", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// commentEnd returns where a comment ends that begins at a position.
func commentEnd(doc []byte, at int) int {
	end := []byte("\n")
	if doc[at+1] == '*' {
		end = []byte("*/")
	}
	n := bytes.Index(doc[at+2:], end)
	if n < 0 {
		return len(doc)
	}
	return at + 2 + n + len(end) - 1
}

// setJSON makes a change below a value. What is missing is made where the path names one value only.
func setJSON(v *hujson.Value, path []string, c *change, makes bool) error {
	if len(path) == 0 {
		return putJSON(v, c)
	}
	if makes && c.unconditional() {
		if literal, ok := v.Value.(hujson.Literal); ok && literal.Kind() == 'n' {
			v.Value = &hujson.Object{}
		}
	}
	switch at := v.Value.(type) {
	case *hujson.Object:
		for i := range at.Members {
			name, ok := at.Members[i].Name.Value.(hujson.Literal)
			if !ok || (path[0] != anything && name.String() != path[0]) {
				continue
			}
			if err := setJSON(&at.Members[i].Value, path[1:], c, makes); err != nil {
				return err
			}
			if path[0] != anything {
				return nil
			}
		}
		if makes && c.unconditional() {
			return addMember(at, path, c)
		}
	case *hujson.Array:
		n, ok := position(path[0])
		for i := range at.Elements {
			if path[0] != anything && (!ok || i != n) {
				continue
			}
			if err := setJSON(&at.Elements[i], path[1:], c, makes); err != nil {
				return err
			}
		}
	case hujson.Literal:
	}
	return nil
}

// addMember adds what is missing to an object, laid out as the member before it.
func addMember(obj *hujson.Object, path []string, c *change) error {
	member := hujson.ObjectMember{
		Name:  hujson.Value{Value: hujson.String(path[0])},
		Value: hujson.Value{Value: hujson.Literal("null"), BeforeExtra: hujson.Extra(" ")},
	}
	if last := len(obj.Members) - 1; last >= 0 {
		before := &obj.Members[last]
		member.Name.BeforeExtra = indentation(before.Name.BeforeExtra)
		if before.Value.AfterExtra != nil { // there is a comma too many, which the new one needs
			member.Value.AfterExtra, before.Value.AfterExtra = before.Value.AfterExtra, nil
		}
	}
	obj.Members = append(obj.Members, member)
	return setJSON(&obj.Members[len(obj.Members)-1].Value, path[1:], c, true)
}

// indentation is the space at the end of what stands before a value, without comments.
func indentation(before hujson.Extra) hujson.Extra {
	all := string(before)
	space := all[len(strings.TrimRight(all, " \t\r\n")):]
	if !strings.Contains(space, "\n") && strings.Contains(all, "\n") {
		space = "\n" + space
	}
	return hujson.Extra(space)
}

// putJSON replaces one value.
func putJSON(v *hujson.Value, c *change) error {
	old, current := unknown, ""
	literal, ok := v.Value.(hujson.Literal)
	switch {
	case !ok && !c.unconditional():
		return nil // an object or a list is never the value that a condition names
	case ok:
		old, current = shapeOf(literal), plain(literal)
	}
	value, put, err := c.apply(current)
	if err != nil || !put {
		return err
	}
	as, value := fit(value, old)
	if as == textual {
		v.Value = hujson.String(value)
	} else {
		v.Value = hujson.Literal(value)
	}
	return nil
}

func shapeOf(l hujson.Literal) shape {
	switch l.Kind() {
	case '"':
		return textual
	case '0':
		return numeric
	case 't', 'f':
		return boolean
	}
	return unknown
}

// plain is a literal as people see it.
func plain(l hujson.Literal) string {
	if l.Kind() == '"' {
		return l.String()
	}
	return string(l)
}
