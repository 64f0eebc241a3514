package agent_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"connectrpc.com/connect"

	_ "github.com/catalyst-panel/catalyst/agent/earlyexec" // the test binary is its own holder and game
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime/process"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// demo is a node with the process runtime and one server that plays the Demo game.
type demo struct {
	*node
	id         string
	link       *panelLink
	console    *connect.BidiStreamForClient[protocol.ConsoleRequest, protocol.ConsoleResponse]
	seq        uint64
	generation uint64
}

func newDemo(t *testing.T) (*demo, *panel) {
	t.Helper()
	p := newPanel(t)
	d := &demo{node: newNode(t, p), id: kind.NewID(kind.PrefixServer)}
	d.restart(p)
	return d, p
}

// restart begins a new agent over what an earlier one left.
func (d *demo) restart(p *panel) {
	d.t.Helper()
	d.end()
	programs, err := process.New(process.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		d.t.Fatal(err)
	}
	d.config.Runtime = programs
	d.start()
	d.link = p.link()
	d.console = d.link.calls.Console(d.t.Context())
	if err := d.console.Send(&protocol.ConsoleRequest{ServerId: d.id, After: d.seq}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *demo) want(power protocol.Power, run uint64) {
	d.t.Helper()
	d.generation++
	_, err := d.link.calls.ApplyServer(d.t.Context(), request(&protocol.ApplyServerRequest{
		Spec: &protocol.ServerSpec{
			ServerId: d.id, Argv: []string{"catalyst", "demo-game"}, ReadyPatterns: []string{"^ready$"}, StartTimeoutMs: 20_000,
			Stop:  &protocol.StopSpec{Command: "stop", GraceMs: 5000},
			Crash: &protocol.CrashSpec{Policy: protocol.CrashPolicy_CRASH_POLICY_ON_FAILURE, MaxRestarts: 3, WindowMs: 600_000},
		},
		Desired: &protocol.Desired{Generation: d.generation, Power: power, Run: run},
	}))
	if err != nil {
		d.t.Fatalf("apply: %v", err)
	}
}

func (d *demo) input(text string) {
	d.t.Helper()
	if _, err := d.link.calls.SendInput(d.t.Context(), request(&protocol.SendInputRequest{ServerId: d.id, Text: text})); err != nil {
		d.t.Fatalf("input %q: %v", text, err)
	}
}

// expect reads the console until a line begins with a text, checks that no line is missing, and returns the lines.
func (d *demo) expect(text string) []string {
	d.t.Helper()
	var lines []string
	for {
		batch, err := d.console.Receive()
		if err != nil {
			d.t.Fatalf("console before %q: %v; lines: %q", text, err, lines)
		}
		found := false
		for _, line := range batch.GetLines() {
			if line.GetSeq() != d.seq+1 {
				d.t.Fatalf("line %d follows %d", line.GetSeq(), d.seq)
			}
			d.seq = line.GetSeq()
			lines = append(lines, line.GetText())
			found = found || strings.HasPrefix(line.GetText(), text)
		}
		if found {
			return lines
		}
	}
}

func TestDemoGame(t *testing.T) {
	d, p := newDemo(t)
	d.want(protocol.Power_POWER_RUN, 1)
	d.expect("ready")
	d.input("say hello")
	d.expect("you said: hello")

	d.input("burst 10000")
	var burst []string
	for _, line := range d.expect("burst done") {
		if strings.HasPrefix(line, "burst ") && strings.Contains(line, "/") {
			burst = append(burst, line)
		}
	}
	if len(burst) != 10_000 || burst[0] != "burst 1/10000" || burst[9999] != "burst 10000/10000" {
		t.Errorf("%d lines of the burst", len(burst))
	}
	stats, err := d.link.calls.Stats(t.Context(), request(&protocol.StatsRequest{ServerIds: []string{d.id}}))
	if err != nil || len(stats.Msg.GetSamples()) != 1 || stats.Msg.GetSamples()[0].GetMemoryBytes() == 0 {
		t.Errorf("stats: %v, %v", stats, err)
	}

	// The game plays on without an agent.
	d.input("rate 200 2")
	d.restart(p)
	printed := 0
	for _, line := range d.expect("rate done") {
		if strings.HasPrefix(line, "rate ") && line != "rate 200 2" && !strings.HasPrefix(line, "rate done") {
			printed++
		}
	}
	equal(t, "lines while agents changed", 400, printed)

	d.input("crash 3")
	d.expect("Crashed: exited with code 3, restarting in 1s")
	d.expect("ready")
	d.want(protocol.Power_POWER_RUN, 2)
	d.expect("bye")
	d.expect("ready")
	d.want(protocol.Power_POWER_KILL, 2)
	d.expect("Stopped")
	events := followEvents(t, d.link, 0)
	got, _ := states(t, events, fmt.Sprintf("STOPPED g%d r2", d.generation))
	equal(t, "history", []string{
		"1 STARTING g1 r1", "2 RUNNING g1 r1", "3 CRASHED g1 r1", "4 STARTING g1 r1", "5 RUNNING g1 r1",
		"6 STOPPING g2 r1", "7 STOPPED g2 r1", "8 STARTING g2 r2", "9 RUNNING g2 r2", "10 STOPPING g3 r2", "11 STOPPED g3 r2",
	}, got)
	if _, err := d.link.calls.RemoveServer(t.Context(), request(&protocol.RemoveServerRequest{ServerId: d.id})); err != nil {
		t.Errorf("removal: %v", err)
	}
}

func TestProgramThatDoesNotExist(t *testing.T) {
	d, _ := newDemo(t)
	_, err := d.link.calls.ApplyServer(t.Context(), request(&protocol.ApplyServerRequest{
		Spec:    &protocol.ServerSpec{ServerId: d.id, Argv: []string{"no-such-game"}},
		Desired: &protocol.Desired{Generation: 1, Power: protocol.Power_POWER_RUN, Run: 1},
	}))
	if err != nil {
		t.Fatal(err)
	}
	lines := d.expect("Could not be started")
	if last := lines[len(lines)-1]; !strings.Contains(last, "no-such-game") {
		t.Errorf("the console says %q", last)
	}
	got, _ := states(t, followEvents(t, d.link, 0), "ERROR")
	equal(t, "history", []string{"1 STARTING g1 r1", "2 ERROR g1 r1"}, got)
}
