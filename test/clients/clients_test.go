package clients_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/test/harness"
)

// most is how long one file of tests may take.
const most = 90 * time.Second

// online is how long a node may take to come up on a busy machine.
const online = 30 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	if err := harness.Cleanup(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// world is a panel and an agent in processes of their own, and a running Demo server.
type world struct {
	panel  *harness.Process
	dir    string
	addr   string
	admin  *harness.Client
	server string
}

func (w *world) start(t *testing.T) {
	t.Helper()
	w.panel = harness.Start(t, harness.Options{
		Args: []string{"serve"}, Dir: w.dir, Addr: w.addr, Env: []string{"CATALYST_REGISTRATION=on"},
	})
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: harness.DataDir(t, nil), addr: harness.FreeAddr(t)}
	w.start(t)
	w.admin = w.panel.Admin()
	var place struct {
		CreateLocation struct{ Location struct{ ID string } }
	}
	w.admin.Run(`mutation { createLocation(input: {name: "here"}) { location { id } } }`, nil, &place)
	var made struct {
		CreateNode struct{ Enrolment struct{ Token string } }
	}
	w.admin.Run(`mutation($l: ID!) {
		createNode(input: {name: "n", locationId: $l, publicAddress: "127.0.0.1", memoryLimit: 0, cpuLimit: 0, diskLimit: 0}) { enrolment { token } }
	}`, harness.Vars{"l": place.CreateLocation.Location.ID}, &made)
	harness.Spawn(t, harness.Options{Args: []string{"agent"}, Dir: harness.DataDir(t, nil), Env: []string{
		"CATALYST_PANEL_URL=" + w.panel.URL, "CATALYST_ENROL_TOKEN=" + made.CreateNode.Enrolment.Token,
	}})
	w.play(t)
	return w
}

// play makes and starts a Demo server once the node is there.
func (w *world) play(t *testing.T) {
	t.Helper()
	var templates struct {
		Templates struct {
			Edges []struct{ Node struct{ ID string } }
		}
	}
	w.admin.Run(`{ templates(where: {name: "Demo"}) { edges { node { id } } } }`, nil, &templates)
	var made struct {
		CreateServer struct{ Server struct{ ID string } }
	}
	harness.Eventually(t, online, "a server is made", func() error {
		return w.admin.Do(t.Context(), `mutation($t: ID!) { createServer(input: {name: "demo", templateId: $t, startOnInstall: true}) { server { id } } }`,
			harness.Vars{"t": templates.Templates.Edges[0].Node.ID}, &made)
	})
	w.server = made.CreateServer.Server.ID
	harness.Eventually(t, online, "the server runs", func() error {
		var out struct{ Server struct{ State string } }
		err := w.admin.Do(t.Context(), `query($id: ID!) { server(id: $id) { state } }`, harness.Vars{"id": w.server}, &out)
		if err == nil && out.Server.State != "RUNNING" {
			err = fmt.Errorf("it is %s", out.Server.State)
		}
		return err
	})
}

// TestClients runs each of the JavaScript files against one panel, and the last ones against one that restarts.
func TestClients(t *testing.T) {
	install(t)
	w := newWorld(t)
	for _, name := range []string{"audits", "ws", "sse", "apollo", "urql"} {
		t.Run(name, func(t *testing.T) { w.node(t, name, nil) })
	}
	for _, name := range []string{"restart", "tus"} {
		t.Run(name, func(st *testing.T) {
			w.node(st, name, func(line string) {
				if line != "restart now" {
					return
				}
				w.panel.Terminate() // which fails unless the code is 0 within 10 s
				w.start(t)          // it outlives the part of the test that has asked for it
			})
		})
	}
}

// TestSchemaTools runs the tools that read the schema: linter, type generator, Relay's compiler.
func TestSchemaTools(t *testing.T) {
	install(t)
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	sdl := exec.CommandContext(t.Context(), "go", "run", "./test/sdl")
	sdl.Dir, sdl.Stderr = root, os.Stderr
	text, err := sdl.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join("generated", "relay"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("generated", "schema.graphql"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string][]string{
		"eslint":         {"node_modules/.bin/eslint", "--max-warnings=0", "generated/schema.graphql"},
		"codegen":        {"node_modules/.bin/graphql-codegen", "--config", "codegen.json"},
		"relay-compiler": {"node_modules/.bin/relay-compiler", "relay.config.json"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, command...)
			if name != "eslint" {
				run(t, "node_modules/.bin/tsc", "--noEmit", "--project", "tsconfig."+name+".json")
			}
		})
	}
}

// install brings the packages of the lock file, once.
func install(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			testkit.Missing(t, "%s: install Node.js 20 or newer", program)
		}
	}
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join("node_modules", ".installed")
	if have, err := os.ReadFile(mark); err == nil && string(have) == string(lock) {
		return
	}
	run(t, "npm", "ci", "--no-progress")
	if err := os.WriteFile(mark, lock, 0o600); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, command ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
}

// node runs one file of tests and passes each line that it prints to heard.
func (w *world) node(t *testing.T, name string, heard func(line string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", name+".test.js")
	cmd.Env = append(os.Environ(), "CATALYST_URL="+w.panel.URL, "CATALYST_TOKEN="+w.admin.Token, "CATALYST_SERVER="+w.server)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(io.LimitReader(pipe, 1<<22))
	var printed []string
	for lines.Scan() {
		printed = append(printed, lines.Text())
		if heard != nil {
			heard(lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil {
		for _, line := range printed {
			t.Log(line)
		}
		t.Fatalf("%s: %v", name, err)
	}
}
