package egg

import (
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/rule"
	"github.com/catalyst-panel/catalyst/internal/templates/tree"
)

// config takes the section of that name, whose parts are maps or JSON within a text.
func (i *importer) config(n *tree.Node) {
	for at, key := range n.Keys {
		field, value := "config."+key, n.Items[at]
		switch key {
		case "files":
			i.files(field, i.inner(field, value))
		case "startup":
			i.ready(field, i.inner(field, value))
		case "stop":
			i.stop(field, value.String())
		case "logs":
			if i.inner(field, value).Empty() {
				i.report.ignored(field, "")
			} else {
				i.report.ignored(field, "The console is read from the program itself, not from a file.")
			}
		case "extends":
			i.extends(field, value)
		default:
			i.report.add(field, Unknown, "No version of the format has this field.")
		}
	}
}

func (i *importer) extends(field string, n *tree.Node) {
	if n.Empty() {
		i.report.ignored(field, "")
		return
	}
	i.report.ignored(field, "What the egg takes from another one is not in it: export it with everything.")
}

// inner reads JSON that stands within a text.
func (i *importer) inner(field string, n *tree.Node) *tree.Node {
	if n.Kind != tree.Text || strings.TrimSpace(n.Scalar) == "" {
		return n
	}
	inner, err := tree.Read([]byte(n.Scalar))
	if err != nil {
		i.report.ignored(field, "Cannot be read: %s.", err)
		return &tree.Node{}
	}
	return inner
}

// parsers are what eggs call them.
var parsers = map[string]kind.ConfigParser{
	"properties": kind.ConfigParserProperties, "yaml": kind.ConfigParserYAML, "yml": kind.ConfigParserYAML,
	"json": kind.ConfigParserJSON, "ini": kind.ConfigParserINI, "xml": kind.ConfigParserXML, "toml": kind.ConfigParserTOML,
	"file": kind.ConfigParserFile,
}

func (i *importer) files(field string, n *tree.Node) {
	if n.Kind == tree.Map {
		for at, name := range n.Keys {
			i.file(field+"."+rule.Printable(name), name, n.Items[at])
		}
	}
	i.report.understood(field)
}

func (i *importer) file(field, name string, n *tree.Node) {
	// Paths of old eggs begin at the server's directory with a slash.
	f := kind.ConfigFile{Path: path.Clean(strings.TrimLeft(strings.TrimSpace(name), "/"))}
	for at, key := range n.Keys {
		value := n.Items[at]
		switch key {
		case "parser":
			f.Parser = parsers[strings.ToLower(value.String())]
			i.report.understood(field + ".parser")
		case "find":
			f.Replace = i.find(field+".find", value)
			i.report.understood(field + ".find")
		case "create_file":
			i.report.ignored(field+".create_file", "A file that is missing is made, unless its parser is file or xml.")
		default:
			i.report.add(field+"."+key, Unknown, "No version of the format has this field.")
		}
	}
	if f.Parser == "" {
		i.report.ignored(field, "The parser %q is not known.", rule.Printable(n.Get("parser").String()))
		return
	}
	if problem := problemOf(document.CheckConfigFile("", f)); problem != "" {
		i.report.ignored(field, "The file is left out: %s.", problem)
		return
	}
	if slices.ContainsFunc(i.template.ConfigFiles, func(other kind.ConfigFile) bool { return other.Path == f.Path }) {
		i.report.ignored(field, "The file stands there twice.")
		return
	}
	i.template.ConfigFiles = append(i.template.ConfigFiles, f)
}

func problemOf(err error) string {
	if err == nil {
		return ""
	}
	if wrong, ok := errors.AsType[*document.FieldError](err); ok {
		return strings.TrimPrefix(wrong.Field+" "+wrong.Problem, ".")
	}
	return err.Error()
}

