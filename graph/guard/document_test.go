package guard_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/graph/guard"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// bomb returns a document of fragments that each spread the next one twice.
func bomb(fragments int, leaf string) string {
	var b strings.Builder
	b.WriteString("{ ...f0 }")
	for i := range fragments - 1 {
		fmt.Fprintf(&b, " fragment f%d on Query { ...f%d ...f%d }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment f%d on Query { %s }", fragments-1, leaf)
	return b.String()
}

func nested(field string, depth int) string {
	return strings.Repeat("{ "+field+" ", depth) + strings.Repeat("} ", depth)
}

func fragments(n int) string {
	var b strings.Builder
	b.WriteString("{ viewer { user { id } } }")
	for i := range n {
		fmt.Fprintf(&b, " fragment f%d on Query { x }", i)
	}
	return b.String()
}

// chain returns a document whose depth is hidden in fragments.
func chain(n int) string {
	var b strings.Builder
	b.WriteString("{ a { ...f0 } }")
	for i := range n - 1 {
		fmt.Fprintf(&b, " fragment f%d on T { a { ...f%d } }", i, i+1)
	}
	fmt.Fprintf(&b, " fragment f%d on T { a }", n-1)
	return b.String()
}

// TestG1 refuses documents that would cost too much to validate or to execute, at once.
func TestG1(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, document string
		want           fault.Code // "" when it is let through
	}{
		{"ordinary", `query($n: Int) { servers(first: $n) { edges { node { id name } } pageInfo { endCursor } } }`, ""},
		{"64 KB", "{ a(b: \"" + strings.Repeat("x", 64<<10) + "\") }", fault.TooComplex},
		{"commas are no tokens", "{ a " + strings.Repeat(",", 60_000) + " }", ""},
		{"5,000 tokens", "{ a(b: [" + strings.Repeat("1 ", 5001) + "]) }", fault.TooComplex},
		{"1,001 selections", "{ a { " + strings.Repeat("b ", 1001) + "} }", fault.TooComplex},
		{"1,000 selections", "{ a { " + strings.Repeat("b ", 999) + "} }", ""},
		{"fragment bomb of 944 bytes", bomb(26, "viewer { user { id } }"), fault.TooComplex},
		{"fragment bomb without an end", bomb(49, "...unknown"), fault.TooComplex},
		{"fragment bomb below the root", strings.Replace(bomb(26, "a"), "{ ...f0 }", "{ viewer { ...f0 } }", 1), fault.TooComplex},
		{"51 fragments", fragments(51), fault.TooComplex},
		{"50 fragments", fragments(50), ""},
		{"cycle of fragments", "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }", fault.ValidationFailed},
		{"fragment in itself", "{ x } fragment a on Query { y { ...a } }", fault.ValidationFailed},
		{"21 root fields", "{ " + strings.Repeat("a ", 21) + "}", fault.TooComplex},
		{"21 root fields in a fragment", "{ ...f } fragment f on Query { " + strings.Repeat("a ", 21) + "}", fault.TooComplex},
		{"51 aliases", "{ a { " + strings.Repeat("b: c ", 51) + "} }", fault.TooComplex},
		{"51 directives", "{ a { b " + strings.Repeat("@skip(if: true) ", 51) + "} }", fault.TooComplex},
		{"51 directives on variables", "query($a: Int " + strings.Repeat("@x ", 51) + ") { a }", fault.TooComplex},
		{"depth 12", nested("a", 12), ""},
		{"depth 13", nested("a", 13), fault.TooComplex},
		{"depth 13 in fragments", chain(12), fault.TooComplex},
		{"depth 2,000", nested("a", 999), fault.TooComplex},
		{"introspection of depth 20", "{ __schema " + nested("a", 19) + "}", ""},
		{"introspection of depth 21", "{ __schema " + nested("a", 20) + "}", fault.TooComplex},
		{"21 operations", strings.Repeat("query a { a } ", 21), fault.TooComplex},
		{"two logins", `mutation { a: login(input: {}) { x } b: login(input: {}) { x } }`, fault.BadRequest},
		{"two credentials in fragments", `mutation { ...f login { x } } fragment f on Mutation { changePassword { x } }`, fault.BadRequest},
		{"one login", `mutation { login(input: {}) { accessToken } }`, ""},
		{"8,000 equal fields", "{ a { " + strings.Repeat("b ", 8000) + "} }", fault.TooComplex},
		{"not closed", "{ a ", fault.ParseFailed},
		{"no document", "}", fault.ParseFailed},
		{"nested lists", "{ a(b: " + strings.Repeat("[", 4000) + ") }", fault.ParseFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := guard.Default().Document(tt.document)
			code := fault.CodeOf(err)
			var f *fault.Error
			if err != nil && !errors.As(err, &f) {
				code = fault.ParseFailed // the parser's own error
			}
			if code != tt.want {
				t.Errorf("got %q (%v), want %q", code, err, tt.want)
			}
		})
	}
}

// TestG1IsFast takes the best of several runs, so that a busy machine does not matter.
func TestG1IsFast(t *testing.T) {
	worst := map[string]string{
		"bomb": bomb(49, "viewer"), "selections": "{ a { " + strings.Repeat("b ", 4990) + "} }",
		"depth": nested("a", 1600), "tokens": strings.Repeat("{ ", 32_000),
	}
	for name, document := range worst {
		best := time.Hour
		for range 10 {
			start := time.Now()
			if guard.Default().Document(document) == nil {
				t.Fatalf("%s was let through", name)
			}
			best = min(best, time.Since(start))
		}
		if best > 25*time.Millisecond {
			t.Errorf("%s took %v to be refused", name, best)
		}
	}
}

func FuzzDocument(f *testing.F) {
	for _, s := range []string{bomb(5, "a"), nested("a", 5), `mutation { login }`, "{ a @b(c: [1, {d: $e}]) ... on F { g } }", `"""x""" query a { b }`} {
		f.Add(s)
	}
	limits := guard.Default()
	f.Fuzz(func(_ *testing.T, s string) {
		_ = limits.Document(s)
	})
}
