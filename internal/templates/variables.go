package templates

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// maxValueBytes is the longest value of a variable. The kernel takes 128 KiB for one environment entry.
const maxValueBytes = 32 << 10

// keyPattern is what the name of a variable looks like: what a shell can expand.
var keyPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// reserved are names that would change how programs are found or loaded, or that Catalyst sets itself.
var reserved = []string{
	"PATH", "HOME", "USER", "SHELL", "IFS", "ENV", "BASH_ENV", "PS4", "SHELLOPTS", "BASHOPTS", "PYTHONSTARTUP", "NODE_OPTIONS",
	"SERVER_ID", "SERVER_NAME", "SERVER_IP", "SERVER_PORT", "SERVER_MEMORY",
}

// Reserved reports whether no server may set the environment variable itself.
func Reserved(key string) bool {
	return slices.Contains(reserved, key) || strings.HasPrefix(key, "LD_") || strings.HasPrefix(key, "CATALYST_") ||
		strings.HasPrefix(key, "GLIBC_") || strings.HasPrefix(key, "BASH_FUNC_")
}

// Resolve returns the whole environment of a server: the values that it gives, checked, over those it had (current)
// and the defaults. Unless all is set, only variables that users may edit can be given. The error names the variable.
func Resolve(variables []kind.TemplateVariable, current map[string]string, given []kind.EnvVar, all bool) (map[string]string, error) {
	resolved := make(map[string]string, len(variables))
	known := make(map[string]kind.TemplateVariable, len(variables))
	for _, v := range variables {
		known[v.Key] = v
		resolved[v.Key] = v.Default
	}
	for key, value := range current {
		if _, ok := known[key]; ok {
			resolved[key] = value
		}
	}
	seen := make(map[string]bool, len(given))
	for _, e := range given {
		field := "environment." + e.Key
		v, ok := known[e.Key]
		switch {
		case !ok:
			return nil, fault.Input(field, "The template has no variable %q. It has: %s.", printable(e.Key), keyList(known))
		case seen[e.Key]:
			return nil, fault.Input(field, "The variable %s is given twice.", e.Key)
		case !all && !v.UserEditable:
			return nil, fault.Input(field, "The variable %s can only be set by an administrator.", e.Key)
		}
		seen[e.Key] = true
		resolved[e.Key] = e.Value
	}
	for _, v := range variables {
		if err := checkValue(v, resolved[v.Key]); err != nil {
			return nil, fault.Input("environment."+v.Key, "The value of %s %s.", v.Key, err)
		}
	}
	return resolved, nil
}

