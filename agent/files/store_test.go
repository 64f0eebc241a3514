package files_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

func open(t *testing.T) (*files.Store, string) {
	t.Helper()
	s, err := files.Open(filepath.Join(t.TempDir(), "servers"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, newServer(t, s)
}

func newServer(tb testing.TB, s *files.Store) string {
	tb.Helper()
	id := kind.NewID(kind.PrefixServer)
	if err := s.Create(id); err != nil {
		tb.Fatal(err)
	}
	return id
}

func write(t *testing.T, path string, size int) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCreateListRemove(t *testing.T) {
	t.Parallel()
	s, id := open(t)
	root := filepath.Join(s.Path(id), files.FilesDir)
	write(t, filepath.Join(root, "world.dat"), 10)
	write(t, filepath.Join(s.Path(id), "state.json"), 10)
	outside := filepath.Join(t.TempDir(), "precious")
	write(t, outside, 10)
	for _, link := range []string{filepath.Join(root, "link"), filepath.Join(s.Path(id), ".removing")} {
		if err := os.Symlink(filepath.Dir(outside), link); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Create(id); err != nil {
		t.Errorf("create again: %v", err)
	}
	if ids, err := s.List(); err != nil || !slices.Equal(ids, []string{id}) {
		t.Errorf("List = %v, %v", ids, err)
	}
	if err := os.MkdirAll(filepath.Join(s.Path(id), "run", "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.Remove(ended, id, true); !errors.Is(err, context.Canceled) {
		t.Errorf("without time: %v", err)
	}
	if err := s.Remove(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(s.Path(id) + "/*"); len(hidden(t, s.Path(id))) > 0 || !slices.Equal(left, []string{root}) {
		t.Errorf("left with the files kept: %v", left)
	}
	for range 2 {
		if err := s.Remove(t.Context(), id, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(s.Path(id)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
	if err := s.Remove(t.Context(), id, true); err != nil {
		t.Errorf("remove what is gone: %v", err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("a link led outside: %v", err)
	}
}

func TestNamesThatAreNoServer(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for _, id := range []string{"", ".", "..", "/", "a/../b", "srv_x", kind.NewID(kind.PrefixNode), kind.NewID(kind.PrefixServer) + "/.."} {
		if s.Create(id) == nil || s.Remove(t.Context(), id, false) == nil {
			t.Errorf("%q was taken for a server", id)
		}
		if _, err := s.Usage(t.Context(), id); err == nil {
			t.Errorf("%q was measured", id)
		}
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	s, id := open(t)
	root := filepath.Join(s.Path(id), files.FilesDir)
	if err := os.MkdirAll(filepath.Join(root, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	empty, err := s.Usage(t.Context(), id)
	if err != nil || empty.Inodes != 3 {
		t.Fatalf("three directories: %+v, %v", empty, err)
	}
	write(t, filepath.Join(root, "a", "b", "file"), 1<<20)
	if err := os.Link(filepath.Join(root, "a", "b", "file"), filepath.Join(root, "again")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"up": "..", "loop": ".", "out": "/usr", "gone": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Usage(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(int64(3+1+1+4), got.Inodes); diff != "" {
		t.Errorf("inodes (-want +got):\n%s", diff)
	}
	if grown := got.Bytes - empty.Bytes; grown < 1<<20 || grown > 1<<20+64<<10 {
		t.Errorf("bytes grew by %d, want 1 MiB once", grown)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Usage(ctx, id); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	if none, err := s.Usage(t.Context(), kind.NewID(kind.PrefixServer)); err != nil || none != (files.Usage{}) {
		t.Errorf("a server without a root: %+v, %v", none, err)
	}
}

// TestDeepDirectories measures and removes directories that are nested deeper than there are descriptors, among them
// some that nobody may read or write.
func TestDeepDirectories(t *testing.T) {
	s, id := open(t)
	root, err := os.OpenRoot(filepath.Join(s.Path(id), files.FilesDir))
	if err != nil {
		t.Fatal(err)
	}
	const depth = 1500
	at := root
	for range depth {
		if err := at.Mkdir("d", 0o700); err != nil {
			t.Fatal(err)
		}
		below, err := at.OpenRoot("d")
		if err != nil {
			t.Fatal(err)
		}
		_ = at.Close()
		at = below
	}
	if err := errors.Join(at.WriteFile("file", []byte("x"), 0o600), at.Chmod(".", 0o500), at.Close()); err != nil {
		t.Fatal(err)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 200
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}()
	if got, err := s.Usage(t.Context(), id); err != nil || got.Inodes < depth {
		t.Errorf("measured %+v, %v", got, err)
	}
	if err := s.Remove(t.Context(), id, false); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(s.Path(id)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is left: %v", err)
	}
}

// hidden lists what a pattern does not match.
func hidden(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(dir + "/.*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}
