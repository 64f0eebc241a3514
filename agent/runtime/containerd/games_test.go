package containerd_test

import (
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
)

// TestTeeworlds pulls a game that speaks UDP, starts it, and asks it through the mapped port who it is.
func TestTeeworlds(t *testing.T) {
	t.Parallel()
	image := testbed.Push(t, "teeworlds", testbed.NewLayer().Package(t, "teeworlds-server", "teeworlds-data").Busybox(t), v1.Config{})
	b := runtimetest.NewBench(t, machine(t))
	port := testbed.Port(t)
	var told []string
	spec := &protocol.ServerSpec{
		Image: image, Argv: []string{"teeworlds-server", "sv_name Catalyst", fmt.Sprintf("sv_port %d", port), "sv_register 0"},
		ReadyPatterns: []string{"server name is"}, Ports: []*protocol.Port{{Ip: "127.0.0.1", Port: int32(port), Primary: true}},
	}
	err := b.Runtime.Prepare(t.Context(), spec, func(_ float64, message string) { told = append(told, message) })
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(told, "\n"); !strings.Contains(said, "Pulling ") || !strings.Contains(said, "(sha256:") {
		t.Errorf("the pull said %q", said)
	}
	inst := b.Start(spec)
	b.Ready(inst)
	if info := testbed.AskTeeworlds(t, port); !strings.Contains(info, "Catalyst") {
		t.Errorf("the game answered %q", info)
	}
	inst.Detach()
}

// TestFreeciv pulls a game with libraries and data, which obeys its console.
func TestFreeciv(t *testing.T) {
	t.Parallel()
	image := testbed.Push(t, "freeciv", testbed.NewLayer().Package(t, "freeciv-server", "freeciv-data").Busybox(t), v1.Config{})
	b := runtimetest.NewBench(t, machine(t))
	inst := b.Start(&protocol.ServerSpec{
		Image: image, Argv: []string{"freeciv-server", "--Announce", "none"}, ReadyPatterns: []string{"Now accepting new client connections"},
	})
	b.Ready(inst)
	b.Input(inst, "help save")
	await(b, "STDOUT Command: save")
	b.Input(inst, "quit")
	if exit := b.Exit(inst); exit.Code != 0 {
		t.Errorf("exit = %+v", exit)
	}
}
