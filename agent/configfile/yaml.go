package configfile

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"
)

// rewriteYAML replaces values by their paths, in the first document of a file, and adds those that are missing.
func rewriteYAML(doc []byte, changes []*change) ([]byte, error) {
	if err := text(doc); err != nil {
		return nil, err
	}
	docs, err := readYAML(doc)
	if err != nil {
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
		e := &yamlEdit{change: c, makes: concrete(path) && c.unconditional()}
		if err := e.set(docs[0].Content[0], path, 0); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	for _, d := range docs {
		if err := encoder.Encode(d); err != nil {
			return nil, errors.New("it cannot be written as YAML")
		}
	}
	if err := encoder.Close(); err != nil {
		return nil, errors.New("it cannot be written as YAML")
	}
	return b.Bytes(), nil
}

// readYAML reads every document of a file, at least one.
func readYAML(doc []byte) ([]*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(doc))
	var docs []*yaml.Node
	for {
		d := &yaml.Node{}
		err := decoder.Decode(d)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.New("it is no YAML")
		}
		if len(d.Content) == 0 {
			d.Content = []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}
		}
		if deep(d, maxDepth) {
			return nil, errors.New("it is nested too deep")
		}
		docs = append(docs, d)
	}
	if len(docs) == 0 {
		docs = []*yaml.Node{{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}}}
	}
	return docs, nil
}

func deep(n *yaml.Node, left int) bool {
	if left == 0 {
		return true
	}
	for _, c := range n.Content {
		if deep(c, left-1) {
			return true
		}
	}
	return false
}

// yamlEdit is one change being made.
type yamlEdit struct {
	*change
	// makes is whether what is missing is made.
	makes bool
}

// set makes the change below a node. An alias leads to what it stands for; hops bounds how often.
func (e *yamlEdit) set(n *yaml.Node, path []string, hops int) error {
	if n.Kind == yaml.AliasNode && len(path) > 0 {
		if n.Alias == nil || hops > maxDepth {
			return nil
		}
		return e.set(n.Alias, path, hops+1)
	}
	if len(path) == 0 {
		return e.put(n)
	}
	if e.makes && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", HeadComment: n.HeadComment, LineComment: n.LineComment, FootComment: n.FootComment}
	}
	switch n.Kind {
	case yaml.MappingNode:
		return e.mapping(n, path, hops)
	case yaml.SequenceNode:
		at, ok := position(path[0])
		for i, element := range n.Content {
			if path[0] != anything && (!ok || i != at) {
				continue
			}
			if err := e.set(element, path[1:], hops); err != nil {
				return err
			}
		}
	case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode:
	}
	return nil
}

func (e *yamlEdit) mapping(n *yaml.Node, path []string, hops int) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if path[0] != anything && n.Content[i].Value != path[0] {
			continue
		}
		if err := e.set(n.Content[i+1], path[1:], hops); err != nil {
			return err
		}
		if path[0] != anything {
			return nil
		}
	}
	if !e.makes {
		return nil
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: path[0]}
	value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	n.Content = append(n.Content, key, value)
	if n.Style&yaml.FlowStyle != 0 && len(n.Content) == 2 {
		n.Style &^= yaml.FlowStyle // {} was empty
	}
	return e.set(value, path[1:], hops)
}

// yamlShapes are the shapes of what YAML's tags say.
var yamlShapes = map[string]shape{"!!str": textual, "!!int": numeric, "!!float": numeric, "!!bool": boolean}

// yamlTags are the tags of what is written.
var yamlTags = map[shape]string{textual: "!!str", numeric: "!!int", boolean: "!!bool"}

// put replaces one value.
func (e *yamlEdit) put(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode && !e.unconditional() {
		return nil
	}
	old, current := unknown, ""
	if n.Kind == yaml.ScalarNode {
		old, current = yamlShapes[n.ShortTag()], n.Value
	}
	value, put, err := e.apply(current)
	if err != nil || !put {
		return err
	}
	as, value := fit(value, old)
	fresh := yaml.Node{Kind: yaml.ScalarNode, Tag: yamlTags[as], Value: value, Anchor: n.Anchor, HeadComment: n.HeadComment, LineComment: n.LineComment, FootComment: n.FootComment}
	if as == numeric && bytes.ContainsRune([]byte(value), '.') {
		fresh.Tag = "!!float"
	}
	if as == textual && old == textual {
		fresh.Style = n.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
	}
	*n = fresh
	return nil
}
