package files_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// tree opens the root of a new server and returns where it lies.
func tree(t *testing.T) (*files.Tree, string) {
	t.Helper()
	s, id := open(t)
	tr, err := s.Tree(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr, filepath.Join(s.Path(id), files.FilesDir)
}

// put writes a file as a user does.
func put(t *testing.T, tr *files.Tree, name, text string, as files.As) (files.Entry, error) {
	t.Helper()
	out, err := tr.Replace(name, as)
	if err != nil {
		return files.Entry{}, err
	}
	defer out.Abort()
	if _, err := io.WriteString(out, text); err != nil {
		t.Fatal(err)
	}
	return out.Commit()
}

func mustPut(t *testing.T, tr *files.Tree, name, text string) {
	t.Helper()
	if _, err := put(t, tr, name, text, files.As{Parents: true}); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, tr *files.Tree, name string) (string, error) {
	t.Helper()
	f, err := tr.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), nil
}

func names(entries []files.Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Path)
	}
	return out
}

func TestReplace(t *testing.T) {
	t.Parallel()
	tr, root := tree(t)
	first, err := put(t, tr, "/conf/server.properties", "a=1", files.As{Parents: true})
	if err != nil {
		t.Fatal(err)
	}
	if first.Path != "conf/server.properties" || first.Size != 3 || first.Mode != 0o644 || first.Kind != files.Regular {
		t.Errorf("written: %+v", first)
	}
	if err := tr.Chmod("conf/server.properties", 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := put(t, tr, "conf/server.properties", "a=2", files.As{New: true}); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a new file over an old one: %v", err)
	}
	second, err := put(t, tr, "conf/server.properties", "a=22", files.As{UnmodifiedSince: first.ModifiedAt})
	if err != nil || second.Mode != 0o640 {
		t.Errorf("written again: %+v, %v", second, err)
	}
	if _, err := put(t, tr, "conf/server.properties", "a=3", files.As{UnmodifiedSince: first.ModifiedAt.Add(-time.Second)}); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("over somebody else's change: %v", err)
	}
	if _, err := put(t, tr, "conf/gone", "a=3", files.As{UnmodifiedSince: first.ModifiedAt}); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("over what was deleted: %v", err)
	}
	if text, err := read(t, tr, "conf/server.properties"); err != nil || text != "a=22" {
		t.Errorf("content %q, %v", text, err)
	}
	aborted, err := tr.Replace("conf/server.properties", files.As{})
	if err != nil {
		t.Fatal(err)
	}
	aborted.Abort()
	for _, e := range []string{filepath.Join(root, "conf"), filepath.Join(filepath.Dir(root), ".staging")} {
		left, err := os.ReadDir(e)
		if want := map[bool]int{true: 1}[strings.HasSuffix(e, "conf")]; err != nil || len(left) != want {
			t.Errorf("left in %s: %v, %v", e, left, err)
		}
	}
}

