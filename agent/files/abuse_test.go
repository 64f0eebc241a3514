package files_test

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// operations does everything that a tree offers with one path, and returns what each came to.
func operations(ctx context.Context, tr *files.Tree, name string) map[string]error {
	out := make(map[string]error)
	content := func(f *files.File, err error) error {
		if err != nil {
			return err
		}
		defer f.Close()
		b := make([]byte, 64)
		if n, _ := f.Read(b); strings.Contains(string(b[:n]), secret) {
			return errLeak
		}
		return nil
	}
	out["open"] = content(tr.Open(name))
	out["open to write"] = content(tr.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666))
	out["replace"] = func() error {
		r, err := tr.Replace(name, files.As{Parents: true})
		if err != nil {
			return err
		}
		defer r.Abort()
		_, err = r.Commit()
		return err
	}()
	_, out["stat"] = tr.Stat(name, true)
	_, out["list"] = tr.List(ctx, name, files.Page{Most: 10, Order: files.BySize})
	_, out["search"] = tr.Search(ctx, name, "nothing", 1)
	out["walk"] = tr.Walk(ctx, name, func(v *files.Visit) error {
		if v.Kind != files.Regular {
			return nil
		}
		if err := content(v.Open()); errors.Is(err, errLeak) {
			return err
		}
		return nil
	})
	out["mkdir"] = tr.Mkdir(name, 0o777, true)
	out["chmod"] = tr.Chmod(name, 0o777)
	out["chtimes"] = tr.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0))
	out["symlink"] = tr.Symlink("x", name)
	out["link from"] = tr.Link(name, "linked")
	out["link to"] = tr.Link("file", name)
	out["rename from"] = tr.Rename(name, "renamed", true)
	out["rename to"] = tr.Rename("file", name, true)
	out["copy from"] = tr.Copy(ctx, name, "copied")
	out["copy to"] = tr.Copy(ctx, "file", name)
	out["remove file"] = tr.RemoveFile(name)
	out["remove directory"] = tr.RemoveDir(name)
	out["delete"] = tr.Delete(ctx, name)
	return out
}

const secret = "precious"

var errLeak = errors.New("something from outside was read")

// outside makes a directory that must not change, and returns a function that says how it looks.
func outside(t *testing.T) (string, func() map[string]string) {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "sub", "empty"), 0o700), os.WriteFile(filepath.Join(dir, "file"), []byte(secret), 0o600),
		os.WriteFile(filepath.Join(dir, "sub", "file"), []byte(secret), 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir, func() map[string]string {
		seen := make(map[string]string)
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			var content []byte
			if info.Mode().IsRegular() {
				content, err = os.ReadFile(path)
			}
			owner := info.Sys().(*syscall.Stat_t)
			seen[path] = info.Mode().String() + string(content) + info.ModTime().String() + string(rune(owner.Uid)) + string(rune(owner.Nlink))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
}

// TestF1 tries paths that lead out with every operation: none does anything, and the process is told why.
func TestF1(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"..", "../", "../files/x", "/..", "a/../b", "a/..", "./..", "a//../..", "\x00", "file\x00.txt", strings.Repeat("a", 256),
		strings.Repeat("a/", 2100), "../files-sibling/x", "....//..", "a/./../..",
	} {
		tr, _ := tree(t)
		mustPut(t, tr, "file", "mine")
		for name, err := range operations(t.Context(), tr, bad) {
			if fault.CodeOf(err) != fault.BadUserInput {
				t.Errorf("%s of %q: %v", name, bad, err)
			}
		}
	}
	for given, want := range map[string]string{"": ".", "/": ".", "//a///b/": "a/b", "a/.": "a", "./a": "a", `a\..\b`: `a\..\b`, "...": "..."} {
		if got, err := files.Clean(given); err != nil || got != want {
			t.Errorf("Clean(%q) = %q, %v", given, got, err)
		}
	}
}

// TestF1Root tries to replace, move and delete the root.
func TestF1Root(t *testing.T) {
	t.Parallel()
	tr, root := tree(t)
	mustPut(t, tr, "file", "mine")
	for _, name := range []string{"", "/", ".", "//", "/./"} {
		done := operations(t.Context(), tr, name)
		for _, op := range []string{
			"open", "open to write", "replace", "mkdir", "symlink", "link from", "link to", "rename from", "rename to", "copy from",
			"copy to", "remove file", "remove directory", "delete",
		} {
			if code := fault.CodeOf(done[op]); code != fault.BadUserInput && code != fault.Conflict {
				t.Errorf("%s of %q: %v", op, name, done[op])
			}
		}
	}
	if _, err := os.Stat(filepath.Join(root, "file")); err != nil {
		t.Error(err)
	}
}

