package servers

import (
	"maps"
	"strings"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/placeholder"
)

// withGateway adds the placeholder that only the node can resolve.
func withGateway(environment map[string]string) map[string]string {
	env := maps.Clone(environment)
	env[placeholder.Gateway] = "{{" + placeholder.Gateway + "}}"
	return env
}

// Values lose what would mean something else than a value where they are put.
var (
	// A line of a text stays one line, and what stands in quotes stays in them, whatever a program takes for an escape.
	onLine   = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")
	inQuotes = strings.NewReplacer(`"`, "'", `\`, "/")
	// In what takes the place of a pattern's matches, a dollar refers to groups.
	inPattern = strings.NewReplacer("$", "$$")
)

// configFiles are the files that a server's node rewrites before each start, with every value in its place.
func configFiles(t document.Template, environment map[string]string) []*protocol.ConfigFile {
	environment = withGateway(environment)
	out := make([]*protocol.ConfigFile, 0, len(t.ConfigFiles))
	for _, f := range t.ConfigFiles {
		file := &protocol.ConfigFile{Path: f.Path, Parser: string(f.Parser)}
		for _, r := range f.Replace {
			values := environment
			if f.Parser == kind.ConfigParserFile {
				values = mapped(values, onLine)
			}
			if f.Parser == kind.ConfigParserFile && strings.Contains(r.Value, `"`) {
				values = mapped(values, inQuotes)
			}
			if strings.HasPrefix(r.If, "regex:") {
				values = mapped(values, inPattern)
			}
			file.Replace = append(file.Replace, &protocol.ConfigReplacement{Match: r.Match, If: r.If, Value: placeholder.Expand(r.Value, values)})
		}
		out = append(out, file)
	}
	return out
}

func mapped(values map[string]string, by *strings.Replacer) map[string]string {
	out := make(map[string]string, len(values))
	for key, value := range values {
		out[key] = by.Replace(value)
	}
	return out
}
