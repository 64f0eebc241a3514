package fake_test

import (
	"testing"

	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/agent/runtime/fake"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	runtimetest.Run(t, func(t *testing.T) runtimetest.Machine {
		t.Helper()
		host := fake.NewHost()
		t.Cleanup(host.Close)
		return func() runtime.Runtime { return fake.New(host) }
	})
}
