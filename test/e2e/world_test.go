package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// soon is what anything may take on a machine that runs other tests as well.
const soon = 20 * time.Second

// vars are the variables of an operation.
type vars = harness.Vars

// world is a running all-in-one, or a panel with an agent in a process of its own, and its administrator.
type world struct {
	tb    testing.TB
	panel *harness.Process
	agent *harness.Process // nil in an all-in-one
	admin *harness.Client

	// Dir and NodeDir are the data directories of the panel and of the agent.
	dir, nodeDir string
	addr         string
	nodeID       string
	env          []string
}

// allInOne starts "catalyst dev" and waits for its node.
func allInOne(t testing.TB, env ...string) *world {
	t.Helper()
	w := &world{tb: t, dir: harness.DataDir(t, nil), addr: harness.FreeAddr(t), env: env}
	w.nodeDir = w.dir
	w.startDev()
	w.admin = w.panel.Admin()
	w.awaitOnline(true)
	return w
}

// startDev starts the all-in-one of a world, once more after it was ended.
func (w *world) startDev() {
	w.tb.Helper()
	w.panel = harness.Start(w.tb, harness.Options{Args: []string{"dev"}, Dir: w.dir, Addr: w.addr, Env: w.env})
}

// separate starts "catalyst serve" and "catalyst agent" and waits for the node.
func separate(t testing.TB, env ...string) *world {
	t.Helper()
	w := &world{tb: t, dir: harness.DataDir(t, nil), nodeDir: harness.DataDir(t, nil), addr: harness.FreeAddr(t), env: env}
	w.startPanel()
	w.admin = w.panel.Admin()
	_, token := w.createNode("far away", 0)
	w.startAgent("CATALYST_PANEL_URL="+w.panel.URL, "CATALYST_ENROL_TOKEN="+token)
	w.awaitOnline(true)
	return w
}

// startPanel starts the panel of a world, once more after it was ended.
func (w *world) startPanel() {
	w.tb.Helper()
	w.panel = harness.Start(w.tb, harness.Options{
		Args: []string{"serve"}, Dir: w.dir, Addr: w.addr, Env: append([]string{"CATALYST_REGISTRATION=on"}, w.env...),
	})
}

// startAgent starts the agent of a world; it knows the panel from its first start.
func (w *world) startAgent(env ...string) {
	w.tb.Helper()
	env = append([]string{"CATALYST_PANEL_URL=" + w.panel.URL}, env...)
	w.agent = harness.Spawn(w.tb, harness.Options{Args: []string{"agent"}, Dir: w.nodeDir, Env: env})
}

// createNode makes a location and a node with a limit of memory, and returns the command that enrols it and its token.
func (w *world) createNode(name string, memory int64) (command, token string) {
	w.tb.Helper()
	var location struct {
		CreateLocation struct{ Location struct{ ID string } }
	}
	w.admin.Run(`mutation($n: String!) { createLocation(input: {name: $n}) { location { id } } }`, vars{"n": "site of " + name}, &location)
	var made struct {
		CreateNode struct {
			Node      struct{ ID string }
			Enrolment struct{ Token, Command string }
		}
	}
	w.admin.Run(`mutation($n: String!, $l: ID!, $m: Bytes!) {
		createNode(input: {name: $n, locationId: $l, publicAddress: "127.0.0.1", memoryLimit: $m, cpuLimit: 0, diskLimit: 0}) {
			node { id } enrolment { token command }
		}
	}`, vars{"n": name, "l": location.CreateLocation.Location.ID, "m": memory}, &made)
	w.nodeID = made.CreateNode.Node.ID
	return made.CreateNode.Enrolment.Command, made.CreateNode.Enrolment.Token
}

// awaitOnline waits until the newest node is shown as online, or as offline.
func (w *world) awaitOnline(want bool) {
	w.tb.Helper()
	harness.Eventually(w.tb, soon, fmt.Sprintf("the node's online is %v", want), func() error {
		var out struct {
			HostNodes struct {
				Edges []struct {
					Node struct {
						ID     string
						Online bool
					}
				}
			}
		}
		if err := w.admin.Do(w.tb.Context(), `{ hostNodes { edges { node { id online } } } }`, nil, &out); err != nil {
			return err
		}
		for _, e := range out.HostNodes.Edges {
			if w.nodeID == "" || w.nodeID == e.Node.ID {
				w.nodeID = e.Node.ID
				if e.Node.Online == want {
					return nil
				}
			}
		}
		return fmt.Errorf("nodes: %+v", out.HostNodes.Edges)
	})
}

