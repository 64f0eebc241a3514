package egg

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/placeholder"
	"github.com/catalyst-panel/catalyst/internal/templates/tree"
)

// Export writes a template as an egg of the format PTDL_v2, which Pterodactyl and Pelican import. Lost names the parts of
// the template that the format has no place for.
func Export(t document.Template, at time.Time) (text []byte, lost []string, err error) {
	stop := t.Stop.Command
	if stop == "" {
		stop = "^" + t.Stop.Signal
		if t.Stop.Signal == "SIGINT" {
			stop = "^C"
		}
	}
	files, err := inner(configFiles(t.ConfigFiles))
	if err != nil {
		return nil, nil, err
	}
	startup, err := inner(object("done", done(t.Ready.Patterns)))
	if err != nil {
		return nil, nil, err
	}
	install := document.Install{Image: "", Entrypoint: "bash"}
	if t.Install != nil {
		install = *t.Install
	}
	egg := object(
		"_comment", word("Exported by Catalyst."),
		"meta", object("version", word("PTDL_v2"), "update_url", &tree.Node{}),
		"exported_at", word(at.UTC().Format(time.RFC3339)),
		"name", word(t.Name), "author", word(t.Author), "description", word(t.Description),
		"features", words(t.Features), "docker_images", images(t), "file_denylist", words(t.DeniedFiles),
		"startup", word(shellLine(t.Startup)),
		"config", object("files", files, "startup", startup, "logs", word("{}"), "stop", word(stop)),
		"scripts", object("installation", object(
			"script", word(install.Script), "container", word(install.Image), "entrypoint", word(install.Entrypoint))),
		"variables", variables(t.Variables),
	)
	compact, err := json.Marshal(egg)
	if err != nil {
		return nil, nil, fmt.Errorf("write the egg: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "    "); err != nil {
		return nil, nil, fmt.Errorf("write the egg: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), losses(t), nil
}

// losses are the parts of a template that PTDL_v2 cannot hold.
func losses(t document.Template) []string {
	lost := []string{}
	for _, part := range []struct {
		name string
		lost bool
	}{
		{"slug", t.Slug != ""},
		{"tags", len(t.Tags) > 0},
		{"architectures", len(t.Architectures) > 0},
		{"startup.argv", len(t.Startup.Argv) > 0},
		{"startup.commands", len(t.Startup.Commands) > 0},
		{"variables.secret", slices.ContainsFunc(t.Variables, func(v kind.TemplateVariable) bool { return v.Secret })},
		{"install.clear", t.Install != nil && t.Install.Clear},
		{"install.timeout", t.Install != nil && t.Install.Timeout != document.DefaultInstallTimeout},
		{"ready.timeout", t.Ready.Timeout != document.DefaultReadyTimeout},
		{"stop.grace", t.Stop.Grace != nil && *t.Stop.Grace != document.DefaultGrace},
		{"crashPolicy", t.CrashPolicy != kind.CrashPolicyOnFailure},
		{"ports", t.Ports != 1},
		{"terminal", t.Terminal},
		{"limits", t.Limits != document.Limits{Memory: defaultMemory, CPU: defaultCPU, Disk: defaultDisk}},
		{"minimum", t.Minimum != kind.TemplateLimits{}},
		{"backup", len(t.Backup.Before)+len(t.Backup.After) > 0},
	} {
		if part.lost {
			lost = append(lost, part.name)
		}
	}
	return lost
}

func word(s string) *tree.Node { return &tree.Node{Kind: tree.Text, Scalar: s} }

func truthOf(b bool) *tree.Node {
	if b {
		return &tree.Node{Kind: tree.Bool, Scalar: "true"}
	}
	return &tree.Node{Kind: tree.Bool, Scalar: "false"}
}

func words(list []string) *tree.Node {
	n := &tree.Node{Kind: tree.List}
	for _, s := range list {
		n.Items = append(n.Items, word(s))
	}
	return n
}

// object makes a map of names and nodes in turn.
func object(pairs ...any) *tree.Node {
	n := &tree.Node{Kind: tree.Map}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		value, _ := pairs[i+1].(*tree.Node)
		n.Keys, n.Items = append(n.Keys, key), append(n.Items, value)
	}
	return n
}

// inner puts JSON into a text, as eggs have it.
func inner(n *tree.Node) (*tree.Node, error) {
	text, err := json.Marshal(n)
	if err != nil {
		return nil, fmt.Errorf("write the egg: %w", err)
	}
	return word(string(text)), nil
}

// images has the default one first.
func images(t document.Template) *tree.Node {
	n := &tree.Node{Kind: tree.Map}
	add := func(label, image string) {
		if !slices.Contains(n.Keys, label) {
			n.Keys, n.Items = append(n.Keys, label), append(n.Items, word(image))
		}
	}
	if i := slices.IndexFunc(t.Images, func(i kind.TemplateImage) bool { return i.Image == t.DefaultImage }); i >= 0 {
		add(t.Images[i].Label, t.DefaultImage)
	} else if t.DefaultImage != "" {
		add(t.DefaultImage, t.DefaultImage)
	}
	for _, i := range t.Images {
		if i.Image != t.DefaultImage {
			add(i.Label, i.Image)
		}
	}
	return n
}

// shellLine is the startup as a shell line; the arguments of a program are quoted where a shell would see more in them.
func shellLine(s document.Startup) string {
	if len(s.Argv) == 0 {
		return s.Shell
	}
	quoted := make([]string, len(s.Argv))
	for i, arg := range s.Argv {
		quoted[i] = quoteArg(arg)
	}
	return strings.Join(quoted, " ")
}

var plainArg = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

func quoteArg(arg string) string {
	switch {
	case plainArg.MatchString(arg):
		return arg
	case len(placeholder.Names(arg)) > 0: // in double quotes a placeholder is one word whatever its value
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`).Replace(arg) + `"`
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// done is what the console says when the program is ready: a text where the pattern is nothing else.
func done(patterns []string) *tree.Node {
	list := make([]string, len(patterns))
	for i, p := range patterns {
		list[i] = "regex:" + p
		if re, err := regexp.Compile(p); err == nil {
			if literal, whole := re.LiteralPrefix(); whole && literal != "" && regexp.QuoteMeta(literal) == p {
				list[i] = literal
			}
		}
	}
	if len(list) == 1 {
		return word(list[0])
	}
	return words(list)
}

// parserNames are what eggs call the parsers.
var parserNames = map[kind.ConfigParser]string{
	kind.ConfigParserProperties: "properties", kind.ConfigParserYAML: "yaml", kind.ConfigParserJSON: "json", kind.ConfigParserINI: "ini",
	kind.ConfigParserXML: "xml", kind.ConfigParserTOML: "toml", kind.ConfigParserFile: "file",
}

func configFiles(files []kind.ConfigFile) *tree.Node {
	n := &tree.Node{Kind: tree.Map}
	for _, f := range files {
		n.Keys = append(n.Keys, f.Path)
		n.Items = append(n.Items, object("parser", word(parserNames[f.Parser]), "find", find(f.Replace)))
	}
	return n
}

// find gathers the conditional replacements of a key under it, as eggs have them.
func find(replacements []kind.ConfigReplacement) *tree.Node {
	n := &tree.Node{Kind: tree.Map}
	for _, r := range replacements {
		at := slices.Index(n.Keys, r.Match)
		switch {
		case r.If == "" && at < 0:
			n.Keys, n.Items = append(n.Keys, r.Match), append(n.Items, word(r.Value))
		case r.If == "":
			n.Items[at] = word(r.Value) // the last one would win anyway
		case at < 0 || n.Items[at].Kind != tree.Map:
			n.Keys, n.Items = append(n.Keys, r.Match), append(n.Items, object(r.If, word(r.Value)))
		default:
			n.Items[at].Keys, n.Items[at].Items = append(n.Items[at].Keys, r.If), append(n.Items[at].Items, word(r.Value))
		}
	}
	return n
}

func variables(all []kind.TemplateVariable) *tree.Node {
	n := &tree.Node{Kind: tree.List}
	for _, v := range all {
		n.Items = append(n.Items, object(
			"name", word(v.Name), "description", word(v.Description), "env_variable", word(v.Key), "default_value", word(v.Default),
			"user_viewable", truthOf(v.UserViewable), "user_editable", truthOf(v.UserEditable),
			"rules", word(strings.Join(v.Rules, "|")), "field_type", word("text")))
	}
	return n
}
