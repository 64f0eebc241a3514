package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// TestTemplateValidate says of a file whether it can be imported, and what of it would be different.
func TestTemplateValidate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	eggs, err := filepath.Glob(filepath.Join(root, "internal/templates/egg/testdata/eggs/*.json"))
	if err != nil || len(eggs) == 0 {
		t.Fatal(eggs, err)
	}
	for name, tt := range map[string]struct {
		file string
		code int
		says string
	}{
		"own format": {write("good.yaml", "format: catalyst-template/1\nname: Game\nstartup: {shell: run}\n"), 0, `"Game", catalyst-template/1, 0 variables`},
		"an egg":     {eggs[0], 0, "_v"},
		"a pattern that is none": {
			write("bad.yaml", "format: catalyst-template/1\nname: Game\nstartup: {shell: run}\nready: {patterns: [\"(\"]}\n"), 1, "ready.patterns[0] is no regular expression",
		},
		"no template": {write("list.yaml", "- 1\n"), 1, "no template that can be imported"},
		"no file":     {filepath.Join(dir, "nothing"), 1, "no such file"},
	} {
		p := harness.Spawn(t, harness.Options{Args: []string{"template", "validate", tt.file}, Dir: dir})
		if code := p.Wait(soon); code != tt.code || !strings.Contains(p.Output(), tt.says) {
			t.Errorf("%s: ended with %d and said %s", name, code, p.Output())
		}
	}
}