// TestTwoEditors has two people save the same file at the same time: one of them is told.
func TestTwoEditors(t *testing.T) {
	t.Parallel()
	tr, _ := tree(t)
	first, err := put(t, tr, "motd", "hello", files.As{})
	if err != nil {
		t.Fatal(err)
	}
	const editors = 8
	outcome := make(chan error, editors)
	for range editors {
		go func() {
			_, err := put(t, tr, "motd", "my version", files.As{UnmodifiedSince: first.ModifiedAt, ModifiedAt: first.ModifiedAt.Add(time.Second)})
			outcome <- err
		}()
	}
	saved := 0
	for range editors {
		if err := <-outcome; err == nil {
			saved++
		} else if fault.CodeOf(err) != fault.Conflict {
			t.Error(err)
		}
	}
	if saved != 1 {
		t.Errorf("%d editors saved", saved)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	tr, root := tree(t)
	for i, name := range []string{"b.txt", "A.txt", "a.txt", "c.txt"} {
		if _, err := put(t, tr, name, strings.Repeat("x", i), files.As{ModifiedAt: time.Unix(int64(100-i), 0)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"zoo", "Bar"} {
		if err := tr.Mkdir(name, 0o755, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("zoo", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		page files.Page
		want []string
	}{
		{"by name", files.Page{}, []string{"Bar", "zoo", "A.txt", "a.txt", "b.txt", "c.txt", "link"}},
		{"by name, backwards", files.Page{Reverse: true}, []string{"zoo", "Bar", "link", "c.txt", "b.txt", "a.txt", "A.txt"}},
		{"by size", files.Page{Order: files.BySize}, []string{"Bar", "zoo", "b.txt", "link", "A.txt", "a.txt", "c.txt"}},
	} {
		for _, most := range []int{1, 2, 3, 100} {
			var got []string
			page := test.page
			page.Most = most
			for {
				l, err := tr.List(t.Context(), "/", page)
				if err != nil {
					t.Fatal(err)
				}
				if l.Total != 7 || len(l.Entries) > most {
					t.Fatalf("%s: total %d, %d entries", test.name, l.Total, len(l.Entries))
				}
				got = append(got, names(l.Entries)...)
				if !l.More {
					break
				}
				page.After = &l.Places[len(l.Places)-1]
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s, %d at a time (-want +got):\n%s", test.name, most, diff)
			}
		}
	}
	l, err := tr.List(t.Context(), "/", files.Page{Order: files.ByModified, Most: 3})
	if err != nil || l.Entries[2].Path != "c.txt" {
		t.Errorf("by time: %v, %v", names(l.Entries), err)
	}
	e, err := tr.Stat("link", false)
	if err != nil || e.Kind != files.Symlink || e.Target != "zoo" {
		t.Errorf("link: %+v, %v", e, err)
	}
	if e, err = tr.Stat("link", true); err != nil || e.Kind != files.Directory || e.Path != "link" {
		t.Errorf("followed: %+v, %v", e, err)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	tr, root := tree(t)
	mustPut(t, tr, "a/b/deep.txt", "deep")
	mustPut(t, tr, "a/top.txt", "top")
	if err := errors.Join(tr.Chmod("a/b", 0o500), tr.Symlink("b/deep.txt", "a/link"), tr.Link("a/top.txt", "a/again")); err != nil {
		t.Fatal(err)
	}
	if err := tr.Copy(t.Context(), "a", "copy"); err != nil {
		t.Fatal(err)
	}
	if text, err := read(t, tr, "copy/link"); err != nil || text != "deep" {
		t.Errorf("through the copied link: %q, %v", text, err)
	}
	if e, err := tr.Stat("copy/b", false); err != nil || e.Mode != 0o500 {
		t.Errorf("copied directory: %+v, %v", e, err)
	}
	for name, err := range map[string]error{
		"copy into itself":           tr.Copy(t.Context(), "a", "a/b/c"),
		"copy over":                  tr.Copy(t.Context(), "a", "copy"),
		"rename over":                tr.Rename("a/top.txt", "a/again", false),
		"rename into itself":         tr.Rename("a", "a/b/c", false),
		"a directory that exists":    tr.Mkdir("a/b", 0o755, true),
		"a directory through a file": tr.Mkdir("a/top.txt/x", 0o755, true),
		"remove a full directory":    tr.RemoveDir("a"),
		"remove a directory as file": tr.RemoveFile("a"),
		"a link out":                 tr.Symlink("../x", "link"),
		"a link to nowhere on disk":  tr.Symlink("/etc/passwd", "link"),
	} {
		if code := fault.CodeOf(err); code != fault.Conflict && code != fault.BadUserInput {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := tr.Rename("a/top.txt", "copy/top.txt", true); err != nil {
		t.Error(err)
	}
	if err := tr.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if err := tr.Delete(t.Context(), "a"); fault.CodeOf(err) != fault.NotFound || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted twice: %v", err)
	}
	if left := hidden(t, filepath.Dir(root)); slices.Contains(left, filepath.Join(filepath.Dir(root), ".removing")) {
		t.Errorf("left: %v", left)
	}
	found, err := tr.Search(t.Context(), "", "TOP", 10)
	if err != nil || !slices.Equal(names(found.Entries), []string{"copy/top.txt"}) {
		t.Errorf("found %v, %v", names(found.Entries), err)
	}
	if found, err = tr.Search(t.Context(), "copy", "*.txt", 1); err != nil || len(found.Entries) != 1 || !found.More {
		t.Errorf("found %v, %v", found, err)
	}
	if _, err := tr.Search(t.Context(), "", "[", 1); fault.CodeOf(err) != fault.BadUserInput {
		t.Errorf("a bad pattern: %v", err)
	}
}

// TestOwner checks that what a user makes belongs to the server's user. It needs root.
func TestOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	s, id := open(t)
	root := filepath.Join(s.Path(id), files.FilesDir)
	if err := os.Chown(root, 12345, 12346); err != nil {
		t.Fatal(err)
	}
	tr, err := s.Tree(id)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	mustPut(t, tr, "dir/new", "x")
	f, err := tr.OpenFile("dir/opened", os.O_CREATE|os.O_WRONLY, 0o6755)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), tr.Symlink("new", "dir/link"), tr.Copy(t.Context(), "dir", "copy"), tr.Chmod("dir/new", 0o7777)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dir", "dir/new", "dir/opened", "dir/link", "copy", "copy/new", "copy/link"} {
		var st syscall.Stat_t
		if err := syscall.Lstat(filepath.Join(root, name), &st); err != nil {
			t.Fatal(err)
		}
		if st.Uid != 12345 || st.Gid != 12346 || st.Mode&0o7000 != 0 {
			t.Errorf("%s belongs to %d:%d, mode %o", name, st.Uid, st.Gid, st.Mode)
		}
	}
}
