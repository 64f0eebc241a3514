package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	// MaxBytes is the size of the longest text that is read.
	MaxBytes = 1 << 20
	maxDepth = 48
	maxNodes = 50_000
	maxKeys  = 2_000
)

// Kind is what a Node is.
type Kind int

// The kinds of nodes.
const (
	Null Kind = iota
	Text
	Number
	Bool
	List
	Map
)

// Node is one value.
type Node struct {
	Kind Kind
	// Scalar is a text's text, and a number or a truth value as JSON writes it.
	Scalar string
	// Items are a list's elements, or a map's values in the order of Keys.
	Items []*Node
	Keys  []string
}

// Read reads a text that is JSON or YAML.
func Read(text []byte) (*Node, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("the text is longer than %d KiB", MaxBytes>>10)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("the text is not UTF-8")
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
		return readJSON(trimmed)
	}
	return readYAML(text)
}

// Get returns the value of a key, or nil when this is no map or has no such key.
func (n *Node) Get(key string) *Node {
	if n == nil || n.Kind != Map {
		return nil
	}
	if i := slices.Index(n.Keys, key); i >= 0 {
		return n.Items[i]
	}
	return nil
}

// Path returns what the keys lead to, or nil.
func (n *Node) Path(keys ...string) *Node {
	for _, key := range keys {
		n = n.Get(key)
	}
	return n
}

// String returns a scalar as text; everything else is empty.
func (n *Node) String() string {
	if n == nil {
		return ""
	}
	return n.Scalar
}

// ListItems returns the elements of a list, or of a map that stands for one; a scalar has none.
func (n *Node) ListItems() []*Node {
	if n == nil {
		return nil
	}
	return n.Items
}

// Empty reports whether there is nothing: no node, null, an empty text, list or map.
func (n *Node) Empty() bool {
	return n == nil || n.Kind == Null || n.Kind == Text && n.Scalar == "" || (n.Kind == List || n.Kind == Map) && len(n.Items) == 0
}

// MarshalJSON writes the value as JSON, its keys in their order.
func (n *Node) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	if err := n.write(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (n *Node) write(b *bytes.Buffer) error {
	switch n.Kind {
	case Text:
		return writeText(b, n.Scalar)
	case Number, Bool:
		b.WriteString(n.Scalar)
	case List, Map:
		return n.writeItems(b)
	default:
		b.WriteString("null")
	}
	return nil
}

func (n *Node) writeItems(b *bytes.Buffer) error {
	brackets := "[]"
	if n.Kind == Map {
		brackets = "{}"
	}
	b.WriteByte(brackets[0])
	for i, item := range n.Items {
		if i > 0 {
			b.WriteByte(',')
		}
		if n.Kind == Map {
			if err := writeText(b, n.Keys[i]); err != nil {
				return err
			}
			b.WriteByte(':')
		}
		if err := item.write(b); err != nil {
			return err
		}
	}
	b.WriteByte(brackets[1])
	return nil
}

func writeText(b *bytes.Buffer, s string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write text: %w", err)
	}
	b.Write(text)
	return nil
}

// reader counts what it has read.
type reader struct{ nodes int }

func (r *reader) count(depth int) error {
	r.nodes++
	if r.nodes > maxNodes {
		return fmt.Errorf("there are more than %d values", maxNodes)
	}
	if depth > maxDepth {
		return fmt.Errorf("values are nested more than %d deep", maxDepth)
	}
	return nil
}

// add puts a value under a key.
func (n *Node) add(key string, value *Node) error {
	if len(n.Keys) == maxKeys {
		return fmt.Errorf("a map has more than %d keys", maxKeys)
	}
	if slices.Contains(n.Keys, key) {
		return fmt.Errorf("the key %q stands there twice", key)
	}
	n.Keys, n.Items = append(n.Keys, key), append(n.Items, value)
	return nil
}

func readJSON(text []byte) (*Node, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	n, err := new(reader).json(d, 0)
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	return n, nil
}

