package configfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// MaxSize is the size, in bytes, up to which a document is read and written.
const MaxSize = 4 << 20

// maxDepth bounds how deep a document's values may be nested.
const maxDepth = 500

// errSize is the error of a document that is, or would become, too large.
var errSize = fmt.Errorf("it is larger than %d MiB", MaxSize>>20)

// formats are what can be rewritten.
var formats = map[kind.ConfigParser]func(doc []byte, changes []*change) ([]byte, error){
	kind.ConfigParserProperties: rewriteProperties,
	kind.ConfigParserINI:        rewriteINI,
	kind.ConfigParserFile:       rewriteLines,
	kind.ConfigParserJSON:       rewriteJSON,
	kind.ConfigParserYAML:       rewriteYAML,
	kind.ConfigParserTOML:       rewriteTOML,
	kind.ConfigParserXML:        rewriteXML,
}

// Makes reports whether a file that is missing is begun under a parser. Lines of a text and elements of XML only replace
// what is there.
func Makes(parser kind.ConfigParser) bool {
	return parser != kind.ConfigParserFile && parser != kind.ConfigParserXML
}

// Rewrite makes the replacements in a document, in their order, and returns the new one. An empty document is one that
// has nothing in it yet. The error says what is wrong as the end of a sentence that begins with the file's name and a
// colon; it never repeats what is in the document.
func Rewrite(ctx context.Context, doc []byte, parser kind.ConfigParser, replace []kind.ConfigReplacement) (out []byte, err error) {
	rewrite, ok := formats[parser]
	switch {
	case !ok:
		return nil, fmt.Errorf("this node does not know the parser %s", parser)
	case len(doc) > MaxSize:
		return nil, errSize
	}
	budget := MaxSize
	changes := make([]*change, 0, len(replace))
	for _, r := range replace {
		c, err := compile(ctx, r, &budget)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	// The libraries that read the formats are fed what programs have written: none may take the node's agent with it.
	defer func() {
		if recover() != nil {
			out, err = nil, errors.New("it cannot be read")
		}
	}()
	mark := []byte("\ufeff")
	marked := bytes.HasPrefix(doc, mark)
	out, err = rewrite(bytes.TrimPrefix(doc, mark), changes)
	switch {
	case err != nil:
		return nil, err
	case marked:
		out = append(mark, out...)
	}
	if len(out) > MaxSize {
		return nil, errSize
	}
	return out, nil
}

// text refuses what is no text.
func text(doc []byte) error {
	if !utf8.Valid(doc) {
		return errors.New("it is not UTF-8")
	}
	return nil
}
