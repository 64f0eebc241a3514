package containerd_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

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
	port := freePort(t)
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
	if info := askTeeworlds(t, port); !strings.Contains(info, "Catalyst") {
		t.Errorf("the game answered %q", info)
	}
	inst.Detach()
}

// askTeeworlds asks for the game's description as its browser of servers does: first for a token, then with it.
func askTeeworlds(t *testing.T, port int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	mine := []byte{1, 2, 3, 4}
	answer := make([]byte, 2048)
	ask := func(packet []byte, ok func(answer []byte) bool) []byte {
		t.Helper()
		for ctx.Err() == nil {
			if _, err := conn.Write(packet); err != nil {
				continue // refused until it listens
			}
			if err := conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if n, err := conn.Read(answer); err == nil && ok(answer[:n]) {
				return bytes.Clone(answer[:n])
			}
		}
		t.Fatal("the game does not answer")
		return nil
	}
	// A control packet (flag 1, chunk count 0) with no token yet, message 5, our token, padded so that it is no amplifier.
	hello := append([]byte{0x04, 0, 0, 0xff, 0xff, 0xff, 0xff, 5}, mine...)
	hello = append(hello, make([]byte, 508)...)
	token := ask(hello, func(a []byte) bool { return len(a) >= 12 && a[7] == 5 })[8:12]
	// A connectionless packet (flag 8, version 1) with both tokens and the request for information.
	request := append([]byte{0x21}, token...)
	request = append(append(request, mine...), "\xff\xff\xff\xffgie3\x00"...)
	return string(ask(request, func(a []byte) bool { return bytes.Contains(a, []byte("inf3")) }))
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