// printable keeps a foreign name from filling or breaking a message.
func printable(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

func keyList(known map[string]kind.TemplateVariable) string {
	if len(known) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

// checkValue returns what is wrong with a value as the end of a sentence that begins "The value of X".
func checkValue(v kind.TemplateVariable, value string) error {
	switch {
	case len(value) > maxValueBytes:
		return fmt.Errorf("is longer than %d bytes", maxValueBytes)
	case strings.ContainsRune(value, 0):
		return fmt.Errorf("holds a NUL byte")
	}
	if value == "" {
		if slices.Contains(v.Rules, "required") {
			return fmt.Errorf("is required")
		}
		return nil
	}
	if err := checkType(v.Type, value); err != nil {
		return err
	}
	for _, rule := range v.Rules {
		if err := checkRule(rule, v.Type, value); err != nil {
			return err
		}
	}
	return nil
}

func checkType(t kind.VariableType, value string) error {
	switch t {
	case kind.VariableTypeInteger:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("must be a whole number")
		}
	case kind.VariableTypeNumber:
		if _, ok := number(value); !ok {
			return fmt.Errorf("must be a number")
		}
	case kind.VariableTypeBoolean:
		if !slices.Contains([]string{"true", "false", "1", "0"}, value) {
			return fmt.Errorf("must be true, false, 1 or 0")
		}
	case kind.VariableTypeString, kind.VariableTypeEnum:
	}
	return nil
}

// checkRule checks one rule of the form name or name:argument. Unknown rules were refused when the template was saved.
func checkRule(rule string, t kind.VariableType, value string) error {
	name, arg, _ := strings.Cut(rule, ":")
	switch name {
	case "in":
		if options := strings.Split(arg, ","); !slices.Contains(options, value) {
			return fmt.Errorf("must be one of %s", strings.Join(options, ", "))
		}
	case "not_in":
		if slices.Contains(strings.Split(arg, ","), value) {
			return fmt.Errorf("must not be %s", value)
		}
	case "regex":
		re, err := compileRule(arg)
		if err != nil {
			return err
		}
		if !re.MatchString(value) {
			return fmt.Errorf("must match %s", arg)
		}
	case "alpha_dash":
		if strings.ContainsFunc(value, notAlphaDash) {
			return fmt.Errorf("must consist of letters, digits, dashes and underscores")
		}
	case "min", "max", "between":
		return checkSize(name, arg, t, value)
	}
	return nil
}

// number reads a finite number: what is none compares with nothing, and would pass every bound.
func number(s string) (float64, bool) {
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

func notAlphaDash(r rune) bool {
	return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// checkSize compares a number's value, or a text's length in characters.
func checkSize(name, arg string, t kind.VariableType, value string) error {
	size, what := float64(len([]rune(value))), " characters long"
	if t == kind.VariableTypeInteger || t == kind.VariableTypeNumber {
		n, ok := number(value)
		if !ok {
			return fmt.Errorf("must be a number")
		}
		size, what = n, ""
	}
	low, high, err := bounds(name, arg)
	if err != nil {
		return err
	}
	switch {
	case low != nil && size < *low:
		return fmt.Errorf("must be at least %v%s", *low, what)
	case high != nil && size > *high:
		return fmt.Errorf("must be at most %v%s", *high, what)
	}
	return nil
}

// bounds reads the argument of min, max or between.
func bounds(name, arg string) (low, high *float64, err error) {
	parse := func(s string) (*float64, error) {
		f, ok := number(strings.TrimSpace(s))
		if !ok {
			return nil, fmt.Errorf("has a rule %q whose bound is not a number", name+":"+arg)
		}
		return &f, nil
	}
	switch name {
	case "min":
		low, err = parse(arg)
	case "max":
		high, err = parse(arg)
	default:
		from, to, _ := strings.Cut(arg, ",")
		if low, err = parse(from); err == nil {
			high, err = parse(to)
		}
	}
	return low, high, err
}

// compileRule compiles the argument of a regex rule, with or without the slashes that other panels write.
func compileRule(arg string) (*regexp.Regexp, error) {
	if len(arg) > 1024 {
		return nil, fmt.Errorf("has a regex rule longer than 1,024 bytes")
	}
	if len(arg) > 1 && arg[0] == '/' && arg[len(arg)-1] == '/' {
		arg = arg[1 : len(arg)-1]
	}
	re, err := regexp.Compile(arg)
	if err != nil {
		return nil, fmt.Errorf("has a regex rule that is not RE2")
	}
	return re, nil
}

// checkVariables refuses definitions that could never work, when a template is saved.
func checkVariables(variables []kind.TemplateVariable) error {
	seen := map[string]bool{}
	for i, v := range variables {
		field := fmt.Sprintf("variables[%d]", i)
		switch {
		case !keyPattern.MatchString(v.Key):
			return fault.Input(field+".key", "%q cannot be the name of an environment variable: use letters, digits and underscores.", printable(v.Key))
		case Reserved(v.Key):
			return fault.Input(field+".key", "The name %s is reserved.", v.Key)
		case seen[v.Key]:
			return fault.Input(field+".key", "The variable %s stands there twice.", v.Key)
		}
		seen[v.Key] = true
		for _, rule := range v.Rules {
			if err := checkRuleForm(rule); err != nil {
				return fault.Input(field+".rules", "The variable %s %s.", v.Key, err)
			}
		}
		if v.Default != "" {
			if err := checkValue(v, v.Default); err != nil {
				return fault.Input(field+".default", "The default of %s %s.", v.Key, err)
			}
		}
	}
	return nil
}

func checkRuleForm(rule string) error {
	name, arg, _ := strings.Cut(rule, ":")
	switch name {
	case "required", "nullable", "string", "integer", "int", "numeric", "boolean", "bool", "in", "not_in", "alpha_dash":
		return nil
	case "min", "max", "between":
		_, _, err := bounds(name, arg)
		return err
	case "regex":
		_, err := compileRule(arg)
		return err
	}
	return fmt.Errorf("has an unknown rule %q", printable(rule))
}
