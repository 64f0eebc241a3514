package files_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// TestF6 fills a server with every way to write: none goes past the quota, and deleting makes room at once.
func TestF6(t *testing.T) {
	t.Parallel()
	const quota = 2 << 20
	s, id := open(t)
	s.SetQuota(id, files.Quota{Bytes: quota, Inodes: 200})
	tr, err := s.Tree(id)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	root := filepath.Join(s.Path(id), files.FilesDir)
	if err := os.WriteFile(filepath.Join(root, "half"), make([]byte, quota/2+1000), 0o600); err != nil { // by the program
		t.Fatal(err)
	}
	many := bytes.Repeat([]byte("x"), quota)
	writers := map[string]func() error{
		"replace": func() error {
			out, err := tr.Replace("new", files.As{})
			if err != nil {
				return err
			}
			defer out.Abort()
			_, err = io.Copy(out, bytes.NewReader(many))
			return err
		},
		"write": func() error {
			f, err := tr.OpenFile("new", os.O_WRONLY|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Write(many)
			return err
		},
		"append": func() error {
			f, err := tr.OpenFile("half", os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Write(many)
			return err
		},
		"write far away": func() error {
			f, err := tr.OpenFile("new", os.O_WRONLY|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("x"), 1<<40)
			return err
		},
		"truncate": func() error {
			f, err := tr.OpenFile("new", os.O_WRONLY|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			return f.Truncate(quota)
		},
		"copy": func() error { return tr.Copy(t.Context(), "half", "new") },
		"upload": func() error {
			_, err := tr.CreateUpload("upload01", "new", quota)
			return err
		},
		"upload midway": func() error {
			if _, err := tr.CreateUpload("upload02", "new", quota/4); err != nil {
				return err
			}
			defer func() { _ = tr.RemoveUpload("upload02") }()
			if err := os.WriteFile(filepath.Join(root, "more"), make([]byte, quota/2-60_000), 0o600); err != nil {
				return err
			}
			if _, err := s.Usage(t.Context(), id); err != nil {
				return err
			}
			_, err := tr.Append("upload02", 0, bytes.NewReader(many), nil)
			return err
		},
		"stage": func() error {
			staged, err := tr.Stage()
			if err != nil {
				return err
			}
			defer func() { _ = staged.Discard(t.Context()) }()
			f, err := staged.OpenFile("new", os.O_WRONLY|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Write(many)
			return err
		},
		"names": func() error {
			for i := range 300 {
				if err := tr.Mkdir(fmt.Sprint("d", i), 0o755, false); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for name, write := range writers {
		err := write()
		if fault.CodeOf(err) != fault.QuotaExceeded {
			t.Errorf("%s: %v", name, err)
		} else if f := err.Error(); !strings.Contains(f, "quota of 2.0 MiB") && !strings.Contains(f, "200 files") {
			t.Errorf("%s does not say how much: %v", name, err)
		}
		if used, err := s.Usage(t.Context(), id); err != nil || used.Bytes > quota {
			t.Errorf("%s: %d bytes are used, %v", name, used.Bytes, err)
		}
		entries, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "half" {
				if err := tr.Delete(t.Context(), e.Name()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := put(t, tr, "fits", strings.Repeat("x", quota/4), files.As{}); err != nil {
			t.Errorf("after %s there is no room: %v", name, err)
		}
		if err := tr.Delete(t.Context(), "fits"); err != nil {
			t.Fatal(err)
		}
	}
}
