package guard

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// credentialFields are the mutations that check a secret. One operation may try one of them, so that a single request
// is never a list of guesses.
var credentialFields = map[string]bool{
	"login": true, "register": true, "changePassword": true, "refreshSession": true, "resetPassword": true,
	"acceptInvite": true,
}

func tooMuch(what string, limit int) *fault.Error {
	return fault.New(fault.TooComplex, "The document has more than %d %s. Split it into several requests.", limit, what)
}

// Document checks a document's text. It costs no more than reading a document of the largest allowed size, whatever the
// text is. It returns a *fault.Error, or the parser's error.
func (l Limits) Document(text string) error {
	if len(text) > l.Bytes {
		return tooMuch("bytes", l.Bytes)
	}
	if err := l.tokens(text); err != nil {
		return err
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: text})
	if err != nil {
		return err
	}
	switch {
	case len(doc.Operations) > l.Operations:
		return tooMuch("operations", l.Operations)
	case len(doc.Fragments) > l.Fragments:
		return tooMuch("fragments", l.Fragments)
	}
	return newCensus(l, doc).take()
}

// tokens counts the tokens. What is no token is left to the parser, which says so better.
func (l Limits) tokens(text string) error {
	lex := lexer.New(&ast.Source{Input: text})
	for n := 0; ; n++ {
		token, err := lex.ReadToken()
		if err != nil || token.Kind == lexer.EOF || token.Kind == lexer.Invalid {
			return nil //nolint:nilerr // the parser meets the same error
		}
		if n >= l.Tokens {
			return tooMuch("tokens", l.Tokens)
		}
	}
}

// size is what a selection set amounts to with its fragments expanded.
type size struct {
	selections    int
	depth         int
	introspection int // depth below __schema and __type on the set's own level
	rootFields    int // fields on the set's own level
	credentials   int // those of them that check a secret
}

// census counts a document.
type census struct {
	limits    Limits
	doc       *ast.QueryDocument
	fragments map[string]*counted

	selections, aliases, directives int
}

// counted is a fragment whose size is known, or is being found out.
type counted struct {
	def  *ast.FragmentDefinition
	busy bool
	done bool
	size size
}

func newCensus(l Limits, doc *ast.QueryDocument) *census {
	c := &census{limits: l, doc: doc, fragments: make(map[string]*counted, len(doc.Fragments))}
	for _, f := range doc.Fragments {
		c.fragments[f.Name] = &counted{def: f}
	}
	return c
}

func (c *census) take() error {
	for _, f := range c.doc.Fragments {
		if _, err := c.fragment(f.Name); err != nil {
			return err
		}
		c.directives += len(f.Directives)
	}
	for _, op := range c.doc.Operations {
		c.directives += len(op.Directives)
		for _, v := range op.VariableDefinitions {
			c.directives += len(v.Directives)
		}
		s, err := c.set(op.SelectionSet)
		if err != nil {
			return err
		}
		if err := c.operation(op, s); err != nil {
			return err
		}
	}
	switch {
	case c.selections > c.limits.Selections:
		return tooMuch("selections", c.limits.Selections)
	case c.aliases > c.limits.Aliases:
		return tooMuch("aliases", c.limits.Aliases)
	case c.directives > c.limits.Directives:
		return tooMuch("directives", c.limits.Directives)
	}
	return nil
}

func (c *census) operation(op *ast.OperationDefinition, s size) error {
	switch {
	case s.selections > c.limits.Expanded:
		return tooMuch("selections once its fragments are expanded", c.limits.Expanded)
	case s.rootFields > c.limits.RootFields:
		return tooMuch("fields at its root", c.limits.RootFields)
	case op.Operation == ast.Mutation && s.credentials > 1:
		return fault.New(fault.BadRequest, "One operation may check credentials once. Send one request for each.")
	}
	switch {
	case s.depth > c.limits.Depth:
		return tooMuch("levels", c.limits.Depth)
	case s.introspection > c.limits.IntrospectionDepth:
		return tooMuch("levels", c.limits.IntrospectionDepth)
	}
	return nil
}

// set counts a selection set. Sums stop just above their limits, so that they cannot overflow.
func (c *census) set(set ast.SelectionSet) (size, error) {
	var sum size
	for _, sel := range set {
		s, err := c.selection(sel)
		if err != nil {
			return size{}, err
		}
		sum.selections = min(sum.selections+s.selections, c.limits.Expanded+1)
		sum.depth = max(sum.depth, s.depth)
		sum.introspection = max(sum.introspection, s.introspection)
		sum.rootFields = min(sum.rootFields+s.rootFields, c.limits.RootFields+1)
		sum.credentials = min(sum.credentials+s.credentials, 2)
	}
	return sum, nil
}

func (c *census) selection(sel ast.Selection) (size, error) {
	c.selections++
	switch sel := sel.(type) {
	case *ast.Field:
		c.directives += len(sel.Directives)
		if sel.Alias != sel.Name {
			c.aliases++
		}
		below, err := c.set(sel.SelectionSet)
		s := size{selections: below.selections + 1, rootFields: 1}
		depth := max(below.depth, below.introspection) + 1
		if introspects(sel) {
			s.introspection = depth
		} else {
			s.depth = depth
		}
		if credentialFields[sel.Name] {
			s.credentials = 1
		}
		return s, err
	case *ast.InlineFragment:
		c.directives += len(sel.Directives)
		s, err := c.set(sel.SelectionSet)
		s.selections++
		return s, err
	case *ast.FragmentSpread:
		c.directives += len(sel.Directives)
		s, err := c.fragment(sel.Name)
		s.selections++
		return s, err
	}
	return size{}, nil
}

// fragment returns the size of a fragment, which is counted once. An unknown one is left to the validation.
func (c *census) fragment(name string) (size, error) {
	f := c.fragments[name]
	switch {
	case f == nil:
		return size{}, nil
	case f.done:
		return f.size, nil
	case f.busy:
		err := gqlerror.ErrorPosf(f.def.Position, "Cannot spread fragment %q within itself.", name)
		return size{}, fault.New(fault.ValidationFailed, "%s", err.Message)
	}
	f.busy = true
	s, err := c.set(f.def.SelectionSet)
	f.size, f.done, f.busy = s, err == nil, false
	return s, err
}

func introspects(f *ast.Field) bool { return f.Name == "__schema" || f.Name == "__type" }
