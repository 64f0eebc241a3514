package supervisor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

func configFile(path, parser, match, value string) *protocol.ConfigFile {
	return &protocol.ConfigFile{Path: path, Parser: parser, Replace: []*protocol.ConfigReplacement{{Match: match, Value: value}}}
}

// TestConfigFiles rewrites files before each start, tells of one that cannot be read, and starts all the same.
func TestConfigFiles(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(protocol.Power_POWER_STOP, 0)
		root := filepath.Join(w.dir, w.id, "files")
		for name, text := range map[string]string{"a.properties": "# kept\nport=1\n", "broken.json": "{", "x.txt": "name old\n"} {
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
				w.t.Fatal(err)
			}
		}
		if err := os.Symlink("/etc/passwd", filepath.Join(root, "link")); err != nil {
			w.t.Fatal(err)
		}
		spec := specOf(w.id)
		spec.Argv = []string{"game", "--node", "{{CATALYST_GATEWAY}}"}
		spec.ConfigFiles = []*protocol.ConfigFile{
			configFile("a.properties", "PROPERTIES", "port", "2"), configFile("broken.json", "JSON", "a", "1"),
			configFile("x.txt", "FILE", "name ", "name new {{CATALYST_GATEWAY}}"), configFile("deep/made.yml", "YAML", "a.b", "1"),
			configFile("absent.cfg", "FILE", "a", "b"), configFile("link", "FILE", "root", "evil"),
		}
		w.applySpec(spec, protocol.Power_POWER_RUN, 1)
		w.expect(kind.ServerStateRunning)
		for name, want := range map[string]string{
			"a.properties": "# kept\nport=2\n", "broken.json": "{", "x.txt": "name new 127.0.0.1\n", "deep/made.yml": "a:\n  b: 1\n",
		} {
			if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != want {
				w.t.Errorf("%s holds %q, %v", name, got, err)
			}
		}
		if _, err := os.Lstat(filepath.Join(root, "absent.cfg")); err == nil {
			w.t.Error("a file of lines was made")
		}
		all := strings.Join(w.lines(), "\n")
		for _, want := range []string{"broken.json is left as it is: it is no JSON.", "link is left as it is: it is not a regular file."} {
			if !strings.Contains(all, want) {
				w.t.Errorf("the console lacks %q:\n%s", want, all)
			}
		}
		started := w.games.specs[0].Server
		if started.GetArgv()[2] != "127.0.0.1" || started.GetEnvironment()["CATALYST_GATEWAY"] != "127.0.0.1" {
			w.t.Errorf("started with %v", started)
		}
	})
}

// TestConfigFileThatCannotBeWritten keeps the server from starting with an old configuration.
func TestConfigFileThatCannotBeWritten(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.apply(protocol.Power_POWER_STOP, 0)
		if err := os.Symlink("/etc", filepath.Join(w.dir, w.id, "files", "out")); err != nil {
			w.t.Fatal(err)
		}
		spec := specOf(w.id)
		spec.ConfigFiles = []*protocol.ConfigFile{configFile("out/a.json", "JSON", "a", "1")}
		w.applySpec(spec, protocol.Power_POWER_RUN, 1)
		w.expect(kind.ServerStateError)
		if reason := w.observed().GetReason(); !strings.HasPrefix(reason, "out/a.json is not written: ") {
			w.t.Errorf("reason = %q", reason)
		}
	})
}
