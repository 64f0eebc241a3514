package fulldisk

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Mount mounts a disk of its own, as large as size says in the terms of tmpfs, until the test ends.
func Mount(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	switch {
	case err != nil && os.Getenv("CATALYST_TEST_REQUIRE") == "all": //nolint:forbidigo // tests are told by the environment what they must not skip
		t.Fatalf("required for this run: a small disk: %v", err)
	case err != nil:
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Fill writes until the disk is full, and returns how to make room again.
func Fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
