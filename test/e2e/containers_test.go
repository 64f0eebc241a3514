package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/test/harness"
)

// containers are the settings of a node that runs servers in a containerd of the tests.
func containers(t *testing.T) []string {
	t.Helper()
	testbed.DefaultNetworks(t)
	return []string{"CATALYST_RUNTIME=containerd", "CATALYST_CONTAINERD_ADDRESS=" + testbed.Containerd(t).Address}
}

// template makes a template.
func (w *world) template(input vars) string {
	w.tb.Helper()
	var made struct {
		CreateTemplate struct{ Template struct{ ID string } }
	}
	w.admin.Run(`mutation($in: CreateTemplateInput!) { createTemplate(input: $in) { template { id } } }`, vars{"in": input}, &made)
	return made.CreateTemplate.Template.ID
}

// made makes a server that starts once it is installed.
func (w *world) made(input vars) string {
	w.tb.Helper()
	var out struct {
		CreateServer struct{ Server struct{ ID string } }
	}
	w.admin.Run(`mutation($in: CreateServerInput!) { createServer(input: $in) { server { id state } } }`, vars{"in": input}, &out)
	return out.CreateServer.Server.ID
}

// shop is an image with a shell.
func shop(t *testing.T) string {
	t.Helper()
	return testbed.Push(t, "shop", testbed.NewLayer().Busybox(t), v1.Config{Env: []string{"PATH=/bin"}})
}

