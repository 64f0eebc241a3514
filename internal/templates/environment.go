package templates

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/placeholder"
	"github.com/catalyst-panel/catalyst/internal/templates/rule"
)

// Resolve returns the whole environment of a server: the values that it gives, checked, over those it had (current)
// and the defaults. Unless all is set, only variables that users may edit can be given. The error names the variable.
func Resolve(t document.Template, current map[string]string, given []kind.EnvVar, all bool) (map[string]string, error) {
	resolved := make(map[string]string, len(t.Variables))
	known := make(map[string]kind.TemplateVariable, len(t.Variables))
	for _, v := range t.Variables {
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
			return nil, fault.Input(field, "The template has no variable %q. It has: %s.", rule.Printable(e.Key), keyList(known))
		case seen[e.Key]:
			return nil, fault.Input(field, "The variable %s is given twice.", e.Key)
		case !all && !v.UserEditable:
			return nil, fault.Input(field, "The variable %s can only be set by an administrator.", e.Key)
		}
		seen[e.Key] = true
		resolved[e.Key] = e.Value
	}
	operands := calculated(t)
	for _, v := range t.Variables {
		if err := checkValue(v, resolved[v.Key], slices.Contains(operands, v.Key)); err != nil {
			return nil, fault.Input("environment."+v.Key, "The value of %s %s.", v.Key, err)
		}
	}
	return resolved, nil
}

func keyList(known map[string]kind.TemplateVariable) string {
	if len(known) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

// operand is what a value may hold that bash calculates with: nothing that it would evaluate.
var operand = regexp.MustCompile(`^[A-Za-z0-9_.+-]*$`)

// checkValue returns what is wrong with a value as the end of a sentence that begins "The value of X".
func checkValue(v kind.TemplateVariable, value string, calculated bool) error {
	set, err := rule.Compile(v.Type, v.Rules)
	if err != nil {
		return err
	}
	if err := set.Check(value); err != nil {
		return err
	}
	if calculated && !operand.MatchString(value) {
		return errors.New("must consist of letters, digits, dots and dashes, since the startup calculates with it")
	}
	return nil
}

// calculated returns the variables that the startups calculate with.
func calculated(t document.Template) []string {
	keys := placeholder.Arithmetic(t.Startup.Shell)
	for _, c := range t.Startup.Commands {
		keys = append(keys, placeholder.Arithmetic(c.Shell)...)
	}
	return keys
}
