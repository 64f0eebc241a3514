package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// stateChange is a message of serverStateChanged.
type stateChange struct {
	ServerStateChanged struct{ State, Previous, Reason string }
}

const stateQuery = `subscription($s: ID!) { serverStateChanged(serverId: $s) { state previous reason } }`

// TestFirstLook is the whole way of somebody who has just built the program, with the settings that they get.
func TestFirstLook(t *testing.T) {
	t.Parallel()
	defaults := []string{"CATALYST_RATE_LIMIT=", "CATALYST_RUNTIME=", "CATALYST_ADMIN_PASSWORD="}
	w := &world{tb: t, dir: harness.DataDir(t, nil), addr: harness.FreeAddr(t), env: defaults}
	w.nodeDir = w.dir
	w.startDev()
	password := firstPassword(t, w)
	if out := w.panel.Output(); strings.Count(out, password) != 1 || !strings.Contains(out, "http://"+w.addr+"/") {
		t.Fatalf("the address and, once, the password are missing from:\n%s", out)
	}
	w.admin = w.panel.Login("admin", password)
	w.awaitOnline(true)

	// Only a name and a template are needed.
	id := w.create("my first", w.demo())
	states := w.admin.Watch(stateQuery, vars{"s": id})
	lines := w.admin.Console(id, nil)
	w.power("startServer", id)
	awaitRunning(t, states)
	lines.Await(soon, "STDOUT", "ready")
	lines.Await(soon, "STDOUT", "tick 1")

	w.command(id, "say hello")
	lines.Await(soon, "INPUT", "say hello")
	lines.Await(soon, "STDOUT", "you said: hello")
	checkStats(t, w, id)

	w.power("stopServer", id)
	expectStates(t, states, "RUNNING", "STOPPING", "STOPPED")
	lines.Await(soon, "INPUT", "stop")
	lines.Await(soon, "STDOUT", "bye")
	if s, err := w.state(id); err != nil || s.ExitCode == nil || *s.ExitCode != 0 || s.CrashCount != 0 {
		t.Errorf("after the stop: %+v, %v; want the exit code 0 and no crash", s, err)
	}
	w.gone(id)

	w.power("startServer", id)
	expectStates(t, states, "STOPPED", "STARTING", "RUNNING")
	w.power("killServer", id)
	expectStates(t, states, "RUNNING", "STOPPING", "STOPPED")
	w.gone(id)

	checkDelete(t, w, id)

	// The second start has nothing to tell, and the password still holds.
	w.panel.Terminate()
	w.startDev()
	if again := w.panel.Password(); again != "" {
		t.Errorf("the second start printed the password %q", again)
	}
	w.panel.Login("admin", password)
	w.panel.Terminate()
}

// firstPassword waits for what the panel prints: it is ready a little before its output arrives here.
func firstPassword(t *testing.T, w *world) string {
	t.Helper()
	harness.Eventually(t, soon, "the first password is printed", func() error {
		if w.panel.Password() == "" {
			return errors.New("no password is printed")
		}
		return nil
	})
	return w.panel.Password()
}

// expectStates reads state changes: each from the state before to the next.
func expectStates(t *testing.T, sub *harness.Subscription, from string, then ...string) {
	t.Helper()
	for _, to := range then {
		var got stateChange
		sub.Must(&got)
		if got.ServerStateChanged.Previous != from || got.ServerStateChanged.State != to {
			t.Fatalf("got the change %+v, want %s to %s", got.ServerStateChanged, from, to)
		}
		from = to
	}
}

// awaitRunning reads the first state changes of a server up to RUNNING. Nothing says when a subscription has begun, so
// that the first one may have come before it.
func awaitRunning(t *testing.T, sub *harness.Subscription) {
	t.Helper()
	var got stateChange
	sub.Must(&got)
	if c := got.ServerStateChanged; c.State == "STARTING" && c.Previous == "STOPPED" {
		expectStates(t, sub, "STARTING", "RUNNING")
	} else if c.State != "RUNNING" || c.Previous != "STARTING" {
		t.Fatalf("got the change %+v of a server that starts", c)
	}
}

