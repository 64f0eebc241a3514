package templates

import (
	"regexp"
	"strings"
)

// placeholder is {{KEY}}, with optional space inside the braces.
var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}`)

// leading is a placeholder at the start of a text.
var leading = regexp.MustCompile(`^` + placeholder.String())

// Argv replaces the placeholders in a program's arguments. Each argument stays one argument whatever the values hold.
// Unknown placeholders become empty, as an unset variable would.
func Argv(argv []string, environment map[string]string) []string {
	out := make([]string, len(argv))
	for i, arg := range argv {
		out[i] = placeholder.ReplaceAllStringFunc(arg, func(m string) string {
			return environment[placeholder.FindStringSubmatch(m)[1]]
		})
	}
	return out
}

// Shell turns a template's shell line into one for /bin/sh -c in which each placeholder has become an expansion of the
// environment variable of that name. The values travel in the environment only, so none can add a command: inside
// double quotes an expansion stands as it is, inside single quotes these are closed around it, and a bare one splits
// into words but, under set -f, matches no files. What the template's author wrote around them keeps its meaning.
func Shell(line string) string {
	var b strings.Builder
	b.WriteString("set -f\n")
	quote := byte(0)
	for i := 0; i < len(line); {
		if m := leading.FindStringSubmatchIndex(line[i:]); m != nil {
			b.WriteString(expansion(line[i+m[2]:i+m[3]], quote))
			i += m[1]
			continue
		}
		c := line[i]
		b.WriteByte(c)
		i++
		switch {
		case c == '\\' && quote != '\'' && i < len(line) && line[i] != '{':
			b.WriteByte(line[i])
			i++
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		}
	}
	return b.String()
}

// expansion is how a variable is written inside the given quotes (0 for none).
func expansion(key string, quote byte) string {
	if quote == '\'' {
		return `'"${` + key + `}"'`
	}
	return "${" + key + "}"
}
