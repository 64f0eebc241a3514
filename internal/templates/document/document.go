package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/tree"
)

// Format is what the field format of a document says.
const Format = "catalyst-template/1"

// Template says how a kind of server is installed, started, recognised as ready and stopped. Empty parts take Defaults.
type Template struct {
	Format      string   `json:"format"`
	Name        string   `json:"name"`
	Slug        string   `json:"slug,omitempty"`
	Description string   `json:"description,omitempty"`
	Author      string   `json:"author,omitempty"`
	Tags        []string `json:"tags,omitempty"`

	// Images are those that a server may run in; DefaultImage is that of a server which names none.
	Images       []kind.TemplateImage `json:"images,omitempty"`
	DefaultImage string               `json:"defaultImage,omitempty"`
	// Architectures are the machines that the program runs on, as Go names them; any when empty.
	Architectures []string `json:"architectures,omitempty"`

	Startup   Startup                 `json:"startup"`
	Variables []kind.TemplateVariable `json:"variables,omitempty"`
	Install   *Install                `json:"install,omitempty"`
	Ready     Ready                   `json:"ready,omitzero"`
	Stop      Stop                    `json:"stop,omitzero"`
	// CrashPolicy is what happens after a crash, unless the server says otherwise.
	CrashPolicy kind.CrashPolicy `json:"crashPolicy,omitempty"`

	ConfigFiles []kind.ConfigFile `json:"configFiles,omitempty"`
	DeniedFiles []string          `json:"deniedFiles,omitempty"`
	Features    []string          `json:"features,omitempty"`
	// Ports is how many allocations a new server gets.
	Ports int `json:"ports,omitempty"`
	// Terminal is whether the program gets one.
	Terminal bool `json:"terminal,omitempty"`

	// Limits are what a new server is given, Minimum is what the program cannot do without.
	Limits  Limits              `json:"limits,omitzero"`
	Minimum kind.TemplateLimits `json:"minimum,omitzero"`
	Backup  kind.BackupHooks    `json:"backup,omitzero"`
}

// Startup is how the program is started: by a shell line, or as a program with arguments.
type Startup struct {
	Shell string   `json:"shell,omitempty"`
	Argv  []string `json:"argv,omitempty"`
	// Commands are other ways that people can choose.
	Commands []kind.TemplateCommand `json:"commands,omitempty"`
	// ImageEntrypoint has the image's own entrypoint run the shell line, which it finds in STARTUP, as images made for
	// other panels expect.
	ImageEntrypoint bool `json:"imageEntrypoint,omitempty"`
}

// Install is how a server's files come into being.
type Install struct {
	Image      string `json:"image"`
	Entrypoint string `json:"entrypoint,omitempty"`
	Script     string `json:"script"`
	// Timeout is seconds.
	Timeout int `json:"timeout,omitempty"`
	// Clear has installing again begin by removing the files that Keep does not name: patterns of path.Match, whose
	// directories stay with all that is in them.
	Clear bool     `json:"clear,omitempty"`
	Keep  []string `json:"keep,omitempty"`
}

// Ready is how a started program is recognised as ready.
type Ready struct {
	// Patterns (RE2) of which a console line must match one; ready at once without.
	Patterns []string `json:"patterns,omitempty"`
	// Timeout is the seconds within which it must be.
	Timeout int `json:"timeout,omitempty"`
}

// Stop is how the program is stopped: by a line to its console, or by a signal.
type Stop struct {
	Command string `json:"command,omitempty"`
	Signal  string `json:"signal,omitempty"`
	// Grace is the seconds that it has; nil takes the default, 0 gives none.
	Grace *int `json:"grace,omitempty"`
}

// Limits are resources of a new server. Memory, Swap and Disk are bytes, CPU is percent of one core; 0 is unlimited.
type Limits struct {
	Memory int64 `json:"memory,omitempty"`
	Swap   int64 `json:"swap,omitempty"`
	CPU    int   `json:"cpu,omitempty"`
	Disk   int64 `json:"disk,omitempty"`
}

