package containerd_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := testbed.Cleanup(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// machine makes runtimes of one agent on the containerd of this test process.
func machine(t *testing.T) runtimetest.Machine {
	t.Helper()
	return machineOn(t, testbed.Containerd(t))
}

func machineOn(t *testing.T, daemon *testbed.Daemon) runtimetest.Machine {
	t.Helper()
	dir, program, networks := t.TempDir(), testbed.Program(t), testbed.Networks(t)
	return func() runtime.Runtime {
		rt, err := containerd.New(t.Context(), containerd.Config{
			Address: daemon.Address, Dir: dir, Executable: program, Networks: networks,
		})
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	runtimetest.Run(t, machine)
}
