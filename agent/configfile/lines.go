package configfile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// lines splits a document after its line ends, which stay with their lines.
func lines(doc []byte) []string {
	all := strings.SplitAfter(string(doc), "\n")
	if all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

// ended gives the last line an end, so that another one can follow.
func ended(all []string) []string {
	if last := len(all) - 1; last >= 0 && !strings.HasSuffix(all[last], "\n") {
		all[last] += ending(all)
	}
	return all
}

// ending returns the line end of a document, which new lines get.
func ending(all []string) string {
	if len(all) > 0 && strings.HasSuffix(all[0], "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// cut splits a line from its end.
func cut(line string) (content, end string) {
	content = strings.TrimRight(line, "\r\n")
	return content, line[len(content):]
}

// oneLine makes a value one that stays on its line.
var oneLine = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\x00", "")

// rewriteLines replaces whole lines by what they begin with.
func rewriteLines(doc []byte, changes []*change) ([]byte, error) {
	all := lines(doc)
	for _, c := range changes {
		if err := c.hurry(); err != nil {
			return nil, err
		}
		for i, line := range all {
			content, end := cut(line)
			if !strings.HasPrefix(content, c.match) {
				continue
			}
			value, ok, err := c.apply(content)
			if err != nil {
				return nil, err
			}
			if ok {
				all[i] = value + end
			}
		}
	}
	return []byte(strings.Join(all, "")), nil
}

// property is a line of a properties file: space, a key with escapes, what separates it from the value, and the value.
var property = regexp.MustCompile(`(?s)^([ \t\f]*)((?:[^\\=: \t\f#!]|\\.)(?:[^\\=: \t\f]|\\.)*)([ \t\f]*[=:][ \t\f]*|[ \t\f]+|$)(.*)$`)

// rewriteProperties replaces the values of keys and adds the keys that are missing.
func rewriteProperties(doc []byte, changes []*change) ([]byte, error) {
	all := joined(lines(doc))
	keys := make([][]string, 0, len(all)) // what property finds in each line
	for _, line := range all {
		content, _ := cut(line)
		keys = append(keys, property.FindStringSubmatch(content))
	}
	for _, c := range changes {
		if err := c.hurry(); err != nil {
			return nil, err
		}
		found := false
		for i, parts := range keys {
			if parts == nil || unescape(parts[2]) != c.match {
				continue
			}
			found = true
			value, ok, err := c.apply(unescape(parts[4]))
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			if parts[3] == "" {
				parts[3] = "="
			}
			parts[4] = escape(value, false)
			_, end := cut(all[i])
			all[i] = strings.Join(parts[1:], "") + end
		}
		if !found && c.unconditional() {
			if err := c.spend(len(c.value)); err != nil {
				return nil, err
			}
			line := escape(c.match, true) + "=" + escape(c.value, false)
			all, keys = append(ended(all), line+ending(all)), append(keys, property.FindStringSubmatch(line))
		}
	}
	return []byte(strings.Join(all, "")), nil
}

// joined puts lines together of which one ends with the backslash that continues it.
func joined(all []string) []string {
	var out []string
	open := false
	for _, line := range all {
		content, end := cut(line)
		trimmed := strings.TrimLeft(content, " \t\f")
		comment := !open && (strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "!"))
		slashes := len(content) - len(strings.TrimRight(content, `\`))
		continued := !comment && slashes%2 == 1
		if open {
			last := len(out) - 1
			before, _ := cut(out[last])
			out[last] = strings.TrimSuffix(before, `\`) + trimmed + end
		} else {
			out = append(out, line)
		}
		open = continued
	}
	return out
}

// unescape reads a key or a value of a properties file.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	var units []uint16
	flush := func() {
		b.WriteString(string(utf16.Decode(units)))
		units = nil
	}
	for at := 0; at < len(s); at++ {
		if s[at] != '\\' || at+1 == len(s) {
			flush()
			b.WriteByte(s[at])
			continue
		}
		at++
		if s[at] == 'u' && at+4 < len(s) {
			if n, err := strconv.ParseUint(s[at+1:at+5], 16, 16); err == nil {
				units = append(units, uint16(n))
				at += 4
				continue
			}
		}
		flush()
		if plain := strings.IndexByte("tnrf", s[at]); plain >= 0 {
			b.WriteByte("\t\n\r\f"[plain])
		} else {
			b.WriteByte(s[at])
		}
	}
	flush()
	return b.String()
}

// escape writes a key or a value of a properties file; characters beyond ASCII are written as Java has always read them.
func escape(s string, key bool) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\f':
			b.WriteString(`\f`)
		case r == ' ' && (key || i == 0), key && strings.ContainsRune("=:", r), key && i == 0 && strings.ContainsRune("#!", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r > '~':
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04X`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
