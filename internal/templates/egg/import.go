package egg

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/placeholder"
	"github.com/catalyst-panel/catalyst/internal/templates/rule"
	"github.com/catalyst-panel/catalyst/internal/templates/tree"
)

// versions are the formats that are read.
var versions = []string{"PTDL_v1", "PTDL_v2", "PLCN_v1", "PLCN_v2", "PLCN_v3"}

// The limits of new servers whose egg names none, as none does: without them a server would be given a whole node.
const (
	defaultMemory = 2 << 30
	defaultDisk   = 10 << 30
	defaultCPU    = 200
)

// Is reports whether a text that was read is an egg.
func Is(n *tree.Node) bool {
	version := n.Path("meta", "version").String()
	return strings.HasPrefix(version, "PTDL_") || strings.HasPrefix(version, "PLCN_")
}

// Import reads an egg, JSON or YAML.
func Import(text []byte) (document.Template, Report, error) {
	n, err := tree.Read(text)
	if err != nil {
		return document.Template{}, Report{}, err
	}
	return FromTree(n)
}

// FromTree reads an egg from what was read already.
func FromTree(n *tree.Node) (document.Template, Report, error) {
	version := n.Path("meta", "version").String()
	if !Is(n) {
		return document.Template{}, Report{}, errors.New("this is no egg: its meta.version is none that begins with PTDL_ or PLCN_")
	}
	if !slices.Contains(versions, version) {
		return document.Template{}, Report{}, fmt.Errorf("the format %s is not known: %s are", rule.Printable(version), strings.Join(versions, ", "))
	}
	i := importer{report: Report{Format: version}, fields: map[string]string{}}
	i.template.Format = document.Format
	for at, key := range n.Keys {
		i.field(key, n.Items[at])
	}
	i.finish()
	if err := i.template.Validate(); err != nil {
		return document.Template{}, i.report, fmt.Errorf("the egg cannot be used: %w", err)
	}
	return i.template, i.report, nil
}

// importer fills a template in and says what it does.
type importer struct {
	template document.Template
	report   Report
	// fields are where the variables stand in the egg.
	fields map[string]string
}

// field takes one field of the egg.
func (i *importer) field(key string, n *tree.Node) {
	t := &i.template
	switch key {
	case "meta":
		i.meta(n)
	case "name":
		t.Name = i.line(key, n, 128)
	case "author":
		t.Author = i.line(key, n, 255)
	case "description":
		t.Description = i.text(key, n, 8<<10)
	case "tags":
		t.Tags = i.words(key, n)
	case "features":
		t.Features = i.words(key, n)
	case "docker_images", "images":
		i.images(key, n)
	case "file_denylist":
		i.denied(n)
	case "startup":
		i.startup(key, n)
	case "startup_commands":
		i.commands(n)
	case "config":
		i.config(n)
	case "scripts":
		i.scripts(n)
	case "variables":
		i.variables(n)
	case "image", "icon":
		i.picture(key, n)
	case "_comment", "exported_at", "uuid":
		i.report.ignored(key, "Says where the egg comes from, not what it does.")
	default:
		i.report.add(key, Unknown, "No version of the format has this field.")
	}
}

func (i *importer) meta(n *tree.Node) {
	for at, key := range n.Keys {
		switch {
		case key == "version":
			i.report.understood("meta.version")
		case key != "update_url":
			i.report.add("meta."+key, Unknown, "No version of the format has this field.")
		case n.Items[at].Empty():
			i.report.ignored("meta.update_url", "")
		default:
			i.report.ignored("meta.update_url", "Templates change when you change them: import the egg again to get a newer one.")
		}
	}
}

// picture is an icon, but in the first version the one image that servers run in.
func (i *importer) picture(key string, n *tree.Node) {
	switch {
	case key == "image" && n.Kind == tree.Text && n.Scalar != "" && !strings.HasPrefix(n.Scalar, "data:") && !strings.Contains(n.Scalar, "://"):
		i.image(key, "", n.Scalar)
		i.report.understood(key)
	case n.Empty():
		i.report.ignored(key, "")
	default:
		i.report.ignored(key, "Templates have no picture.")
	}
}

// clean leaves of a text what can be stored: line feeds as they are here, and no NUL.
func clean(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\x00", "")
}

func (i *importer) text(field string, n *tree.Node, limit int) string {
	s, cut := shorten(clean(n.String()), limit)
	if cut {
		i.report.approximated(field, "Was longer than %d bytes and is cut.", limit)
	} else {
		i.report.understood(field)
	}
	return s
}

// line is a text on one line.
func (i *importer) line(field string, n *tree.Node, limit int) string {
	return strings.Join(strings.FieldsFunc(i.text(field, n, limit), func(r rune) bool { return r < ' ' }), " ")
}

func shorten(s string, limit int) (string, bool) {
	if len(s) <= limit {
		return s, false
	}
	return strings.ToValidUTF8(s[:limit], ""), true
}

// words are the texts of a list; eggs write an empty one as a map, too.
func (i *importer) words(field string, n *tree.Node) []string {
	var out []string
	for at, item := range n.ListItems() {
		w := strings.TrimSpace(item.String())
		if !document.Word(w) {
			i.report.ignored(fmt.Sprintf("%s[%d]", field, at), "Is no word of up to 64 letters and digits.")
			continue
		}
		out = append(out, w)
	}
	i.report.understood(field)
	return out
}