// TestInstallScript installs a server in a container, follows that, starts what was installed, and does it once more.
func TestInstallScript(t *testing.T) {
	t.Parallel()
	w := allInOne(t, containers(t)...)
	image := shop(t)
	template := w.template(vars{
		"name": "Shop", "defaultImage": image, "startup": "cat stock; read line", "memory": 64 << 20, "cpu": 50, "disk": 64 << 20,
		"installImage": image, "installEntrypoint": "sh", "installClear": true, "installKeep": []string{"saves"},
		"installScript": "echo \"fetching with $TOKEN\"\ntest -e broken && exit 3\necho \"goods for $NAME\" > stock\nsleep 1\n",
		"variables": []vars{
			{"name": "Token", "key": "TOKEN", "default": "tok-1234567", "secret": true, "userEditable": true},
			{"name": "Name", "key": "NAME", "default": "everybody", "userEditable": true},
		},
	})
	id := w.made(vars{"name": "shop", "templateId": template, "startOnInstall": true})
	type step struct {
		State, Message string
		Progress       float64
		Lines          []harness.Line
	}
	follow := func() (last step, log string) {
		sub := w.admin.Watch(`subscription($s: ID!) { installProgress(serverId: $s) { state progress message lines { stream text } } }`, vars{"s": id})
		for {
			var out struct{ InstallProgress step }
			if err := sub.Next(t.Context(), &out); errors.Is(err, harness.ErrComplete) {
				return last, log
			} else if err != nil {
				t.Fatal(err)
			}
			last = out.InstallProgress
			for _, l := range last.Lines {
				log += l.Stream + " " + l.Text + "\n"
			}
		}
	}
	last, log := follow()
	if (last.State != "STOPPED" && last.State != "STARTING") || last.Progress != 1 || last.Message != "" {
		t.Errorf("the installation ended with %+v", last)
	}
	for _, want := range []string{"SYSTEM Installing", "STDOUT fetching with ********", "SYSTEM Installed"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	w.awaitState(id, "RUNNING")
	lines := w.admin.Console(id, "0")
	lines.Await(soon, "STDOUT", "goods for everybody")
	w.admin.Refused("CONFLICT", `mutation($id: ID!) { installServer(input: {id: $id}) { server { id } } }`, vars{"id": id})
	w.power("killServer", id)
	w.awaitState(id, "STOPPED")

	files := filepath.Join(harness.ServerDir(w.nodeDir, id), "files")
	for _, dir := range []string{"saves/one", "rubbish"} {
		if err := os.MkdirAll(filepath.Join(files, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.admin.Run(`mutation($id: ID!) { installServer(input: {id: $id}) { server { state } } }`, vars{"id": id}, nil)
	if last, log = follow(); last.State != "STOPPED" {
		t.Errorf("the second installation ended with %+v\n%s", last, log)
	}
	for name, want := range map[string]bool{"saves/one": true, "stock": true, "rubbish": false} {
		if _, err := os.Stat(filepath.Join(files, name)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
	broken := w.template(vars{
		"name": "Broken", "defaultImage": image, "startup": "true", "memory": 64 << 20, "cpu": 50, "disk": 64 << 20,
		"installImage": image, "installEntrypoint": "sh", "installScript": "echo no way >&2; exit 3",
	})
	id = w.made(vars{"name": "broken", "templateId": broken, "startOnInstall": true})
	w.awaitState(id, "ERROR")
	if s, err := w.state(id); err != nil || !strings.Contains(s.StateReason, "exited with code 3") {
		t.Errorf("a broken script left %+v, %v", s, err)
	}
}

// TestGamesInContainers reaches a game over UDP through its allocation, and speaks to another one on its console.
func TestGamesInContainers(t *testing.T) {
	t.Parallel()
	w := allInOne(t, containers(t)...)
	tee := testbed.Push(t, "tee", testbed.NewLayer().Package(t, "teeworlds-server", "teeworlds-data").Busybox(t), v1.Config{})
	civ := testbed.Push(t, "civ", testbed.NewLayer().Package(t, "freeciv-server", "freeciv-data").Busybox(t), v1.Config{})
	port := testbed.Port(t)
	w.admin.Run(`mutation($n: ID!, $i: String!, $p: [String!]!) {
		createAllocations(input: {nodeId: $n, ip: $i, ports: $p}) { allocations { id } } }`,
		vars{"n": w.nodeID, "i": "127.0.0.1", "p": []string{strconv.Itoa(port)}}, nil)
	limits := func(v vars) vars {
		v["memory"], v["cpu"], v["disk"] = 256<<20, 100, 256<<20
		return v
	}
	template := w.template(limits(vars{
		"name": "Teeworlds", "defaultImage": tee, "portsWanted": 1, "readyPatterns": []string{"server name is"},
		"startupArgv": []string{"teeworlds-server", "sv_name Catalyst", "sv_port {{SERVER_PORT}}", "sv_register 0"},
	}))
	id := w.made(vars{"name": "tees", "templateId": template, "startOnInstall": true})
	w.awaitState(id, "RUNNING")
	if info := testbed.AskTeeworlds(t, port); !strings.Contains(info, "Catalyst") {
		t.Errorf("the game answered %q", info)
	}
	template = w.template(limits(vars{
		"name": "Freeciv", "defaultImage": civ, "startupArgv": []string{"freeciv-server", "--Announce", "none"},
		"readyPatterns": []string{"Now accepting new client connections"}, "stopCommand": "quit",
	}))
	id = w.made(vars{"name": "civilisation", "templateId": template, "startOnInstall": true})
	w.awaitState(id, "RUNNING")
	lines := w.admin.Console(id, "0")
	w.command(id, "list players")
	lines.AwaitFunc(soon, "the list of players", func(l harness.Line) bool { return strings.Contains(l.Text, "List of players:") })
	w.power("stopServer", id)
	w.awaitState(id, "STOPPED")
}

// TestC6KillsOfTheAgent kills the agent at random moments of pull, install, start, run and stop. Each time what was asked
// for comes true after its return, no program is stopped or run twice, and no line is lost.
func TestC6KillsOfTheAgent(t *testing.T) {
	t.Parallel()
	kills := 6
	if os.Getenv("CATALYST_TEST_LOAD") == "full" {
		kills = 20
	}
	w := separate(t)
	env := containers(t)
	w.agent.Terminate()
	w.agent.Wait(soon)
	w.startAgent(env...)
	w.awaitOnline(true)
	for i := range kills {
		// An image of its own each time, so that each is pulled.
		image := testbed.Push(t, fmt.Sprintf("kill%d", i), testbed.NewLayer().Busybox(t).File("number", 0o644, []byte(strconv.Itoa(i))), v1.Config{Env: []string{"PATH=/bin"}})
		template := w.template(vars{
			"name": fmt.Sprintf("Kill %d", i), "defaultImage": image, "memory": 64 << 20, "cpu": 100, "disk": 64 << 20,
			"startup":      `echo ready; (i=0; while :; do i=$((i+1)); echo "count $i"; sleep 0.02; done) & while read line; do [ "$line" = stop ] && exit 0; done; wait`,
			"installImage": image, "installEntrypoint": "sh", "installScript": "echo working; sleep 0.5; echo done > made",
			"stopCommand": "stop", "stopGrace": 5, "readyPatterns": []string{"^ready$"},
		})
		w.awaitLinked()
		id := w.made(vars{"name": fmt.Sprintf("kill %d", i), "templateId": template, "startOnInstall": true})
		moment := time.Duration(rand.IntN(2500)) * time.Millisecond
		wait(t, moment)
		w.agent.Kill()
		w.startAgent(env...)
		begun := time.Now()
		harness.Eventually(t, time.Minute, "the server runs", func() error {
			s, err := w.state(id)
			if err == nil && s.State != "RUNNING" {
				err = fmt.Errorf("killed after %s; %s later it is %+v", moment, time.Since(begun), s)
			}
			return err
		})
		if s, err := w.state(id); err != nil || s.CrashCount != 0 {
			t.Errorf("killed after %s: %+v, %v", moment, s, err)
		}
		stopping := time.Duration(rand.IntN(300)) * time.Millisecond
		harness.Eventually(t, soon, "the node takes orders again", func() error {
			return w.admin.Do(t.Context(), powerQuery("killServer"), vars{"id": id}, nil)
		})
		wait(t, stopping)
		w.agent.Kill()
		w.startAgent(env...)
		w.awaitState(id, "STOPPED")
		once := 0
		for _, l := range w.everything(id) {
			if l.Text == "ready" {
				once++
			}
		}
		if once != 1 {
			t.Errorf("killed after %s, the program has started %d times", moment, once)
		}
		w.admin.Run(`mutation($id: ID!) { deleteServer(input: {id: $id}) { deletedId } }`, vars{"id": id}, nil)
	}
	harness.Eventually(t, time.Minute, "nothing is left", func() error {
		left, err := os.ReadDir(filepath.Join(w.nodeDir, "agent", "servers"))
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%d directories are left", len(left))
		}
		return err
	})
}

// awaitLinked waits until the node answers the panel, whatever the panel still believes of an earlier link.
func (w *world) awaitLinked() {
	w.tb.Helper()
	harness.Eventually(w.tb, soon, "the node answers", func() error {
		var out struct {
			SystemHealth struct {
				Nodes []struct {
					Healthy bool
					Error   *string
				}
			}
		}
		if err := w.admin.Do(w.tb.Context(), `{ systemHealth { nodes { healthy error } } }`, nil, &out); err != nil {
			return err
		}
		for _, n := range out.SystemHealth.Nodes {
			if !n.Healthy {
				return fmt.Errorf("it does not: %v", n.Error)
			}
		}
		return nil
	})
}

// everything returns a stopped server's whole console, after checking that no line is missing.
func (w *world) everything(id string) []harness.Line {
	w.tb.Helper()
	lines := w.admin.Console(id, "0")
	defer lines.Close()
	lines.Await(soon, "SYSTEM", "Stopped")
	return lines.Lines
}

// TestC3NoisyNeighbour has one container do its worst within its limits, while the console of another goes on.
func TestC3NoisyNeighbour(t *testing.T) {
	t.Parallel()
	const rate, seconds = 100, 6
	w := allInOne(t, containers(t)...)
	noise := w.template(vars{
		"name": "Noise", "defaultImage": shop(t), "memory": 128 << 20, "cpu": 100, "disk": 64 << 20, "crashPolicy": "NEVER",
		"startup": `echo ready; bomb() { bomb | bomb & }; bomb; yes 'a line among very many' & (head -c 100000000 /dev/zero | tr '\0' x; echo) &
head -c 64m /dev/zero | tail >/dev/null & head -c 1000000 /dev/urandom; i=0; while :; do i=$((i+1)); printf 'progress %d\r' $i; done`,
		"readyPatterns": []string{"^ready$"},
	})
	quiet := w.running("quiet")
	lines := w.meters([]string{quiet}, 3)
	id := w.made(vars{"name": "noise", "templateId": noise, "startOnInstall": true})
	w.awaitState(id, "RUNNING", "CRASHED")
	before := harness.CPUTime(t, w.panel.PID)
	begun := time.Now()
	w.command(quiet, fmt.Sprintf("rate %d %d", rate, seconds))
	delays := w.watched("beside a noisy neighbour", lines, rate*seconds)
	cores := (harness.CPUTime(t, w.panel.PID) - before).Seconds() / time.Since(begun).Seconds()
	memory, err := harness.RSS(w.panel.PID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("panel and agent together used %.2f cores and %d MiB", cores, memory>>20)
	if memory > 400<<20 {
		t.Errorf("panel and agent together take %d MiB", memory>>20)
	}
	if loadOf().promised && (delays.Quantile(0.99) > 200*time.Millisecond || cores > 1) {
		t.Error("that is slower, or costs more, than promised")
	}
	begun = time.Now()
	w.power("killServer", id)
	w.awaitState(id, "STOPPED")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("killing it took %s", took)
	}
}
