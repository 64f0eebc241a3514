package egg_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/egg"
)

// update writes the golden files anew.
var update = flag.Bool("update", false, "write golden files")

// eggs are the real ones, by their file's name.
func eggs(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/eggs/*egg*.*")
	if err != nil || len(paths) != 12 {
		t.Fatalf("found %d eggs, %v", len(paths), err)
	}
	all := map[string][]byte{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(p), filepath.Ext(p))] = text
	}
	return all
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// TestImport compares what real eggs become with golden files, and makes sure that every field is known.
func TestImport(t *testing.T) {
	t.Parallel()
	for name, text := range eggs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmpl, report, err := egg.Import(text)
			if err != nil {
				t.Fatal(err)
			}
			if n := report.Count(egg.Unknown); n > 0 {
				t.Errorf("%d fields are unknown: %+v", n, report.Entries)
			}
			yaml, err := tmpl.YAML()
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			fmt.Fprintf(&b, "# %s\n", report.Format)
			for _, e := range report.Entries {
				if e.Outcome != egg.Understood {
					fmt.Fprintf(&b, "# %s: %s %s\n", e.Field, strings.ToLower(string(e.Outcome)), e.Message)
				}
			}
			b.Write(yaml)
			golden(t, "testdata/golden/"+name+".yaml", []byte(b.String()))
		})
	}
}

// TestExportIsReadBackTheSame writes each egg in our own format and as an egg, and reads both again.
func TestExportIsReadBackTheSame(t *testing.T) {
	t.Parallel()
	for name, text := range eggs(t) {
		tmpl, _, err := egg.Import(text)
		if err != nil {
			t.Fatal(err)
		}
		for format, write := range map[string]func() ([]byte, error){"YAML": tmpl.YAML, "JSON": tmpl.JSON} {
			own, err := write()
			if err != nil {
				t.Fatal(err)
			}
			again, err := document.Parse(own)
			if err != nil {
				t.Fatalf("%s: read our own %s: %v", name, format, err)
			}
			if diff := cmp.Diff(tmpl, again, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, %s (-written +read):\n%s", name, format, diff)
			}
		}
		exported, lost, err := egg.Export(tmpl, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		again, report, err := egg.Import(exported)
		if err != nil {
			t.Fatalf("%s: read our own egg: %v", name, err)
		}
		for _, e := range report.Entries {
			if e.Outcome == egg.Unknown || e.Outcome == egg.Approximated {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if diff := cmp.Diff(tmpl, again, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(document.Template{}, "Tags")); diff != "" {
			t.Errorf("%s as an egg (-written +read):\n%s", name, diff)
		}
		if len(lost) > 0 && (len(lost) > 1 || lost[0] != "tags") {
			t.Errorf("%s loses %v", name, lost)
		}
	}
}

// TestExportSaysWhatIsLost has everything in a template that an egg cannot hold.
func TestExportSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	text, lost, err := egg.Export(document.Template{
		Name: "x", Slug: "x", Tags: []string{"a"}, Architectures: []string{"arm64"},
		Startup:   document.Startup{Argv: []string{"game", "--name", "{{NAME}} $x", "it's", "-p{{P}}"}, Commands: []kind.TemplateCommand{{Name: "b", Shell: "b"}}},
		Variables: []kind.TemplateVariable{{Key: "A", Secret: true}}, Install: &document.Install{Timeout: 5}, Ready: document.Ready{Timeout: 5},
		Stop: document.Stop{Signal: "SIGINT", Grace: new(0)}, Terminal: true, Minimum: kind.TemplateLimits{CPU: 5}, Backup: kind.BackupHooks{Before: []string{"x"}},
	}, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"slug", "tags", "architectures", "startup.argv", "startup.commands", "variables.secret", "install.timeout", "ready.timeout",
		"stop.grace", "crashPolicy", "ports", "terminal", "limits", "minimum", "backup",
	}
	if diff := cmp.Diff(want, lost); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	var written struct{ Startup string }
	if err := json.Unmarshal(text, &written); err != nil || written.Startup != `game --name "{{NAME}} \$x" 'it'\''s' "-p{{P}}"` {
		t.Errorf("%q, %v", written.Startup, err)
	}
}

// TestVersions reads the forms that the versions give to the same things.
func TestVersions(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"PTDL_v1": `{"meta":{"version":"PTDL_v1"},"name":"G","author":"a@b.c","image":"quay.io/x/y:z","startup":"./g {{SERVER_PORT}}",
			"config":{"files":"{\"c.yml\":{\"parser\":\"yaml\",\"find\":{\"a.*.b\":{\"regex:^x(.*)$\":\"{{config.docker.interface}}$1\",\"y\":\"z\"},\"n\":5,\"t\":true}}}",
			"startup":"{\"done\":[\"Done (\",\"regex:^ok\\\\d$\"],\"userInteraction\":[]}","logs":"{\"custom\":false}","stop":"^C"},
			"scripts":{"installation":{"script":"echo hi\r\n","container":"alpine:3","entrypoint":"ash"}},
			"variables":[{"name":"V","description":"","env_variable":"V","default_value":"1","user_viewable":1,"user_editable":0,"rules":"required|integer|between:1,5"}]}`,
		"PLCN_v2": `
meta: {version: PLCN_v2}
name: G
author: a@b.c
docker_images: {"quay.io/x/y:z": "quay.io/x/y:z"}
startup: ./g {{SERVER_PORT}}
config:
  files:
    c.yml:
      parser: yaml
      find:
        a.*.b: {"regex:^x(.*)$": "{{config.docker.interface}}$1", y: z}
        n: 5
        t: true
  startup: {done: ["Done (", "regex:^ok\\d$"]}
  logs: []
  stop: ^C
scripts: {installation: {script: "echo hi\n", container: "alpine:3", entrypoint: ash}}
variables:
  - {name: V, description: "", env_variable: V, default_value: 1, user_viewable: true, user_editable: false, rules: [required, integer, "between:1,5"], sort: 1}
`,
	} {
		got, report, err := egg.Import([]byte(text))
		if err != nil || report.Count(egg.Unknown) > 0 {
			t.Errorf("%s: %v, %+v", name, err, report)
			continue
		}
		want := document.Template{
			Format: document.Format, Name: "G", Author: "a@b.c", Images: []kind.TemplateImage{{Label: "quay.io/x/y:z", Image: "quay.io/x/y:z"}},
			DefaultImage: "quay.io/x/y:z", Startup: document.Startup{Shell: "./g {{SERVER_PORT}}", ImageEntrypoint: true},
			Variables: []kind.TemplateVariable{{Name: "V", Key: "V", Type: kind.VariableTypeInteger, Default: "1", Rules: []string{"required", "integer", "between:1,5"}, UserViewable: true}},
			Install:   &document.Install{Image: "alpine:3", Entrypoint: "ash", Script: "echo hi\n", Timeout: 1800},
			Ready:     document.Ready{Patterns: []string{`Done \(`, `^ok\d$`}, Timeout: 300}, Stop: document.Stop{Signal: "SIGINT", Grace: new(30)},
			CrashPolicy: kind.CrashPolicyOnFailure, Ports: 1, Limits: document.Limits{Memory: 2 << 30, CPU: 200, Disk: 10 << 30},
			ConfigFiles: []kind.ConfigFile{{Path: "c.yml", Parser: kind.ConfigParserYAML, Replace: []kind.ConfigReplacement{
				{Match: "a.*.b", If: "regex:^x(.*)$", Value: "{{config.docker.interface}}$1"},
				{Match: "a.*.b", If: "y", Value: "z"},
				{Match: "n", Value: "5"},
				{Match: "t", Value: "true"},
			}}},
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestWhatCannotBeHadIsReported imports an egg of which much is foreign.
func TestWhatCannotBeHadIsReported(t *testing.T) {
	t.Parallel()
	_, report, err := egg.Import([]byte(`{"meta":{"version":"PTDL_v2","more":1},"name":"G","startup":"[[ {{N}} -eq 1 ]] && ./g {{config.token}}",
		"novelty":1,"features":["ok","in valid!"],"docker_images":{"a":"~local/image","b":"bad image"},"file_denylist":["a\nb"],
		"config":{"files":"{\"../x\":{\"parser\":\"yaml\",\"find\":{}},\"y\":{\"parser\":\"lua\",\"find\":{}},\"z\":{\"parser\":\"file\",\"find\":{\"a\":[1]}}}",
		"startup":"{\"done\":\"regex:(?=x)\"}","logs":"{\"custom\":true}","stop":"^W","extends":"other"},
		"variables":[{"env_variable":"LD_PRELOAD","user_editable":true,"rules":"string|required_with:A"},{"env_variable":"BAD KEY"},
		{"env_variable":"SERVER_PORT"},{"env_variable":"D","default_value":"toolong","rules":"max:3"},{"env_variable":"D"},{"env_variable":"N"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]egg.Outcome{}
	for _, e := range report.Entries {
		if e.Outcome != egg.Understood {
			got[e.Field] = e.Outcome
		}
	}
	want := map[string]egg.Outcome{
		"meta.more": egg.Unknown, "startup": egg.Approximated, "novelty": egg.Unknown, "features[1]": egg.Ignored,
		"docker_images[0]": egg.Approximated, "docker_images[1]": egg.Ignored, "file_denylist[0]": egg.Ignored,
		"config.files.../x": egg.Ignored, "config.files.y": egg.Ignored, "config.files.z.find.a": egg.Ignored, "config.startup.done": egg.Approximated,
		"config.logs": egg.Ignored, "config.stop": egg.Approximated, "config.extends": egg.Ignored, "variables[0].rules": egg.Approximated,
		"variables[0].user_editable": egg.Approximated, "variables[1]": egg.Ignored, "variables[2]": egg.Ignored,
		"variables[3].default_value": egg.Approximated, "variables[4]": egg.Ignored, "variables[5].rules": egg.Approximated,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"{}":                             "no egg",
		"[]":                             "no egg",
		`{"meta":{"version":"PTDL_v9"}}`: "PTDL_v9 is not known",
		`{"meta":{"version":"PTDL_v2"}}`: "name is missing",
		`{"meta":{"version":"PTDL_v2"},"name":"a"}`: "startup",
		"a: [": "YAML",
	} {
		if _, _, err := egg.Import([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// FuzzImport makes sure that no egg panics, and that what is imported is valid, and the same after an export.
func FuzzImport(f *testing.F) {
	for _, text := range eggs(f) {
		if len(text) < 8<<10 {
			f.Add(text)
		}
	}
	f.Add([]byte(`{"meta":{"version":"PTDL_v2"},"name":"a","startup":"b"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		tmpl, _, err := egg.Import(text)
		if err != nil {
			return
		}
		own, err := tmpl.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := document.Parse(own)
		if err != nil {
			t.Fatalf("read our own: %v\n%s", err, own)
		}
		if diff := cmp.Diff(tmpl, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
		if _, _, err := egg.Export(tmpl, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	})
}
