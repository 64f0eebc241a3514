package egg_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/egg"
	"github.com/catalyst-panel/catalyst/internal/templates/placeholder"
)

// entrypoints are the two ways in which images that were made for eggs start what STARTUP says: by evaluating it, and by
// putting the words into the place of the shell after evaluating it as text.
var entrypoints = map[string]string{
	"eval": `#!/bin/bash
cd /home/container
LINE=$(echo -e ${STARTUP} | sed -e 's/{{/${/g' -e 's/}}/}/g')
echo "container@node~ ${LINE}"
eval ${LINE}
`,
	"env": `#!/bin/bash
cd /home/container
WORDS=$(echo "${STARTUP}" | sed -e 's/{{/${/g' -e 's/}}/}/g' | eval echo "$(cat -)")
printf 'container@node~ %s\n' "$WORDS"
exec env ${WORDS}
`,
}

// rcon is what one egg's startup ends after, here: when its game, in the background, has been seen.
const rcon = `#!/bin/bash
for try in $(seq 200); do
	for f in "$RECORD"/Shooter*; do [ -s "$f" ] && exit; done
	sleep 0.05
done
`

// around is what such images take for granted; it says who and where the program is.
const around = `echo "I am $(id -un) ($USER), at home in $HOME, in $PWD with files of $(stat -c %U .)" > seen; `

// TestEntrypointsOfImages starts every egg in a container with an entrypoint that evaluates, with values that would do
// harm: the same programs start with the same arguments as from the line itself.
func TestEntrypointsOfImages(t *testing.T) {
	t.Parallel()
	testbed.Containerd(t)
	for kind, script := range entrypoints {
		layer := testbed.NewLayer().Busybox(t).Package(t, "bash").Link("/bin/bash", "/usr/bin/bash").File("/entrypoint.sh", 0o755, []byte(script))
		layer.File("/usr/local/bin/java", 0o755, []byte(recorder)).File("/usr/local/bin/rcon", 0o755, []byte(rcon))
		image := testbed.Push(t, "entrypoint-"+kind, layer, v1.Config{Entrypoint: []string{"/bin/bash"}, Cmd: []string{"/entrypoint.sh"}, User: "container"})
		for name, text := range eggs(t) {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				tmpl, _, err := egg.Import(text)
				if err != nil {
					t.Fatal(err)
				}
				values := map[string]string{"SERVER_PORT": hostile[0], "SERVER_IP": hostile[0], "SERVER_MEMORY": hostile[0]}
				for _, v := range tmpl.Variables {
					values[v.Key] = hostile[0]
				}
				want := start(t, tmpl, programs[name], values)
				if got := startInContainer(t, machine(t), image, tmpl, programs[name], values); len(got) == 0 || !cmp.Equal(want, got) {
					t.Errorf("arguments (-want +got):\n%s", cmp.Diff(want, got))
				}
			})
		}
	}
}

// startInContainer is start through an image's entrypoint.
func startInContainer(t *testing.T, machine runtimetest.Machine, image string, tmpl document.Template, programs []string, values map[string]string) [][]string {
	t.Helper()
	b := runtimetest.NewBench(t, machine)
	home := filepath.Join(b.Dir.Path, "files")
	if err := os.MkdirAll(filepath.Join(home, "starts"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(home, p)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, p), []byte(recorder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	environment := map[string]string{"RECORD": "/home/container/starts"}
	for key, value := range values {
		if !document.Guarded(key) {
			environment[key] = value
		}
	}
	inst := b.Start(&protocol.ServerSpec{
		Image: image, Shell: around + placeholder.Shell(tmpl.Startup.Shell), ImageEntrypoint: tmpl.Startup.ImageEntrypoint, Environment: environment,
	})
	b.Exit(inst)
	seen, err := os.ReadFile(filepath.Join(home, "seen"))
	if want := "I am container (container), at home in /home/container, in /home/container with files of container\n"; err != nil || string(seen) != want {
		t.Errorf("the program saw %q, %v; console: %q", seen, err, b.Texts())
	}
	if left, _ := filepath.Glob(filepath.Join(home, "*pwned*")); len(left) > 0 {
		t.Fatalf("a value became a command: %v; console: %q", left, b.Texts())
	}
	files, err := filepath.Glob(filepath.Join(home, "starts", filepath.Base(programs[0])+".*"))
	if err != nil {
		t.Fatal(err)
	}
	var found [][]string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var args []string
		for arg := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte{0}), []byte{0}) {
			args = append(args, string(arg))
		}
		found = append(found, args)
	}
	slices.SortFunc(found, slices.Compare)
	return found
}

// machine makes runtimes of one agent on the containerd of this test process.
func machine(t *testing.T) runtimetest.Machine {
	t.Helper()
	daemon := testbed.Containerd(t)
	dir, program, networks := t.TempDir(), testbed.Program(t), testbed.Networks(t)
	return func() runtime.Runtime {
		rt, err := containerd.New(t.Context(), containerd.Config{Address: daemon.Address, Dir: dir, Executable: program, Networks: networks})
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
}
