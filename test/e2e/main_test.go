// Package e2e tests the real binary from outside, as its users see it: processes, HTTP, WebSockets, signals.
package e2e

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := errors.Join(harness.Cleanup(), testbed.Cleanup()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
