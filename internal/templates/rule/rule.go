package rule

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrUnknown is that no rule has the name.
var ErrUnknown = errors.New("is no rule that is known")

// isNumeric reports whether a rule makes the values numbers, which min and max compare as such.
func isNumeric(name string) bool {
	return slices.Contains([]string{"numeric", "integer", "int", "decimal"}, name)
}

// compile returns the check of a rule; nil for one that says nothing about a value that is there.
func compile(name, arg string) (check, error) {
	if c, ok := plain[name]; ok {
		return c, nil
	}
	if make, ok := withArgument[name]; ok {
		if arg == "" {
			return nil, errors.New("needs an argument after a colon")
		}
		return make(arg)
	}
	return nil, ErrUnknown
}

// must makes a check that a value fails with what it must be.
func must(ok func(string) bool, what string) check {
	return func(value string, _ measure) error {
		if ok(value) {
			return nil
		}
		return errors.New("must " + what)
	}
}

// number reads a finite number: what is none compares with nothing, and would pass every bound.
func number(s string) (float64, bool) {
	if strings.ContainsAny(s, "xXpP_") { // forms that Go reads and nothing else
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

func isNumber(s string) bool { _, ok := number(s); return ok }

func isInteger(s string) bool { _, err := strconv.ParseInt(s, 10, 64); return err == nil }

// arguments are the parts of an argument, divided by commas; one with a comma in it stands in quotes.
func arguments(arg string) []string {
	var parts []string
	var b strings.Builder
	quoted := false
	for i := 0; i < len(arg); i++ {
		switch {
		case arg[i] == '"' && quoted && i+1 < len(arg) && arg[i+1] == '"':
			b.WriteByte('"')
			i++
		case arg[i] == '"' && (quoted || b.Len() == 0):
			quoted = !quoted
		case arg[i] == ',' && !quoted:
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(arg[i])
		}
	}
	return append(parts, b.String())
}

// Options returns the values that an in rule among the rules allows, or nil without one.
func Options(rules []string) []string {
	for _, r := range rules {
		if name, arg, _ := strings.Cut(r, ":"); strings.TrimSpace(name) == "in" {
			return arguments(arg)
		}
	}
	return nil
}

func compileIn(arg string) (check, error) {
	options := arguments(arg)
	return must(func(v string) bool { return slices.Contains(options, v) }, "be one of "+strings.Join(options, ", ")), nil
}

func compileNotIn(arg string) (check, error) {
	options := arguments(arg)
	return must(func(v string) bool { return !slices.Contains(options, v) }, "not be one of "+strings.Join(options, ", ")), nil
}

func affix(has func(s, affix string) bool, wanted bool, what string) func(string) (check, error) {
	return func(arg string) (check, error) {
		options := arguments(arg)
		found := func(v string) bool {
			return slices.ContainsFunc(options, func(o string) bool { return has(v, o) }) == wanted
		}
		return must(found, what+" "+strings.Join(options, ", ")), nil
	}
}

// bounds reads one number or two.
func bounds(arg string, count int) ([]float64, error) {
	parts := strings.Split(arg, ",")
	if len(parts) != count {
		return nil, fmt.Errorf("takes %d numbers", count)
	}
	out := make([]float64, count)
	for i, p := range parts {
		n, ok := number(p)
		if !ok {
			return nil, errors.New("has a bound that is not a number")
		}
		out[i] = n
	}
	return out, nil
}

// size makes the rules that compare a number's value or a text's length with bounds.
func size(count int, ok func(size float64, bounds []float64) bool, what string) func(string) (check, error) {
	return func(arg string) (check, error) {
		b, err := bounds(arg, count)
		if err != nil {
			return nil, err
		}
		told := make([]any, count)
		for i := range b {
			told[i] = strconv.FormatFloat(b[i], 'f', -1, 64)
		}
		sentence := fmt.Sprintf(what, told...)
		return func(value string, m measure) error {
			n, unit, is := m(value)
			if !is {
				return errors.New("must be a number")
			}
			if !ok(n, b) {
				return errors.New("must be " + sentence + unit)
			}
			return nil
		}, nil
	}
}

func atLeast(n float64, b []float64) bool { return n >= b[0] }
func atMost(n float64, b []float64) bool  { return n <= b[0] }
func above(n float64, b []float64) bool   { return n > b[0] }
func below(n float64, b []float64) bool   { return n < b[0] }
func exactly(n float64, b []float64) bool { return n == b[0] }
func within(n float64, b []float64) bool  { return n >= b[0] && n <= b[1] }

// digits makes the rules that count the digits of a whole number.
func digits(count int, ok func(size float64, bounds []float64) bool, what string) func(string) (check, error) {
	return func(arg string) (check, error) {
		b, err := bounds(arg, count)
		if err != nil {
			return nil, err
		}
		told := make([]any, count)
		for i := range b {
			told[i] = strconv.FormatFloat(b[i], 'f', -1, 64)
		}
		fits := func(v string) bool { return onlyDigits.MatchString(v) && ok(float64(len(v)), b) }
		return must(fits, fmt.Sprintf(what, told...)), nil
	}
}

// decimal checks the number of places after the point.
func decimal(arg string) (check, error) {
	from, to, two := strings.Cut(arg, ",")
	if !two {
		to = from
	}
	b, err := bounds(from+","+to, 2)
	if err != nil {
		return nil, err
	}
	fits := func(v string) bool {
		_, places, _ := strings.Cut(v, ".")
		return isNumber(v) && !strings.ContainsAny(v, "eE") && within(float64(len(places)), b)
	}
	return must(fits, "be a number with "+strings.ReplaceAll(arg, ",", " to ")+" decimal places"), nil
}

func multipleOf(arg string) (check, error) {
	b, err := bounds(arg, 1)
	if err != nil {
		return nil, err
	}
	if b[0] == 0 {
		return nil, errors.New("divides by zero")
	}
	fits := func(v string) bool {
		n, ok := number(v)
		return ok && math.Abs(math.Remainder(n, b[0])) < 1e-9
	}
	return must(fits, "be a multiple of "+arg), nil
}

// flags are the letters after a pattern that mean the same in RE2, and those without a meaning here.
const flags, meaningless = "ims", "uDSX"

// Pattern compiles a pattern that is written as other panels do, between slashes with letters for its flags behind, or as
// it is.
func Pattern(text string) (*regexp.Regexp, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("has a pattern longer than %d bytes", maxPattern)
	}
	body := text
	if end := strings.LastIndexByte(text, '/'); end > 0 && text[0] == '/' && strings.Trim(text[end+1:], flags+meaningless) == "" {
		body = text[1:end]
		if set := strings.Trim(text[end+1:], meaningless); set != "" {
			body = "(?" + set + ")" + body
		}
	}
	re, err := regexp.Compile(body)
	if err != nil {
		return nil, fmt.Errorf("is not RE2: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, nil
}

func matches(wanted bool) func(string) (check, error) {
	return func(arg string) (check, error) {
		re, err := Pattern(arg)
		if err != nil {
			return nil, err
		}
		what := "match "
		if !wanted {
			what = "not match "
		}
		return must(func(v string) bool { return re.MatchString(v) == wanted }, what+Printable(arg)), nil
	}
}
