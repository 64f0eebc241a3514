package testbed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var program = sync.OnceValues(buildProgram)

// Program returns the path of a static executable that is a holder and the Demo game.
func Program(t testing.TB) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func buildProgram() (string, error) {
	dir, err := os.MkdirTemp("", "catalyst-tiny")
	if err != nil {
		return "", fmt.Errorf("build the program: %w", err)
	}
	path := filepath.Join(dir, "catalyst")
	const source = "github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed/tiny"
	cmd := exec.Command("go", "build", "-o", path, source) //nolint:noctx // one build for all tests
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build the program: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return path, nil
}