// TestF1Links tries links of all kinds with every operation.
func TestF1Links(t *testing.T) {
	t.Parallel()
	out, look := outside(t)
	want := look()
	for _, target := range []string{out, out + "/file", out + "/sub", out + "/new", "../../../.." + out, "..", "../state.json", "chain", "loop"} {
		for _, below := range []string{"", "/file", "/sub/file", "/new/x"} {
			tr, root := tree(t)
			mustPut(t, tr, "file", "mine")
			if err := errors.Join(
				os.WriteFile(filepath.Join(root, "..", "state.json"), []byte(secret), 0o600),
				os.Symlink(target, filepath.Join(root, "bad")),
				os.Symlink(out, filepath.Join(root, "chain")),
				os.Symlink("loop", filepath.Join(root, "loop")),
			); err != nil {
				t.Fatal(err)
			}
			for name, err := range operations(t.Context(), tr, "bad"+below) {
				if errors.Is(err, errLeak) {
					t.Errorf("%s of bad%s -> %s", name, below, target)
				}
				if code := fault.CodeOf(err); code == fault.Internal {
					t.Errorf("%s of bad%s -> %s: %v", name, below, target, err)
				}
			}
			if b, err := os.ReadFile(filepath.Join(root, "..", "state.json")); err != nil || string(b) != secret {
				t.Fatalf("beside the root: %q, %v", b, err)
			}
		}
	}
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Errorf("outside changed (-want +got):\n%s", diff)
	}
}

var hostileTime = flag.Duration("hostile-time", 2*time.Second, "how long the hostile program of TestF1Race works")

// TestF1Race works in a directory in which a hostile program swaps directories and links all the time.
func TestF1Race(t *testing.T) {
	t.Parallel()
	tr, root := tree(t)
	out, look := outside(t)
	want := look()
	ctx, cancel := context.WithTimeout(t.Context(), *hostileTime)
	defer cancel()
	var running sync.WaitGroup
	for i, target := range []string{out, "../../../../../../../../../.." + out} {
		running.Go(func() {
			at := filepath.Join(root, "swap")
			own := filepath.Join(root, "own"+strconv.Itoa(i)) // what is written here cannot be led outside
			for ctx.Err() == nil {
				_ = os.MkdirAll(own+"/sub", 0o777)
				_ = os.WriteFile(own+"/file", []byte("mine"), 0o666)
				_ = os.Rename(own, at)
				_ = os.Rename(at, own)
				_ = os.Symlink(target, at)
				_ = os.Remove(at)
				_ = os.Symlink(target+"/file", at)
				_ = os.Remove(at)
				_ = os.RemoveAll(own)
			}
		})
	}
	for range 2 {
		running.Go(func() {
			for ctx.Err() == nil {
				_ = os.WriteFile(filepath.Join(root, "file"), []byte("mine"), 0o666)
				below := []string{"", "/file", "/sub/file", "/sub", "/new/x"}
				for name, err := range operations(ctx, tr, "swap"+below[rand.IntN(len(below))]) {
					if errors.Is(err, errLeak) {
						t.Errorf("%s: %v", name, err)
					}
				}
				_ = tr.Delete(ctx, "copied")
				_ = tr.Delete(ctx, "renamed")
				_ = tr.Delete(ctx, "linked")
			}
		})
	}
	running.Wait()
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Errorf("outside changed (-want +got):\n%s", diff)
	}
}

