package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// TestEnrolment pastes the command that createNode answers with into a shell, twice.
func TestEnrolment(t *testing.T) {
	t.Parallel()
	w := &world{tb: t, dir: harness.DataDir(t, nil), nodeDir: harness.DataDir(t, nil), addr: harness.FreeAddr(t)}
	w.startPanel()
	w.admin = w.panel.Admin()
	command, token := w.createNode("pasted", 0)
	if !strings.Contains(command, token) || !strings.Contains(command, w.panel.URL) {
		t.Errorf("the command %q lacks the token or the address", command)
	}
	run := func(dir string) *harness.Process {
		// exec and env: the shell is replaced by the program, so that signals reach it.
		return harness.Shell(t, dir, "exec env "+command, "CATALYST_RUNTIME=process", "CATALYST_DATA_DIR="+dir)
	}
	w.agent = run(w.nodeDir)
	w.awaitOnline(true)
	checkSystem(t, w)

	other := harness.DataDir(t, nil)
	second := run(other)
	if code := second.Wait(soon); code == 0 {
		t.Error("a second machine enrolled with the same token")
	}
	if out := second.Output(); !strings.Contains(out, "createEnrolmentToken") || strings.Contains(out, token) {
		t.Errorf("the refusal does not say what to do, or shows the token:\n%s", out)
	}
	w.awaitOnline(true)

	// On a machine that is enrolled the old command is harmless.
	id := w.running("kept")
	pid := w.game(id)
	w.agent.Terminate()
	begin := time.Now()
	w.awaitOnline(false)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v to see that the node is offline", took)
	}
	if !harness.Alive(pid) {
		t.Fatal("the agent's end stopped the server")
	}

	// What was deleted meanwhile goes when the node returns.
	gone := w.deleteOffline(id)
	w.agent = run(w.nodeDir)
	w.awaitOnline(true)
	harness.Eventually(t, soon, "the deleted server is removed", func() error {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			return fmt.Errorf("its directory: %w", err)
		}
		return nil
	})
	w.gone(id)
	w.agent.Terminate()
	w.panel.Terminate()
}

// deleteOffline deletes a server while its node is away and returns the directory that is still there.
func (w *world) deleteOffline(id string) string {
	w.tb.Helper()
	w.admin.Run(`mutation($id: ID!) { deleteServer(input: {id: $id}) { deletedId } }`, vars{"id": id}, nil)
	w.admin.Refused("NOT_FOUND", powerQuery("killServer"), vars{"id": id})
	dir := harness.ServerDir(w.nodeDir, id)
	if _, err := os.Stat(dir); err != nil {
		w.tb.Fatalf("the server's directory before the node returns: %v", err)
	}
	return dir
}

// checkSystem looks at what a node says of its machine.
func checkSystem(t *testing.T, w *world) {
	t.Helper()
	var out struct {
		HostNode struct {
			Name, AgentVersion string
			LastSeenAt         time.Time
			System             struct {
				OS, Arch, Kernel string
				CPUCount         int
				Memory, Disk     int64
			}
		}
	}
	w.admin.Run(`query($id: ID!) { hostNode(id: $id) { name agentVersion lastSeenAt system { os arch kernel cpuCount memory disk } } }`,
		vars{"id": w.nodeID}, &out)
	n := out.HostNode
	if n.Name != "pasted" || n.AgentVersion == "" || time.Since(n.LastSeenAt) > time.Minute || n.System.OS == "" ||
		n.System.Arch == "" || n.System.Kernel == "" || n.System.CPUCount < 1 || n.System.Memory < 64<<20 || n.System.Disk < 1<<20 {
		t.Errorf("the node: %+v", n)
	}
}

// TestShutdown ends each role by SIGTERM: dev takes its servers along, an agent leaves them to the next one.
func TestShutdown(t *testing.T) {
	t.Parallel()
	t.Run("dev", func(t *testing.T) {
		t.Parallel()
		w := allInOne(t)
		id := w.running("short-lived")
		lines := w.admin.Console(id, nil)
		lines.Await(soon, "STDOUT", "ready")
		w.panel.Terminate()
		w.gone(id)
		w.startDev()
		w.awaitOnline(true)
		w.awaitState(id, "STOPPED")
		later := w.admin.Console(id, "0")
		later.Await(soon, "STDOUT", "bye")
	})
	t.Run("agent", func(t *testing.T) {
		t.Parallel()
		w := separate(t)
		id := w.running("long-lived")
		pid := w.game(id)
		lines := w.admin.Console(id, "0")
		lines.Await(soon, "STDOUT", "tick 1")
		w.agent.Terminate()
		w.awaitOnline(false)
		if !harness.Alive(pid) {
			t.Fatal("the agent's end stopped the server")
		}
		w.startAgent()
		w.awaitOnline(true)
		w.command(id, "say adopted")
		lines.Await(soon, "STDOUT", "you said: adopted")
		if now := w.game(id); now != pid {
			t.Errorf("the program is process %d, it was %d", now, pid)
		}
		// A panel ends and begins without anybody's help, too.
		w.panel.Terminate()
		w.startPanel()
		w.awaitOnline(true)
		if s := w.awaitState(id, "RUNNING"); s != "RUNNING" || w.game(id) != pid {
			t.Errorf("after the panel's end: %s", s)
		}
		lines.Resume(w.admin)
		w.command(id, "say once more")
		lines.Await(soon, "STDOUT", "you said: once more")
		w.agent.Terminate()
		w.panel.Terminate()
	})
}

// TestCrashWhileAway lets a server crash while its agent is dead: the next agent reports it.
func TestCrashWhileAway(t *testing.T) {
	t.Parallel()
	w := separate(t)
	id := w.running("doomed")
	w.admin.Run(`mutation($id: ID!) { updateServer(input: {id: $id, crashPolicy: NEVER}) { server { id } } }`, vars{"id": id}, nil)
	lines := w.admin.Console(id, "0")
	lines.Await(soon, "STDOUT", "ready")
	w.command(id, "rate 100 1")
	lines.Await(soon, "STDOUT", "rate done 100")
	pid := w.game(id)
	w.agent.Kill()
	if p, err := os.FindProcess(pid); err != nil || p.Kill() != nil {
		t.Fatalf("kill the program: %v", err)
	}
	w.gone(id)
	w.startAgent()
	w.awaitState(id, "CRASHED")
	if s, err := w.state(id); err != nil || s.CrashCount != 1 || s.ExitCode == nil || *s.ExitCode != 137 {
		t.Errorf("after the crash: %+v, %v; want one crash with the code 137", s, err)
	}
}
