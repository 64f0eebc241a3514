package e2e

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/test/harness"
)

const freeciv = "/usr/games/freeciv-server"

// TestFreeciv runs a real game: Debian's freeciv-server, which refuses to run as root.
func TestFreeciv(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(freeciv); err != nil {
		testkit.Missing(t, "freeciv-server is not installed: %v", err)
	}
	account := harness.Unprivileged(t)
	w := &world{tb: t, dir: harness.DataDir(t, account), addr: harness.FreeAddr(t)}
	w.nodeDir = w.dir
	w.panel = harness.Start(t, harness.Options{Args: []string{"dev"}, Dir: w.dir, Addr: w.addr, As: account})
	w.admin = w.panel.Admin()
	w.awaitOnline(true)

	host, port, err := net.SplitHostPort(harness.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	w.admin.Run(`mutation($n: ID!, $i: String!, $p: [String!]!) {
		createAllocations(input: {nodeId: $n, ip: $i, ports: $p}) { allocations { id port } } }`,
		vars{"n": w.nodeID, "i": host, "p": []string{port}}, nil)
	var made struct {
		CreateTemplate struct{ Template struct{ ID string } }
	}
	w.admin.Run(`mutation($in: CreateTemplateInput!) { createTemplate(input: $in) { template { id } } }`, vars{"in": vars{
		"name": "Freeciv", "startup": "freeciv-server --port {{SERVER_PORT}} --bind {{SERVER_IP}} --Announce none --identity \"{{GREETING}}\"",
		"variables":     []vars{{"name": "Greeting", "key": "GREETING", "default": "a quiet place"}},
		"readyPatterns": []string{`Now accepting new client connections on port \d+`}, "stopCommand": "quit", "stopGrace": 10,
		"portsWanted": 1, "memory": 512 << 20, "cpu": 100, "disk": 256 << 20,
	}}, &made)
	id := w.create("civilisation", made.CreateTemplate.Template.ID)
	lines := w.admin.Console(id, "0")
	w.power("startServer", id)
	lines.AwaitFunc(soon, "that it accepts connections", func(l harness.Line) bool {
		return strings.Contains(l.Text, "Now accepting new client connections on port "+port)
	})
	w.awaitState(id, "RUNNING")

	// Its own answers to commands that only it knows.
	w.command(id, "list players")
	lines.Await(soon, "INPUT", "list players")
	lines.AwaitFunc(soon, "the list of players", func(l harness.Line) bool { return strings.Contains(l.Text, "List of players:") })
	w.command(id, "help quit")
	lines.AwaitFunc(soon, "the help on quit", func(l harness.Line) bool {
		return strings.Contains(l.Text, "Quit the game and shutdown the server")
	})

	w.power("stopServer", id)
	lines.AwaitFunc(soon, "its farewell", func(l harness.Line) bool { return strings.Contains(l.Text, "Goodbye.") })
	w.awaitState(id, "STOPPED")
	if s, err := w.state(id); err != nil || s.ExitCode == nil || *s.ExitCode != 0 {
		t.Errorf("after quit: %+v, %v; want the exit code 0", s, err)
	}
	w.gone(id)
}
