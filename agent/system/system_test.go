package system_test

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/system"
)

func TestInfo(t *testing.T) {
	t.Parallel()
	info := system.Info(t.Context(), t.TempDir())
	if info.GetOs() == "" || info.GetArch() == "" || info.GetHostname() == "" || info.GetKernel() == "" {
		t.Errorf("a name is missing: %v", info)
	}
	if info.GetCpuCount() < 1 || info.GetMemory() <= 0 || info.GetDisk() <= 0 {
		t.Errorf("a size is missing: %v", info)
	}
}

// TestInfoIsText describes a machine that calls itself something that is no text.
func TestInfoIsText(t *testing.T) {
	etc := t.TempDir()
	if err := os.WriteFile(filepath.Join(etc, "os-release"), []byte("ID=b\xff\nVERSION_ID=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOST_ETC", etc)
	if _, err := proto.Marshal(system.Info(t.Context(), t.TempDir())); err != nil {
		t.Error(err)
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	s := system.NewSampler(t.TempDir())
	first := s.Sample(t.Context())
	if first.GetMemoryBytes() <= 0 || first.GetMemoryBytes() > first.GetMemoryLimit() || first.GetProcesses() < 1 || first.GetUptimeMs() <= 0 {
		t.Errorf("implausible sample: %v", first)
	}
	if again := s.Sample(t.Context()); again != first {
		t.Error("a second reading within a second was made")
	}
}
