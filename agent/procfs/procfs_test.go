package procfs_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/procfs"
)

func TestProcesses(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	cmd.Env = []string{"MARK=here"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	all, err := procfs.All()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, p := range procfs.Below(all, os.Getpid()) {
		if p.PID == cmd.Process.Pid {
			found = true
			if p.Parent != os.Getpid() || p.Zombie {
				t.Errorf("child: %+v", p)
			}
		}
	}
	if !found {
		t.Error("the child is not below its parent")
	}
	if !procfs.HasEnv(cmd.Process.Pid, "MARK=here") || procfs.HasEnv(cmd.Process.Pid, "MARK=her") {
		t.Error("HasEnv does not find exactly the entry")
	}
	if procfs.Catches(cmd.Process.Pid, 15) || !procfs.Catches(os.Getpid(), 15) {
		t.Error("Catches: want no handler in sleep and one in a Go program")
	}
	for _, p := range all {
		if p.PID == os.Getpid() && p.Memory < 1<<20 {
			t.Errorf("own resident memory = %d bytes", p.Memory)
		}
	}
}