func (i *importer) image(field, label, image string) {
	image = strings.TrimSpace(image)
	if local, ok := strings.CutPrefix(image, "~"); ok {
		i.report.approximated(field, "The image %s is pulled like any other; the ~ that forbade that has no meaning here.", rule.Printable(local))
		image = local
	}
	if image == "" || !document.ImageReference(image) {
		i.report.ignored(field, "Is no reference of an image.")
		return
	}
	if label == "" {
		label = image
	}
	label, _ = shorten(label, 128)
	i.template.Images = append(i.template.Images, kind.TemplateImage{Label: label, Image: image})
	if i.template.DefaultImage == "" {
		i.template.DefaultImage = image
	}
}

func (i *importer) images(field string, n *tree.Node) {
	for at, item := range n.Items {
		label := ""
		if n.Kind == tree.Map {
			label = n.Keys[at]
		}
		i.image(fmt.Sprintf("%s[%d]", field, at), label, item.String())
	}
	i.report.understood(field)
}

func (i *importer) denied(n *tree.Node) {
	for at, item := range n.ListItems() {
		p := strings.TrimSpace(item.String())
		if p == "" || len(p) > 1024 || strings.ContainsAny(p, "\r\n\x00\x1b") {
			i.report.ignored(fmt.Sprintf("file_denylist[%d]", at), "Is no pattern of a file's path.")
			continue
		}
		i.template.DeniedFiles = append(i.template.DeniedFiles, p)
	}
	i.report.understood("file_denylist")
}

func (i *importer) startup(field string, n *tree.Node) {
	i.template.Startup.Shell = clean(n.String())
	i.placeholders(field, i.template.Startup.Shell)
	i.report.understood(field)
}

// commands are several named startups, of which the first is the usual one.
func (i *importer) commands(n *tree.Node) {
	for at, item := range n.ListItems() {
		field, name := fmt.Sprintf("startup_commands[%d]", at), fmt.Sprintf("Command %d", at+1)
		if n.Kind == tree.Map && strings.TrimSpace(n.Keys[at]) != "" {
			name, _ = shorten(n.Keys[at], 128)
			field = "startup_commands." + rule.Printable(name)
		}
		shell := clean(item.String())
		i.placeholders(field, shell)
		if at == 0 {
			i.template.Startup.Shell = shell
			continue
		}
		i.template.Startup.Commands = append(i.template.Startup.Commands, kind.TemplateCommand{Name: name, Shell: shell})
	}
	i.report.understood("startup_commands")
}

// placeholders reports those that nothing stands behind.
func (i *importer) placeholders(field, text string) {
	for _, name := range placeholder.Names(text) {
		if _, ok := placeholder.Key(name); !ok {
			i.report.approximated(field, "The placeholder %s is not known and becomes empty.", rule.Printable(name))
		}
	}
}

func (i *importer) scripts(n *tree.Node) {
	install := document.Install{Timeout: document.DefaultInstallTimeout}
	for at, key := range n.Keys {
		if key != "installation" {
			i.report.add("scripts."+key, Unknown, "No version of the format has this field.")
			continue
		}
		section := n.Items[at]
		for at, key := range section.Keys {
			field, value := "scripts.installation."+key, section.Items[at]
			switch key {
			case "script":
				install.Script = i.text(field, value, 256<<10)
			case "container":
				install.Image = strings.TrimSpace(value.String())
				i.report.understood(field)
			case "entrypoint":
				install.Entrypoint = i.line(field, value, 255)
			default:
				i.report.add(field, Unknown, "No version of the format has this field.")
			}
		}
	}
	switch {
	case strings.TrimSpace(install.Script) == "":
	case !document.ImageReference(install.Image):
		i.report.ignored("scripts.installation.container", "Is no reference of an image: nothing is installed.")
	default:
		i.template.Install = &install
	}
}

// finish writes what every server of these panels has, whatever its egg says.
func (i *importer) finish() {
	t := &i.template
	t.Startup.ImageEntrypoint = true
	t.Ports = 1
	t.CrashPolicy = kind.CrashPolicyOnFailure
	t.Limits = document.Limits{Memory: defaultMemory, CPU: defaultCPU, Disk: defaultDisk}
	t.Ready.Timeout = document.DefaultReadyTimeout
	if t.Stop.Grace == nil {
		t.Stop.Grace = new(document.DefaultGrace)
	}
	if t.Stop.Command == "" && t.Stop.Signal == "" {
		t.Stop.Signal = document.DefaultSignal
	}
	i.calculated()
}

// calculated reports the variables that the startup calculates with, which narrows what they may hold.
func (i *importer) calculated() {
	keys := placeholder.Arithmetic(i.template.Startup.Shell)
	for _, v := range i.template.Variables {
		if v.Type == kind.VariableTypeString && slices.Contains(keys, v.Key) {
			i.report.approximated(i.fields[v.Key]+".rules", "The startup calculates with %s: a value may hold letters, digits, dots and dashes only.", v.Key)
		}
	}
}
