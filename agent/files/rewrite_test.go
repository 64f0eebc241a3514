package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/files"
)

func TestRewrite(t *testing.T) {
	t.Parallel()
	s, id := open(t)
	root := filepath.Join(s.Path(id), files.FilesDir)
	old := filepath.Join(root, "old")
	write(t, old, 3)
	if err := os.Chmod(old, 0o640); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chown(old, 12345, 12346), os.Chown(root, 12347, 12347)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, ".old.catalyst-new"), 1) // a power cut left it
	add := func(was []byte) ([]byte, error) { return append(was, "+new"...), nil }
	for name, want := range map[string]struct {
		content  string
		mode     os.FileMode
		uid, gid uint32
	}{
		"old": {"xxx+new", 0o640, 12345, 12346}, "new": {"+new", 0o644, 12347, 12347},
	} {
		if err := s.Rewrite(id, name, 100, add); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || string(content) != want.content {
			t.Errorf("%s holds %q, %v", name, content, err)
		}
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode().Perm() != want.mode {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
		if st, ok := info.Sys().(*syscall.Stat_t); os.Geteuid() == 0 && (!ok || st.Uid != want.uid || st.Gid != want.gid) {
			t.Errorf("%s belongs to %d:%d", name, st.Uid, st.Gid)
		}
	}
	if err := s.Rewrite(id, "deep/er/file", 100, add); err != nil {
		t.Error(err)
	}
	before, _ := os.Stat(old)
	if err := s.Rewrite(id, "old", 100, func(was []byte) ([]byte, error) { return was, nil }); err != nil {
		t.Error(err)
	}
	if after, _ := os.Stat(old); !os.SameFile(before, after) {
		t.Error("what did not change was written")
	}
	if err := s.Rewrite(id, "absent", 100, func([]byte) ([]byte, error) { return nil, nil }); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(root, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
	wrong := errors.New("wrong")
	if err := s.Rewrite(id, "old", 2, func(was []byte) ([]byte, error) {
		if len(was) != 3 {
			t.Errorf("read %d bytes", len(was))
		}
		return nil, wrong
	}); !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
}

// TestRewriteFollowsNoLink has a program put links, a FIFO and a directory where files are rewritten.
func TestRewriteFollowsNoLink(t *testing.T) {
	t.Parallel()
	s, id := open(t)
	root := filepath.Join(s.Path(id), files.FilesDir)
	outside := filepath.Join(t.TempDir(), "precious")
	write(t, outside, 3)
	write(t, filepath.Join(root, "inside"), 3)
	links := map[string]string{"out": outside, "in": "inside", "dangling": "nowhere", "dir-out": filepath.Dir(outside), ".ok.catalyst-new": outside}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600), os.Mkdir(filepath.Join(root, "dir"), 0o700)); err != nil {
		t.Fatal(err)
	}
	edit := func([]byte) ([]byte, error) { return []byte("changed"), nil }
	for _, name := range []string{"out", "in", "dangling", "fifo", "dir", "inside/below"} {
		if err := s.Rewrite(id, name, 100, edit); !errors.Is(err, files.ErrNotRegular) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"dir-out/precious", "../state.json", "/etc/passwd"} {
		if err := s.Rewrite(id, name, 100, edit); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	if err := s.Rewrite(id, "ok", 100, edit); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(outside); err != nil || string(content) != "xxx" {
		t.Errorf("the file outside holds %q, %v", content, err)
	}
}
