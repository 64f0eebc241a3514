package configfile

import (
	"regexp"
	"slices"
	"strings"
)

// setting is a line of an INI file that gives a key a value.
var setting = regexp.MustCompile(`^([ \t]*)([^=;#\[ \t][^=]*?)([ \t]*=[ \t]*)(.*)$`)

// section is a line that begins a section.
var section = regexp.MustCompile(`^[ \t]*\[([^\]]*)\]`)

// address splits what an INI file's replacement is for: the section before the first dot, which may stand in brackets, and
// the key after it. Without a dot it is a key before all sections.
func address(match string) (in, key string) {
	if strings.HasPrefix(match, "[") {
		if in, key, ok := strings.Cut(match[1:], "]."); ok {
			return in, key
		}
	}
	in, key, ok := strings.Cut(match, ".")
	if !ok {
		return "", match
	}
	return in, key
}

// rewriteINI replaces the values of keys in sections and adds those that are missing.
func rewriteINI(doc []byte, changes []*change) ([]byte, error) {
	all := lines(doc)
	for _, c := range changes {
		if err := c.hurry(); err != nil {
			return nil, err
		}
		var err error
		if all, err = setINI(all, c); err != nil {
			return nil, err
		}
	}
	return []byte(strings.Join(all, "")), nil
}

func setINI(all []string, c *change) ([]string, error) {
	wanted, key := address(c.match)
	in, end, found := "", -1, false // end is where the section ends: after its last line that is not empty
	if wanted == "" {
		end = 0
	}
	for i, line := range all {
		content, lineEnd := cut(line)
		if m := section.FindStringSubmatch(content); m != nil {
			in = strings.TrimSpace(m[1])
		}
		if in != wanted {
			continue
		}
		if strings.TrimSpace(content) != "" {
			end = i + 1
		}
		m := setting.FindStringSubmatch(content)
		if m == nil || m[2] != key {
			continue
		}
		found = true
		value, ok, err := c.apply(unquote(m[4]))
		if err != nil {
			return nil, err
		}
		if ok {
			m[4] = requote(flat(value), m[4])
			all[i] = strings.Join(m[1:], "") + lineEnd
		}
	}
	if m := setting.FindStringSubmatch(key + "="); found || !c.unconditional() || m == nil || m[2] != key {
		return all, nil // it is there, or nothing that could be found again
	}
	if err := c.spend(len(c.value) + len(c.match)); err != nil {
		return nil, err
	}
	all = ended(all)
	newline := ending(all)
	line := key + "=" + flat(c.value) + newline
	if end < 0 {
		return append(all, "["+wanted+"]"+newline, line), nil
	}
	return slices.Insert(all, end, line), nil
}

// flat makes a value one that stays on its line.
func flat(value string) string { return strings.TrimSpace(oneLine.Replace(value)) }

// unquote and requote keep the quotes that a value stands in.
func unquote(value string) string {
	if quoted(value) {
		return value[1 : len(value)-1]
	}
	return value
}

func requote(value, old string) string {
	if quoted(old) && !quoted(value) {
		return `"` + value + `"`
	}
	return value
}

func quoted(value string) bool {
	return len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"'
}