// checkStats has a program use processor and memory, and looks whether the statistics say so.
func checkStats(t *testing.T, w *world, id string) {
	t.Helper()
	stats := w.admin.Watch(`subscription($s: ID!) { serverStats(serverId: $s) {
		at cpuPercent memoryBytes memoryLimit memoryPercent diskLimit processes uptime } }`, vars{"s": id})
	defer stats.Close()
	w.command(id, "mem 32")
	w.command(id, "cpu 3")
	var got struct {
		ServerStats struct {
			At                                  time.Time
			CPUPercent                          float64
			MemoryBytes, MemoryLimit, DiskLimit int64
			MemoryPercent                       float64
			Processes                           int
			Uptime                              string
		}
	}
	busy := false
	for range 10 {
		stats.Must(&got)
		s := got.ServerStats
		if busy = s.CPUPercent > 20 && s.MemoryBytes > 32<<20; busy {
			break
		}
	}
	s := got.ServerStats
	if !busy || s.Processes < 1 || s.MemoryLimit != 64<<20 || s.MemoryPercent <= 25 || s.DiskLimit != 64<<20 ||
		!strings.HasPrefix(s.Uptime, "PT") || time.Since(s.At).Abs() > 5*time.Second {
		t.Errorf("statistics of a program that uses a core and 32 MB: %+v", s)
	}
}

// checkDelete deletes a server and looks that nothing of it is left.
func checkDelete(t *testing.T, w *world, id string) {
	t.Helper()
	dir := harness.ServerDir(w.nodeDir, id)
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the server's directory: %v", err)
	}
	var out struct{ DeleteServer struct{ DeletedID string } }
	w.admin.Run(`mutation($id: ID!) { deleteServer(input: {id: $id}) { deletedId } }`, vars{"id": id}, &out)
	if out.DeleteServer.DeletedID != id {
		t.Errorf("deleted %q, want %q", out.DeleteServer.DeletedID, id)
	}
	var left struct {
		Server  *struct{ ID string }
		Node    *struct{ ID string }
		Servers struct{ TotalCount int }
	}
	err := w.admin.Do(t.Context(), `query($id: ID!) { servers(where: {id: $id}) { totalCount } }`, vars{"id": id}, &left)
	if err != nil || left.Servers.TotalCount != 0 {
		t.Errorf("after the deletion: %+v, %v", left, err)
	}
	w.admin.Refused("NOT_FOUND", powerQuery("startServer"), vars{"id": id})
	harness.Eventually(t, soon, "the directory is removed", func() error {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			return fmt.Errorf("stat: %w", err)
		}
		return nil
	})
}

// TestBothDatabases runs the short story on PostgreSQL, in a panel and an agent of their own.
func TestBothDatabases(t *testing.T) {
	t.Parallel()
	w := separate(t, "CATALYST_DATABASE_URL="+postgres(t))
	id := w.running("on postgres")
	lines := w.admin.Console(id, "0")
	lines.Await(soon, "STDOUT", "ready")
	w.command(id, "burst 500")
	lines.Await(soon, "STDOUT", "burst done 500")
	var burst []string
	for _, l := range lines.Lines {
		if strings.HasPrefix(l.Text, "burst ") && l.Stream == "STDOUT" {
			burst = append(burst, l.Text)
		}
	}
	if diff := cmp.Diff(burstLines(500), burst); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	w.power("restartServer", id)
	lines.Await(soon, "STDOUT", "bye")
	lines.Await(soon, "STDOUT", "ready")
	w.awaitState(id, "RUNNING")
	w.power("stopServer", id)
	w.awaitState(id, "STOPPED")
	checkDelete(t, w, id)
}

// burstLines are what "burst N" prints.
func burstLines(n int) []string {
	out := make([]string, 0, n+1)
	for i := 1; i <= n; i++ {
		out = append(out, fmt.Sprintf("burst %d/%d", i, n))
	}
	return append(out, fmt.Sprintf("burst done %d", n))
}
