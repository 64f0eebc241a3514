package sftp

import (
	"fmt"
	"strings"
)

// named is how many files a summary names of each kind.
const named = 3

// phrases say what was done, in this order.
var phrases = []struct {
	kind Kind
	text string
}{
	{Write, "wrote"}, {Mkdir, "made"}, {Rename, "renamed"}, {Delete, "deleted"}, {Symlink, "linked"}, {Link, "linked"}, {Chmod, "changed the mode of"},
}

// summary is one line that tells people what was changed.
func summary(deeds []Deed, more uint64) string {
	var parts []string
	for _, p := range phrases {
		var names []string
		count, bytes := 0, int64(0)
		for _, d := range deeds {
			if d.Kind != p.kind {
				continue
			}
			count++
			bytes += d.Bytes
			if len(names) < named {
				names = append(names, name(d))
			}
		}
		if count == 0 {
			continue
		}
		text := p.text + " " + strings.Join(names, ", ")
		if count > len(names) {
			text += fmt.Sprintf(" and %d more", count-len(names))
		}
		if bytes > 0 {
			text += fmt.Sprintf(" (%d bytes)", bytes)
		}
		parts = append(parts, text)
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("and changed %d more", more))
	}
	if len(parts) == 0 {
		return "changed times of files"
	}
	return strings.Join(parts, "; ")
}

func name(d Deed) string {
	text := shown(d.Path)
	if d.To != "" {
		text += " → " + shown(d.To)
	}
	return text
}

// shown is a name that cannot disturb a line.
func shown(path string) string { return fmt.Sprintf("%q", path) }
