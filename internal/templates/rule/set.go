package rule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// MaxValueBytes is the longest value of a variable. The kernel takes 128 KiB for one environment entry.
	MaxValueBytes = 32 << 10
	maxRules      = 64
	maxRuleBytes  = 4 << 10
	maxPattern    = 1 << 10
)

// Set is the compiled rules of one variable.
type Set struct {
	required bool
	// measure is how min, max and their like look at a value.
	measure measure
	checks  []check
}

// check returns what is wrong with a value.
type check func(value string, m measure) error

// Compile reads rules. The error says which one is wrong, and matches ErrUnknown when no such rule exists.
func Compile(t kind.VariableType, rules []string) (Set, error) {
	s := Set{measure: length}
	if len(rules) > maxRules {
		return s, fmt.Errorf("has more than %d rules", maxRules)
	}
	if typed := typeRule(t); typed != "" {
		rules = append([]string{typed}, rules...)
	}
	for _, r := range rules {
		name, arg, _ := strings.Cut(r, ":")
		name = strings.TrimSpace(name)
		switch {
		case len(r) > maxRuleBytes:
			return s, fmt.Errorf("has a rule longer than %d bytes", maxRuleBytes)
		case name == "required" || name == "filled":
			s.required = true
		case isNumeric(name):
			s.measure = amount
		}
		c, err := compile(name, arg)
		if err != nil {
			return s, fmt.Errorf("has the rule %q, which %w", Printable(r), err)
		}
		if c != nil {
			s.checks = append(s.checks, c)
		}
	}
	return s, nil
}

// typeRule is the rule that a type stands for.
func typeRule(t kind.VariableType) string {
	switch t {
	case kind.VariableTypeInteger:
		return "integer"
	case kind.VariableTypeNumber:
		return "numeric"
	case kind.VariableTypeBoolean:
		return "boolean"
	case kind.VariableTypeString, kind.VariableTypeEnum:
	}
	return ""
}

// Check returns what is wrong with a value.
func (s Set) Check(value string) error {
	switch {
	case len(value) > MaxValueBytes:
		return fmt.Errorf("is longer than %d bytes", MaxValueBytes)
	case strings.ContainsRune(value, 0):
		return errors.New("holds a NUL byte")
	case value == "" && s.required:
		return errors.New("is required")
	case value == "":
		return nil
	}
	for _, c := range s.checks {
		if err := c(value, s.measure); err != nil {
			return err
		}
	}
	return nil
}

// TypeOf returns the type that rules describe.
func TypeOf(rules []string) kind.VariableType {
	has := func(names ...string) bool {
		return slices.ContainsFunc(rules, func(r string) bool {
			name, _, _ := strings.Cut(r, ":")
			return slices.Contains(names, strings.TrimSpace(name))
		})
	}
	switch {
	case has("in"):
		return kind.VariableTypeEnum
	case has("boolean", "bool"):
		return kind.VariableTypeBoolean
	case has("integer", "int", "digits", "digits_between"):
		return kind.VariableTypeInteger
	case has("numeric", "decimal"):
		return kind.VariableTypeNumber
	}
	return kind.VariableTypeString
}

// Split cuts rules that stand in one text, divided by bars. A bar within a pattern divides nothing.
func Split(text string) []string {
	var rules []string
	for text != "" {
		end := strings.IndexByte(text, '|')
		if pattern := patternEnd(text); pattern > 0 {
			if end = strings.IndexByte(text[pattern:], '|'); end >= 0 {
				end += pattern
			}
		}
		var r string
		if end < 0 {
			r, text = text, ""
		} else {
			r, text = text[:end], text[end+1:]
		}
		if r = strings.TrimSpace(r); r != "" {
			rules = append(rules, r)
		}
	}
	return rules
}

// patternEnd returns where the delimited pattern of a regex rule at the start of a text ends, or 0.
func patternEnd(text string) int {
	trimmed := strings.TrimLeft(text, " ")
	skipped := len(text) - len(trimmed)
	for _, name := range []string{"regex:", "not_regex:"} {
		rest, ok := strings.CutPrefix(trimmed, name)
		if !ok || rest == "" || rest[0] != '/' {
			continue
		}
		// The pattern ends at the last delimiter before the next rule or the end.
		for i := 1; i < len(rest); i++ {
			if rest[i] == '\\' {
				i++
				continue
			}
			if rest[i] != '/' {
				continue
			}
			if after := strings.TrimLeft(rest[i+1:], "imsuxADU"); after == "" || after[0] == '|' {
				return skipped + len(name) + i + 1
			}
		}
	}
	return 0
}

// Printable keeps a foreign text from filling or breaking a message.
func Printable(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// measure returns the size of a value, and how it is told to people.
type measure func(value string) (size float64, unit string, ok bool)

func length(value string) (float64, string, bool) {
	return float64(utf8.RuneCountInString(value)), " characters long", true
}

func amount(value string) (float64, string, bool) {
	n, ok := number(value)
	return n, "", ok
}