// find reads the replacements: a value for a key, or for a key several values, each of which replaces another one.
func (i *importer) find(field string, n *tree.Node) []kind.ConfigReplacement {
	var out []kind.ConfigReplacement
	for at, match := range n.Keys {
		value := n.Items[at]
		if value.Kind == tree.Map {
			for at, old := range value.Keys {
				out = i.replacement(out, field, kind.ConfigReplacement{Match: match, If: old, Value: clean(value.Items[at].String())})
			}
			continue
		}
		if value.Kind == tree.List {
			i.report.ignored(field+"."+rule.Printable(match), "A list cannot be written.")
			continue
		}
		out = i.replacement(out, field, kind.ConfigReplacement{Match: match, Value: clean(value.String())})
	}
	return out
}

func (i *importer) replacement(out []kind.ConfigReplacement, field string, r kind.ConfigReplacement) []kind.ConfigReplacement {
	field += "." + rule.Printable(r.Match)
	i.placeholders(field, r.Value)
	if problem := problemOf(document.CheckReplacement("", r)); problem != "" {
		i.report.ignored(field, "The replacement is left out: %s.", problem)
		return out
	}
	return append(out, r)
}

// ready reads how a started program is recognised: a text of the console or several, or patterns after "regex:".
func (i *importer) ready(field string, n *tree.Node) {
	if n.Kind != tree.Map {
		i.report.understood(field)
		return
	}
	for at, key := range n.Keys {
		field, value := field+"."+key, n.Items[at]
		switch key {
		case "done":
			for _, item := range listOrOne(value) {
				i.pattern(field, item.String())
			}
			i.report.understood(field)
		case "strip_ansi":
			i.report.ignored(field, "Colours are always passed over when a pattern is looked for.")
		case "userInteraction", "user_interaction":
			i.report.ignored(field, "What a program asks for is answered by the features of its template.")
		default:
			i.report.add(field, Unknown, "No version of the format has this field.")
		}
	}
}

func listOrOne(n *tree.Node) []*tree.Node {
	if n.Kind == tree.List || n.Kind == tree.Map {
		return n.Items
	}
	return []*tree.Node{n}
}

func (i *importer) pattern(field, done string) {
	pattern, isPattern := strings.CutPrefix(done, "regex:")
	if !isPattern {
		pattern = regexp.QuoteMeta(strings.TrimRight(done, "\r\n"))
	}
	if done == "" {
		return
	}
	re, err := rule.Pattern(pattern)
	if !isPattern {
		re, err = regexp.Compile(pattern)
	}
	if err != nil || len(re.String()) > 1024 {
		i.report.approximated(field, "A pattern is left out, since it is not RE2 or longer than 1,024 bytes.")
		return
	}
	i.template.Ready.Patterns = append(i.template.Ready.Patterns, re.String())
}

// signals are what eggs write after ^ to stop a server by a signal.
var signals = map[string]string{
	"C": "SIGINT", "SIGINT": "SIGINT", "INT": "SIGINT", "SIGTERM": "SIGTERM", "TERM": "SIGTERM", "SIGABRT": "SIGABRT", "\\": "SIGQUIT",
	"SIGQUIT": "SIGQUIT", "SIGKILL": "SIGKILL", "KILL": "SIGKILL",
}

func (i *importer) stop(field, stop string) {
	stop = strings.TrimSpace(clean(stop))
	name, isSignal := strings.CutPrefix(stop, "^")
	switch {
	case isSignal && signals[strings.ToUpper(name)] != "":
		i.template.Stop.Signal = signals[strings.ToUpper(name)]
	case isSignal:
		i.template.Stop.Signal = document.DefaultSignal
		i.report.approximated(field, "The signal %q is not known: %s is sent.", rule.Printable(name), document.DefaultSignal)
		return
	case strings.ContainsAny(stop, "\n\x1b") || len(stop) > 1024:
		i.template.Stop.Signal = document.DefaultSignal
		i.report.approximated(field, "A stop command must be one line of up to 1,024 bytes: %s is sent.", document.DefaultSignal)
		return
	default:
		i.template.Stop.Command = stop
	}
	i.report.understood(field)
}
