package runtime_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
)

// TestC2Installer is bounded whatever the server is, and has nothing of its network.
func TestC2Installer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ server, want *protocol.Limits }{
		"unlimited": {nil, &protocol.Limits{Memory: 4 << 30, Cpu: 400, Pids: 1024}},
		"small":     {&protocol.Limits{Memory: 64 << 20, Cpu: 20, Disk: 5}, &protocol.Limits{Memory: 1 << 30, Cpu: 100, Disk: 5, Pids: 1024}},
		"large":     {&protocol.Limits{Memory: 9 << 30, Cpu: 900, Pids: 9999}, &protocol.Limits{Memory: 9 << 30, Cpu: 900, Pids: 1024}},
	} {
		server := &protocol.ServerSpec{
			ServerId: "srv_x", Image: "game", Shell: "run", Environment: map[string]string{"A": "b"}, NetworkMode: "HOST", Network: "lan",
			Ports: []*protocol.Port{{Ip: "192.0.2.1", Port: 1}}, ReadyPatterns: []string{"ready"}, Tty: true, Limits: tt.server,
			Install: &protocol.InstallSpec{Image: "tools", Script: "x"},
		}
		want := &protocol.ServerSpec{
			ServerId: "srv_x", Image: "tools", Argv: []string{"/bin/sh", runtime.ScriptPath}, Environment: map[string]string{"A": "b"},
			NetworkMode: "BRIDGE", Limits: tt.want, Install: server.GetInstall(),
		}
		if diff := cmp.Diff(want, runtime.Installer(server), protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
