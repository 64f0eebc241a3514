package document_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
)

const schemaPath = "../../../docs/template.schema.json"

// full is a template with everything in it.
const full = `
format: catalyst-template/1
name: Game
slug: game
description: |
  Two
  lines.
author: me
tags: [shooter]
images:
  - {label: Stable, image: "example.com/game:1"}
  - {label: Edge, image: "example.com/game:2"}
defaultImage: example.com/game:1
architectures: [amd64]
startup:
  shell: ./game --port {{SERVER_PORT}}
  commands:
    - {name: Debug, shell: ./game --debug}
  imageEntrypoint: true
variables:
  - name: Name
    key: NAME
    description: What players see.
    type: STRING
    default: "yes"
    rules: [required, "max:20"]
    userViewable: true
    userEditable: true
    secret: true
install: {image: "alpine:3", entrypoint: sh, script: "echo hi\n", timeout: 60}
ready: {patterns: ["^done$"], timeout: 10}
stop: {command: stop, signal: SIGINT, grace: 0}
crashPolicy: ALWAYS
configFiles:
  - path: a/b.yml
    parser: YAML
    replace: [{match: "a.*.b", if: "regex:^x", value: "{{SERVER_PORT}}"}]
deniedFiles: ["*.sh"]
features: [eula]
ports: 2
terminal: true
limits: {memory: 1, swap: 2, cpu: 3, disk: 4}
minimum: {memory: 1, cpu: 2, disk: 3}
backup: {before: [save-off], after: [save-on]}
`

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	read, err := document.Parse([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func() ([]byte, error){"YAML": read.YAML, "JSON": read.JSON} {
		text, err := write()
		if err != nil {
			t.Fatal(err)
		}
		again, err := document.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if diff := cmp.Diff(read, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-written +read):\n%s", name, diff)
		}
	}
	v := reflect.ValueOf(read)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the example lacks %s", v.Type().Field(i).Name)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got, err := document.Parse([]byte("format: catalyst-template/1\nname: x\nstartup: {argv: [a]}\nimages: [{image: b}]\nvariables: [{key: K}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := document.Template{
		Format: document.Format, Name: "x", Startup: document.Startup{Argv: []string{"a"}}, Images: []kind.TemplateImage{{Image: "b"}},
		DefaultImage: "b", Variables: []kind.TemplateVariable{{Name: "K", Key: "K", Type: kind.VariableTypeString}},
		Ready: document.Ready{Timeout: 300}, Stop: document.Stop{Signal: "SIGTERM", Grace: new(30)}, CrashPolicy: kind.CrashPolicyOnFailure,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// edited returns the full example with one field replaced.
func edited(t *testing.T, path string, value any) []byte {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(full), &doc); err != nil {
		t.Fatal(err)
	}
	at, keys := doc, strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		at = at[key].(map[string]any)
	}
	at[keys[len(keys)-1]] = value
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRefuses names for each field something that it must not hold. What the schema can express it refuses, too.
func TestRefuses(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	type m = map[string]any
	variable := func(with m) []any {
		v := m{"key": "K", "type": "STRING"}
		maps.Copy(v, with)
		return []any{v}
	}
	file := func(with m) []any {
		f := m{"path": "a", "parser": "YAML", "replace": []any{}}
		maps.Copy(f, with)
		return []any{f}
	}
	long := strings.Repeat("a", 300<<10)
	for _, tt := range []struct {
		path  string
		value any
		field string
		// beyond is whether the schema cannot know.
		beyond bool
	}{
		{"format", "catalyst-template/2", "format", false},
		{"format", "", "format", false},
		{"name", " ", "name", true},
		{"name", "a\nb", "name", true},
		{"name", 5, "name", false},
		{"novelty", 5, "novelty", false},
		{"slug", "No Slug", "slug", false},
		{"description", long, "description", false},
		{"tags", []any{"a\nb"}, "tags[0]", false},
		{"images", []any{m{"label": "x"}}, "images[0].image", false},
		{"images", []any{m{"image": "a b"}}, "images[0].image", false},
		{"architectures", []any{"vax"}, "architectures", false},
		{"startup", m{}, "startup", false},
		{"startup.shell", long, "startup.shell", false},
		{"startup.argv", []any{"a"}, "startup.argv", true},
		{"startup.commands", []any{m{"name": "x", "shell": "y"}, m{"name": "x", "shell": "y"}}, "startup.commands[1].name", true},
		{"startup.commands", []any{m{"name": "x"}}, "startup.commands[0]", false},
		{"variables", variable(m{"key": "A B"}), "variables[0].key", false},
		{"variables", variable(m{"key": "SERVER_PORT"}), "variables[0].key", true},
		{"variables", variable(m{"key": "CATALYST_X"}), "variables[0].key", true},
		{"variables", variable(m{"key": "LD_PRELOAD", "userEditable": true}), "variables[0].userEditable", true},
		{"variables", variable(m{"type": "TEXT"}), "variables[0].type", false},
		{"variables", variable(m{"type": "ENUM"}), "variables[0].rules", true},
		{"variables", variable(m{"rules": []any{"strong"}}), "variables[0].rules", true},
		{"variables", variable(m{"rules": []any{"max:1"}, "default": "ab"}), "variables[0].default", true},
		{"variables", append(variable(nil), variable(nil)...), "variables[1].key", true},
		{"install.script", " ", "install.script", true},
		{"install.image", "", "install.image", true},
		{"install.timeout", -1, "install.timeout", false},
		{"ready.patterns", []any{"(?=x)"}, "ready.patterns[0]", true},
		{"ready.patterns", []any{strings.Repeat("a", 2000)}, "ready.patterns[0]", false},
		{"ready.timeout", 100_000, "ready.timeout", false},
		{"stop.command", "a\nb", "stop.command", false},
		{"stop.signal", "SIGSEGV", "stop.signal", false},
		{"stop.grace", -1, "stop.grace", false},
		{"crashPolicy", "MAYBE", "crashPolicy", false},
		{"configFiles", file(m{"path": "../x"}), "configFiles[0].path", true},
		{"configFiles", file(m{"path": "/x"}), "configFiles[0].path", true},
		{"configFiles", file(m{"path": "a/../.."}), "configFiles[0].path", true},
		{"configFiles", file(m{"path": "."}), "configFiles[0].path", true},
		{"configFiles", file(m{"parser": "LUA"}), "configFiles[0].parser", false},
		{"configFiles", append(file(nil), file(m{"path": "./a"})...), "configFiles[1].path", true},
		{"configFiles", file(m{"replace": []any{m{"match": "", "value": ""}}}), "configFiles[0].replace[0].match", false},
		{"configFiles", file(m{"replace": []any{m{"match": "a", "value": "", "if": "regex:("}}}), "configFiles[0].replace[0].if", true},
		{"deniedFiles", []any{"a\nb"}, "deniedFiles[0]", false},
		{"features", []any{""}, "features[0]", false},
		{"ports", 65, "ports", false},
		{"limits.memory", -1, "limits.memory", false},
		{"minimum.cpu", -1, "minimum.cpu", false},
		{"backup.before", []any{"a\nb"}, "backup.before[0]", false},
	} {
		text := edited(t, tt.path, tt.value)
		_, err := document.Parse(text)
		if wrong, ok := errors.AsType[*document.FieldError](err); !ok || wrong.Field != tt.field {
			t.Errorf("%s = %.40v: %v, want the field %s", tt.path, tt.value, err, tt.field)
		}
		if refused := conforms(t, schema, text) != nil; refused == tt.beyond {
			t.Errorf("%s = %.40v: the schema refuses: %v", tt.path, tt.value, refused)
		}
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("template.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("template.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func conforms(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(doc)
}

// TestSchema makes sure that the published schema takes what is exported, and knows exactly the fields that there are.
func TestSchema(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	texts := [][]byte{[]byte(full)}
	golden, err := filepath.Glob("../egg/testdata/golden/*.yaml")
	if err != nil || len(golden) != 12 {
		t.Fatalf("%d golden files, %v", len(golden), err)
	}
	for _, p := range golden {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	for i, text := range texts {
		tmpl, err := document.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		written, err := tmpl.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := conforms(t, schema, written); err != nil {
			t.Errorf("text %d: %v", i, err)
		}
	}
	same(t, "", schema, reflect.TypeFor[document.Template]())
}

// same compares the properties of a schema with the fields of a struct.
func same(t *testing.T, at string, s *jsonschema.Schema, of reflect.Type) {
	t.Helper()
	for s.Ref != nil {
		s = s.Ref
	}
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		if of.Kind() == reflect.Slice {
			s = s.Items2020
			if s == nil {
				t.Errorf("%s says nothing of its elements", at)
				return
			}
		}
		of = of.Elem()
		for s.Ref != nil {
			s = s.Ref
		}
	}
	if of.Kind() != reflect.Struct {
		return
	}
	var names []string
	for f := range of.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
		property := s.Properties[name]
		if property == nil {
			t.Errorf("the schema lacks %s.%s", at, name)
			continue
		}
		same(t, at+"."+name, property, f.Type)
	}
	for name := range s.Properties {
		if !slices.Contains(names, name) {
			t.Errorf("the schema has %s.%s, which is no field", at, name)
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	a, err := document.Parse([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	b := a
	b.Name, b.Stop.Grace, b.Backup = "Other", new(5), kind.BackupHooks{}
	if diff := cmp.Diff([]string{"backup", "name", "stop"}, document.Changes(a, b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzParse makes sure that no text panics, and that what is read is the same after it was written.
func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"format":"catalyst-template/1","name":"a","startup":{"shell":"b"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := document.Parse(text)
		if err != nil {
			return
		}
		written, err := read.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := document.Parse(written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if diff := cmp.Diff(read, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	})
}
