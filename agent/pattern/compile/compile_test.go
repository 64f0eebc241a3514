package compile_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/catalyst-panel/catalyst/agent/pattern"
	"github.com/catalyst-panel/catalyst/agent/pattern/compile"
)

var patterns = []string{
	"", "^ready$", "ready", `Done \(\d+\.\d+s\)! For help`, "(?i)server STARTED", "^$", "a|b|cd+e?", "a{2,4}b", ".*", "[^a-z ]",
	`\bworld\b`, `\Bor`, "(a|ab)(c|bcd)(d*)", `^\[.+\] .*listening on port \d+`, "(?i)straße|K", "x*$", `\p{Greek}+`, "(?s).", "[[:alpha:]]$",
}

var lines = []string{
	"", "ready", "not ready yet", "Done (12.3s)! For help, type help", "SERVER started", "aab", "cdde", "hello world", "word order",
	"abcd", "[12:00] main: listening on port 25565", "STRASSE straße", "\u212a", "αβγ", "\x1b[32mready\x1b[0m", "xxxx", "€",
}

func TestAgreesWithRegexp(t *testing.T) {
	t.Parallel()
	for _, expr := range patterns {
		for _, line := range lines {
			check(t, expr, line)
		}
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{"(", "[a", "a**", `\1`, "(?=x)"} {
		if _, err := compile.Compile(expr); err == nil || !strings.Contains(err.Error(), "is not valid") {
			t.Errorf("Compile(%q): %v, want a refusal", expr, err)
		}
	}
}

// TestC8TooLarge refuses short patterns that stand for very long ones.
func TestC8TooLarge(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{`x{1000}{1}y`, `(a|b|c){400}`, `\pL{999}.`} {
		if p, err := compile.Compile(expr); err == nil {
			t.Errorf("Compile(%q) has %d instructions", expr, len(p.Insts))
		}
	}
}

func FuzzAgreesWithRegexp(f *testing.F) {
	for i, expr := range patterns {
		f.Add(expr, lines[i%len(lines)])
	}
	f.Fuzz(func(t *testing.T, expr, line string) {
		if len(expr) < 200 && utf8.ValidString(line) && !strings.Contains(line, "\n") {
			check(t, expr, line)
		}
	})
}

// check compares with package regexp, over JSON as a holder gets it.
func check(t *testing.T, expr, line string) {
	t.Helper()
	re, err := regexp.Compile(expr)
	p, err2 := compile.Compile(expr)
	if err2 != nil && strings.Contains(err2.Error(), "too large") {
		return
	}
	if (err == nil) != (err2 == nil) {
		t.Fatalf("regexp.Compile(%q): %v, Compile: %v", expr, err, err2)
	}
	if err != nil {
		return
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var read pattern.Program
	if err := json.Unmarshal(b, &read); err != nil || !read.Valid() {
		t.Fatalf("program of %q: %v, valid %v", expr, err, read.Valid())
	}
	m := pattern.NewMatcher(read)
	for range 2 {
		if got, want := m.Match([]byte(line)), re.MatchString(line); got != want {
			t.Fatalf("%q in %q: %v, want %v", expr, line, got, want)
		}
	}
}
