package configfile

import (
	"bytes"
	"errors"
	"regexp"
	"strings"

	"github.com/beevik/etree"
)

// attribute is a value that is meant for an attribute: [name='value'].
var attribute = regexp.MustCompile(`(?s)^\[([\w:.-]+)='(.*)'\]$`)

// elementName is what an element that is missing can be called.
var elementName = regexp.MustCompile(`^[A-Za-z_][\w-]*$`)

// rewriteXML replaces the texts and attributes of elements, which are named by a path of etree's with dots in the place of
// slashes: Settings.property[@name='port'].@value.
func rewriteXML(doc []byte, changes []*change) ([]byte, error) {
	if len(bytes.TrimSpace(doc)) == 0 {
		return doc, nil
	}
	d := etree.NewDocument()
	d.ReadSettings.PreserveCData = true
	if err := d.ReadFromBytes(doc); err != nil || d.Root() == nil {
		return nil, errors.New("it is no XML in UTF-8")
	}
	if tooDeep(d) {
		return nil, errors.New("it is nested too deep")
	}
	for _, c := range changes {
		if err := c.hurry(); err != nil {
			return nil, err
		}
		if err := setXML(d, c); err != nil {
			return nil, err
		}
	}
	out, err := d.WriteToBytes()
	if err != nil {
		return nil, errors.New("it cannot be written as XML")
	}
	return out, nil
}

// tooDeep goes down without a stack of its own.
func tooDeep(d *etree.Document) bool {
	level := d.ChildElements()
	for range maxDepth {
		if len(level) == 0 {
			return false
		}
		var below []*etree.Element
		for _, e := range level {
			below = append(below, e.ChildElements()...)
		}
		level = below
	}
	return len(level) > 0
}

func setXML(d *etree.Document, c *change) error {
	steps := xmlSteps(c.match)
	if len(steps) == 0 {
		return nil
	}
	name, value := "", c.value
	if last := len(steps) - 1; strings.HasPrefix(steps[last], "@") {
		name, steps = steps[last][1:], steps[:last]
	} else if m := attribute.FindStringSubmatch(c.value); m != nil {
		name, value = m[1], m[2]
	}
	path, err := etree.CompilePath(strings.Join(steps, "/"))
	if err != nil {
		return errors.New("a replacement's path cannot be read")
	}
	found := d.FindElementsPath(path)
	if len(found) == 0 && c.unconditional() {
		if e := makeXML(d, steps); e != nil {
			found = append(found, e)
		}
	}
	put := *c
	put.value = value
	for _, e := range found {
		if err := putXML(e, name, &put); err != nil {
			return err
		}
	}
	return nil
}

// putXML replaces an attribute, or an element's text.
func putXML(e *etree.Element, name string, c *change) error {
	current := e.Text()
	if name != "" {
		current = e.SelectAttrValue(name, "")
	}
	value, ok, err := c.apply(current)
	if err != nil || !ok {
		return err
	}
	value = strings.Map(xmlRune, value)
	if name != "" {
		e.CreateAttr(name, value)
	} else {
		e.SetText(value)
	}
	return nil
}

// xmlRune drops what XML cannot hold.
func xmlRune(r rune) rune {
	if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
		return -1
	}
	return r
}

// makeXML makes the elements of a path below the root that is there.
func makeXML(d *etree.Document, steps []string) *etree.Element {
	at := d.Root()
	if steps[0] != at.FullTag() {
		return nil
	}
	for _, s := range steps[1:] {
		if !elementName.MatchString(s) {
			return nil
		}
	}
	for _, s := range steps[1:] {
		next := at.SelectElement(s)
		if next == nil {
			next = at.CreateElement(s)
		}
		at = next
	}
	return at
}

// xmlSteps splits a path at the dots that are not in brackets.
func xmlSteps(match string) []string {
	var steps []string
	depth, from := 0, 0
	for at := range len(match) {
		switch match[at] {
		case '[':
			depth++
		case ']':
			depth--
		case '.':
			if depth == 0 {
				steps, from = append(steps, match[from:at]), at+1
			}
		}
	}
	steps = append(steps, match[from:])
	for _, s := range steps {
		if s == "" || strings.Contains(s, "/") && !strings.Contains(s, "[") {
			return nil
		}
	}
	return steps
}