func (r *reader) json(d *json.Decoder, depth int) (*Node, error) {
	if err := r.count(depth); err != nil {
		return nil, err
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case string:
		return &Node{Kind: Text, Scalar: t}, nil
	case json.Number:
		return &Node{Kind: Number, Scalar: t.String()}, nil
	case bool:
		return truth(t), nil
	case json.Delim:
		return r.jsonItems(d, t, depth)
	}
	return &Node{}, nil
}

func truth(b bool) *Node {
	if b {
		return &Node{Kind: Bool, Scalar: "true"}
	}
	return &Node{Kind: Bool, Scalar: "false"}
}

func (r *reader) jsonItems(d *json.Decoder, open json.Delim, depth int) (*Node, error) {
	n := &Node{Kind: List}
	if open == '{' {
		n.Kind = Map
	}
	for d.More() {
		var key string
		if n.Kind == Map {
			token, err := d.Token()
			if err != nil {
				return nil, err
			}
			key, _ = token.(string)
		}
		item, err := r.json(d, depth+1)
		if err != nil {
			return nil, err
		}
		if n.Kind == List {
			n.Items = append(n.Items, item)
		} else if err := n.add(key, item); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // the closing bracket
	return n, err
}

func readYAML(text []byte) (*Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("read YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return &Node{}, nil
	}
	n, err := new(reader).yaml(doc.Content[0], 0)
	if err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	return n, nil
}

func (r *reader) yaml(y *yaml.Node, depth int) (*Node, error) {
	if err := r.count(depth); err != nil {
		return nil, err
	}
	switch y.Kind {
	case yaml.AliasNode:
		return r.yaml(y.Alias, depth+1)
	case yaml.SequenceNode:
		n := &Node{Kind: List}
		for _, c := range y.Content {
			item, err := r.yaml(c, depth+1)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
		return n, nil
	case yaml.MappingNode:
		return r.yamlMap(y, depth)
	case yaml.ScalarNode:
		return yamlScalar(y)
	default:
		return &Node{}, nil
	}
}

func (r *reader) yamlMap(y *yaml.Node, depth int) (*Node, error) {
	n := &Node{Kind: Map}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return nil, fmt.Errorf("line %d: a key must be text", key.Line)
		}
		item, err := r.yaml(y.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if err := n.add(key.Value, item); err != nil {
			return nil, fmt.Errorf("line %d: %w", key.Line, err)
		}
	}
	return n, nil
}

// yamlScalar keeps numbers as they are written where JSON knows the form; others (octal, infinity, dates) are text.
func yamlScalar(y *yaml.Node) (*Node, error) {
	switch y.Tag {
	case "!!null":
		return &Node{}, nil
	case "!!bool":
		var b bool
		if err := y.Decode(&b); err != nil {
			return nil, fmt.Errorf("line %d: %w", y.Line, err)
		}
		return truth(b), nil
	case "!!int", "!!float":
		if json.Valid([]byte(y.Value)) {
			return &Node{Kind: Number, Scalar: y.Value}, nil
		}
	case "!!binary":
		return nil, fmt.Errorf("line %d: binary values are not read", y.Line)
	}
	return &Node{Kind: Text, Scalar: y.Value}, nil
}

// YAML returns the value for YAML's encoder.
func (n *Node) YAML() *yaml.Node {
	y := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	switch n.Kind {
	case Text:
		// The encoder quotes what would be read as something else. A block keeps line feeds, but no other control.
		y.Tag, y.Value = "!!str", n.Scalar
		if strings.Contains(n.Scalar, "\n") && !strings.Contains(n.Scalar, "\r") {
			y.Style = yaml.LiteralStyle
		}
	case Number:
		y.Tag, y.Value = "!!int", n.Scalar
		if strings.ContainsAny(n.Scalar, ".eE") {
			y.Tag = "!!float"
		}
	case Bool:
		y.Tag, y.Value = "!!bool", n.Scalar
	case List, Map:
		y.Kind, y.Tag, y.Value = yaml.SequenceNode, "!!seq", ""
		if n.Kind == Map {
			y.Kind, y.Tag = yaml.MappingNode, "!!map"
		}
		for i, item := range n.Items {
			if n.Kind == Map {
				y.Content = append(y.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: n.Keys[i]})
			}
			y.Content = append(y.Content, item.YAML())
		}
	default:
	}
	return y
}