// TestF2 has a FIFO, a socket and a device where files are expected: nothing waits for them.
func TestF2(t *testing.T) {
	tr, root := tree(t)
	made := []string{"fifo", "socket"}
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root) // the path of a socket may have 108 bytes
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if syscall.Mknod(filepath.Join(root, "device"), syscall.S_IFCHR|0o666, 1<<8|5) == nil { // /dev/zero
		made = append(made, "device")
	}
	for _, name := range made {
		if err := os.Symlink(name, filepath.Join(root, name+"-link")); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := tr.List(t.Context(), "", files.Page{Most: 10})
	if err != nil || len(listed.Entries) != 2*len(made) {
		t.Errorf("listed %v, %v", names(listed.Entries), err)
	}
	for _, e := range listed.Entries {
		if e.Kind != files.Other && e.Kind != files.Symlink {
			t.Errorf("%s is a %d", e.Path, e.Kind)
		}
	}
	for _, name := range made {
		for _, via := range []string{name, name + "-link"} {
			for _, flags := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_CREATE | os.O_TRUNC} {
				if f, err := tr.OpenFile(via, flags, 0o666); fault.CodeOf(err) != fault.BadUserInput {
					t.Errorf("opened %s: %v, %v", via, f, err)
				}
			}
			if _, err := tr.Replace(via, files.As{}); fault.CodeOf(err) != fault.BadUserInput {
				t.Errorf("replaced %s: %v", via, err)
			}
		}
		if err := tr.Copy(t.Context(), name, "copy-"+name); fault.CodeOf(err) != fault.BadUserInput {
			t.Errorf("copied %s: %v", name, err)
		}
	}
	if err := errors.Join(tr.Mkdir("dir", 0o755, false), tr.Rename("fifo", "dir/fifo", false), tr.Copy(t.Context(), "dir", "copy")); err != nil {
		t.Error(err)
	}
	if _, err := tr.Search(t.Context(), "", "fifo", 10); err != nil {
		t.Error(err)
	}
	if err := errors.Join(tr.Delete(t.Context(), "dir"), tr.Delete(t.Context(), "socket")); err != nil {
		t.Error(err)
	}
}

// TestF5 uses names that are legal and nasty.
func TestF5(t *testing.T) {
	t.Parallel()
	tr, _ := tree(t)
	nasty := []string{
		"new\nline", "esc\x1b[31m", `quote"'`, "rtl\u202egpj.exe", strings.Repeat("ü", 127) + "x", "\xff\xfe", " ", "-rf", "~", "*", `back\slash`,
		"CON", "...", "a\rb", "\u0000"[:0] + "tab\t", "%2e%2e", "$(id)", "café", "cafe\u0301",
	}
	for _, name := range nasty {
		mustPut(t, tr, "dir/"+name, name)
	}
	l, err := tr.List(t.Context(), "dir", files.Page{Most: 100})
	if err != nil || len(l.Entries) != len(nasty) {
		t.Fatalf("listed %d of %d, %v", len(l.Entries), len(nasty), err)
	}
	invalid := false
	for _, e := range l.Entries {
		if text, err := read(t, tr, e.Path); err != nil || text != e.Name() {
			t.Errorf("%q: %q, %v", e.Path, text, err)
		}
		invalid = invalid || !utf8.ValidString(e.Path)
	}
	if !invalid {
		t.Error("a name that is no UTF-8 was changed")
	}
	if err := tr.Copy(t.Context(), "dir", "copy"); err != nil {
		t.Fatal(err)
	}
	if err := tr.Mkdir("renamed", 0o755, false); err != nil {
		t.Fatal(err)
	}
	for _, name := range nasty {
		if err := errors.Join(tr.Rename("copy/"+name, "renamed/"+name, false), tr.Delete(t.Context(), "dir/"+name)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "/", "a/b", "../x", "a//b/.", "\x00", `a\b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := files.Clean(name)
		if err != nil {
			if fault.CodeOf(err) != fault.BadUserInput {
				t.Fatal(err)
			}
			return
		}
		if clean != "." && (!fs.ValidPath(clean) && utf8.ValidString(clean) || strings.HasPrefix(clean, "/")) {
			t.Fatalf("Clean(%q) = %q", name, clean)
		}
		for part := range strings.SplitSeq(clean, "/") {
			if part == ".." || part == "" {
				t.Fatalf("Clean(%q) = %q", name, clean)
			}
		}
		if again, err := files.Clean(clean); err != nil || again != clean {
			t.Fatalf("Clean(%q) = %q, %v", clean, again, err)
		}
	})
}

func BenchmarkList(b *testing.B) {
	s, err := files.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	id := newServer(b, s)
	root := filepath.Join(s.Path(id), files.FilesDir)
	for i := range 100_000 {
		f, err := os.Create(filepath.Join(root, "chunk."+strings.Repeat("x", i%8)+time.Duration(i).String()))
		if err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
	}
	tr, err := s.Tree(id)
	if err != nil {
		b.Fatal(err)
	}
	defer tr.Close()
	for name, order := range map[string]files.Order{"name": files.ByName, "size": files.BySize} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if l, err := tr.List(b.Context(), "", files.Page{Most: 100, Order: order}); err != nil || l.Total != 100_000 {
					b.Fatal(l.Total, err)
				}
			}
		})
	}
}
