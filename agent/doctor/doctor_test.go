package doctor_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/doctor"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
)

// TestExamine finds nothing missing where the tests of containers run, and says what to do where containerd is not.
func TestExamine(t *testing.T) {
	t.Parallel()
	daemon := testbed.OwnContainerd(t)
	testbed.NeedPlugins(t)
	var healthy strings.Builder
	if err := doctor.Report(&healthy, doctor.Examine(t.Context(), daemon.Address, t.TempDir())); err != nil {
		t.Errorf("%v:\n%s", err, healthy.String())
	}
	nowhere := filepath.Join(t.TempDir(), "containerd.sock")
	var ill strings.Builder
	err := doctor.Report(&ill, doctor.Examine(t.Context(), nowhere, t.TempDir()))
	if err == nil || !strings.Contains(ill.String(), "missing  containerd at "+nowhere) || !strings.Contains(ill.String(), "apt-get install containerd") {
		t.Errorf("without containerd: %v:\n%s", err, ill.String())
	}
}