// demo returns the Demo template.
func (w *world) demo() string {
	w.tb.Helper()
	var out struct {
		Templates struct {
			TotalCount int
			Edges      []struct{ Node struct{ ID, Name string } }
		}
	}
	w.admin.Run(`{ templates(where: {name: "Demo"}) { totalCount edges { node { id name } } } }`, nil, &out)
	if out.Templates.TotalCount != 1 || len(out.Templates.Edges) != 1 {
		w.tb.Fatalf("templates named Demo: %+v, want one", out.Templates)
	}
	return out.Templates.Edges[0].Node.ID
}

// create makes a server, waits until it is installed, and returns its id.
func (w *world) create(name, templateID string) string {
	w.tb.Helper()
	var out struct {
		CreateServer struct{ Server struct{ ID string } }
	}
	w.admin.Run(`mutation($n: String!, $t: ID!) { createServer(input: {name: $n, templateId: $t}) { server { id } } }`,
		vars{"n": name, "t": templateID}, &out)
	id := out.CreateServer.Server.ID
	w.awaitState(id, "STOPPED")
	return id
}

// power runs one of startServer, stopServer, restartServer and killServer.
func (w *world) power(verb, id string) {
	w.tb.Helper()
	w.admin.Run(powerQuery(verb), vars{"id": id}, nil)
}

func powerQuery(verb string) string {
	return `mutation($id: ID!) { ` + verb + `(input: {id: $id}) { server { id state } } }`
}

// command sends a line to a server's program.
func (w *world) command(id, line string) {
	w.tb.Helper()
	w.admin.Run(`mutation($s: ID!, $c: String!) { sendCommand(input: {serverId: $s, command: $c}) { server { id } } }`,
		vars{"s": id, "c": line}, nil)
}

// running makes a Demo server and waits until it runs.
func (w *world) running(name string) string {
	w.tb.Helper()
	id := w.create(name, w.demo())
	w.power("startServer", id)
	w.awaitState(id, "RUNNING")
	return id
}

// state is what is stored about a server.
type state struct {
	State       string
	StateReason string
	ExitCode    *int
	CrashCount  int
}

func (w *world) state(id string) (state, error) {
	var out struct{ Server *state }
	err := w.admin.Do(w.tb.Context(), `query($id: ID!) { server(id: $id) { state stateReason exitCode crashCount } }`, vars{"id": id}, &out)
	if err == nil && out.Server == nil {
		err = fmt.Errorf("there is no server %s", id)
	}
	if err != nil {
		return state{}, err
	}
	return *out.Server, nil
}

// awaitState waits until a server is in one of the states.
func (w *world) awaitState(id string, want ...string) string {
	w.tb.Helper()
	var last state
	harness.Eventually(w.tb, soon, "the server is "+strings.Join(want, " or "), func() error {
		var err error
		if last, err = w.state(id); err == nil && !slices.Contains(want, last.State) {
			err = fmt.Errorf("it is %+v", last)
		}
		return err
	})
	return last.State
}

// game returns the process of a server's program and fails the test unless there is exactly one.
func (w *world) game(id string) int {
	w.tb.Helper()
	pids := harness.Game(w.nodeDir, id)
	if len(pids) != 1 {
		w.tb.Fatalf("processes of the program: %v, want one", pids)
	}
	return pids[0]
}

// gone fails the test unless a server's program and holder end soon.
func (w *world) gone(id string) {
	w.tb.Helper()
	harness.Eventually(w.tb, 5*time.Second, "the program and its holder have ended", func() error {
		if left := append(harness.Game(w.nodeDir, id), harness.Holders(w.nodeDir, id)...); len(left) > 0 {
			return fmt.Errorf("processes: %v", left)
		}
		return nil
	})
}