// The defaults of what a document does not say.
const (
	DefaultInstallTimeout = 1800
	DefaultReadyTimeout   = 300
	DefaultGrace          = 30
	DefaultSignal         = "SIGTERM"
)

// New returns a template that says nothing yet, with the defaults of what need not be said.
func New() Template {
	t := Template{Format: Format}
	fill(&t)
	return t
}

// Is reports whether a text that was read is a document of this format.
func Is(n *tree.Node) bool { return strings.HasPrefix(n.Get("format").String(), "catalyst-template/") }

// Parse reads a document. The error of one that is wrong is a *FieldError where it is a field's.
func Parse(text []byte) (Template, error) {
	n, err := tree.Read(text)
	if err != nil {
		return Template{}, err
	}
	return FromTree(n)
}

// FromTree reads a document from what was read already.
func FromTree(n *tree.Node) (Template, error) {
	if n.Kind != tree.Map {
		return Template{}, errors.New("a template is a map of fields, such as name and startup")
	}
	switch format := n.Get("format").String(); format {
	case Format:
	case "":
		return Template{}, &FieldError{Field: "format", Problem: "is missing: write format: " + Format}
	default:
		return Template{}, &FieldError{Field: "format", Problem: fmt.Sprintf("is %q, which this version does not know: it knows %s", format, Format)}
	}
	text, err := json.Marshal(n)
	if err != nil {
		return Template{}, fmt.Errorf("read the template: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var t Template
	if err := d.Decode(&t); err != nil {
		return Template{}, shapeError(err)
	}
	fill(&t)
	return t, t.Validate()
}

// shapeError makes a decoder's error one that a template's author understands.
func shapeError(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &FieldError{Field: wrong.Field, Problem: fmt.Sprintf("must not be a %s", wrong.Value)}
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "json: unknown field "); ok {
		return &FieldError{Field: strings.Trim(name, `"`), Problem: "is no field of a template"}
	}
	return fmt.Errorf("read the template: %s", strings.TrimPrefix(text, "json: "))
}

// fill writes what is understood without being said.
func fill(t *Template) {
	if t.DefaultImage == "" && len(t.Images) > 0 {
		t.DefaultImage = t.Images[0].Image
	}
	for i := range t.Variables {
		v := &t.Variables[i]
		if v.Type == "" {
			v.Type = kind.VariableTypeString
		}
		if v.Name == "" {
			v.Name = v.Key
		}
	}
	if t.Stop.Command == "" && t.Stop.Signal == "" {
		t.Stop.Signal = DefaultSignal
	}
	if t.CrashPolicy == "" {
		t.CrashPolicy = kind.CrashPolicyOnFailure
	}
	if t.Ready.Timeout == 0 {
		t.Ready.Timeout = DefaultReadyTimeout
	}
	if t.Stop.Grace == nil {
		t.Stop.Grace = new(DefaultGrace)
	}
	if t.Install != nil && t.Install.Timeout == 0 {
		t.Install.Timeout = DefaultInstallTimeout
	}
}

// JSON writes a template.
func (t Template) JSON() ([]byte, error) {
	t.Format = Format
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the template: %w", err)
	}
	return append(text, '\n'), nil
}

// YAML writes a template with its fields in their order and texts of several lines as blocks.
func (t Template) YAML() ([]byte, error) {
	t.Format = Format
	text, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("write the template: %w", err)
	}
	n, err := tree.Read(text)
	if err != nil {
		return nil, fmt.Errorf("write the template: %w", err)
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n.YAML()); err != nil {
		return nil, fmt.Errorf("write the template: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("write the template: %w", err)
	}
	return b.Bytes(), nil
}

// Changes returns the fields in which two templates differ, in alphabetical order.
func Changes(a, b Template) []string {
	before, after := fields(a), fields(b)
	var changed []string
	for name := range after {
		if !bytes.Equal(before[name], after[name]) {
			changed = append(changed, name)
		}
	}
	for name := range before {
		if _, there := after[name]; !there {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

func fields(t Template) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	if text, err := json.Marshal(t); err == nil { // a template holds nothing that JSON does not know
		_ = json.Unmarshal(text, &all)
	}
	return all
}
