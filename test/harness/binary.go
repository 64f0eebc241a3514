package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// binary is built once for each test process.
var binary = sync.OnceValues(build)

// Binary returns the path of the program, built from the tree as it is.
func Binary(tb testing.TB) string {
	tb.Helper()
	path, err := binary()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// Cleanup removes the program. A TestMain calls it when all tests have ended.
func Cleanup() error {
	path, err := binary()
	if err != nil {
		return nil //nolint:nilerr // there is nothing to remove
	}
	return os.RemoveAll(filepath.Dir(path))
}

// Root returns the repository's root: the directory above the running test's that has the module's file.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("find the repository: no go.mod above the working directory")
		}
		dir = up
	}
}

func build() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "catalyst-e2e-bin")
	if err != nil {
		return "", fmt.Errorf("build the program: %w", err)
	}
	// Another account may have to run it.
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // see above
		return "", fmt.Errorf("build the program: %w", err)
	}
	path := filepath.Join(dir, "catalyst")
	cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", path, ".") //nolint:noctx // one build for all tests
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build the program: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return path, nil
}
