package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zip"

	"github.com/catalyst-panel/catalyst/agent/archive"
	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// place is a server's tree, and where it lies.
type place struct {
	tree *files.Tree
	root string
}

func newPlace(tb testing.TB) place {
	tb.Helper()
	store, err := files.Open(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	id := kind.NewID(kind.PrefixServer)
	if err := store.Create(id); err != nil {
		tb.Fatal(err)
	}
	tree, err := store.Tree(id)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = errors.Join(tree.Close(), store.Close()) })
	return place{tree, filepath.Join(store.Path(id), files.FilesDir)}
}

// picture describes everything below a directory: kind, mode, time, content or target.
func picture(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	seen := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String() + " " + info.ModTime().Truncate(time.Second).UTC().Format(time.DateTime)
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			what += " " + string(content)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			what += " " + target
		}
		seen[strings.TrimPrefix(path, dir)] = what
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return seen
}

// world makes a directory as servers have them.
func (p place) world(t *testing.T) {
	t.Helper()
	at := func(name string) string { return filepath.Join(p.root, name) }
	old := time.Date(2019, 5, 4, 3, 2, 2, 0, time.UTC)
	err := errors.Join(
		os.MkdirAll(at("world/region"), 0o755), os.MkdirAll(at("world/empty"), 0o750),
		os.WriteFile(at("world/level.dat"), []byte("level"), 0o640), os.WriteFile(at("world/region/r.0.0.mca"), bytes.Repeat([]byte("chunk"), 10_000), 0o600),
		os.WriteFile(at("world/run.sh"), []byte("#!/bin/sh\n"), 0o755), os.WriteFile(at("world/"+strings.Repeat("ü", 120)), nil, 0o644),
		os.WriteFile(at("world/zero"), nil, 0o444), os.Symlink("region/r.0.0.mca", at("world/link")), os.Symlink("../world", at("world/up")),
	)
	for _, name := range []string{"world/zero", "world/level.dat", "world/empty", "world/region"} {
		err = errors.Join(err, os.Chtimes(at(name), old, old))
	}
	err = errors.Join(err, exec.CommandContext(t.Context(), "touch", "-h", "-d", "2019-05-04T03:02:02Z", at("world/link"), at("world/up")).Run(), os.Chtimes(at("world"), old, old))
	if err != nil {
		t.Fatal(err)
	}
}

// pack packs a tree's world into a file of it.
func (p place) pack(t *testing.T, name string, format archive.Format) {
	t.Helper()
	out, err := p.tree.Replace(name, files.As{})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Abort()
	if err := archive.Write(t.Context(), out, p.tree, archive.Packing{Format: format, Paths: []string{"world"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestF4 packs and unpacks: links, empty directories, modes and times are as they were.
func TestF4(t *testing.T) {
	t.Parallel()
	for _, format := range []archive.Format{archive.TarGzip, archive.TarZstd, archive.Zip, archive.Tar} {
		t.Run(format.Ending(), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.world(t)
			want := picture(t, filepath.Join(p.root, "world"))
			p.pack(t, "packed"+format.Ending(), format)
			done, err := archive.Unpack(t.Context(), p.tree, "packed"+format.Ending(), "restored", archive.Options{Limits: archive.Default()})
			if err != nil || done.LeftOut != 0 {
				t.Fatal(done, err)
			}
			if diff := cmp.Diff(want, picture(t, filepath.Join(p.root, "restored", "world"))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			found, more, err := archive.Look(t.Context(), p.tree, "packed"+format.Ending(), 100)
			if err != nil || more || len(found) != len(want)+1 {
				t.Errorf("looked at %d, %v, %v", len(found), more, err)
			}
		})
	}
}

// TestForeignPrograms has other programs read what is packed here, and reads what they pack.
func TestForeignPrograms(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bsdtar", "unzip", "zip", "tar", "xz", "bzip2", "zstd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: make deps", program)
		}
	}
	p := newPlace(t)
	p.world(t)
	want := picture(t, filepath.Join(p.root, "world"))
	run := func(dir, name string, args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	for _, format := range []archive.Format{archive.TarGzip, archive.TarZstd, archive.Zip, archive.Tar} {
		name := "ours" + format.Ending()
		p.pack(t, name, format)
		at := t.TempDir()
		run(at, "bsdtar", "-xpf", filepath.Join(p.root, name))
		if diff := cmp.Diff(want, picture(t, filepath.Join(at, "world"))); diff != "" {
			t.Errorf("%s by bsdtar (-want +got):\n%s", name, diff)
		}
	}
	at := t.TempDir()
	run(at, "unzip", "-q", filepath.Join(p.root, "ours.zip"))
	if got := picture(t, filepath.Join(at, "world")); len(got) != len(want) || got["/run.sh"] != want["/run.sh"] || !strings.HasSuffix(got["/link"], "region/r.0.0.mca") {
		t.Errorf("by unzip: %v", got)
	}
	for name, args := range map[string][]string{
		"a.tar.gz": {"tar", "-czf"}, "a.tar.bz2": {"tar", "-cjf"}, "a.tar.xz": {"tar", "-cJf"}, "a.tar.zst": {"tar", "--zstd", "-cf"}, "a.tar": {"tar", "--format=gnu", "-cf"},
		"b.zip": {"bsdtar", "--format=zip", "-cf"}, "b.tar": {"bsdtar", "--format=pax", "-cf"}, "c.tar": {"tar", "--format=posix", "-cf"}, "c.zip": {"zip", "-qry"},
	} {
		run(p.root, args[0], append(args[1:], name, "world")...)
		into := "of " + name
		if _, err := archive.Unpack(t.Context(), p.tree, name, into, archive.Options{Limits: archive.Default()}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := picture(t, filepath.Join(p.root, into, "world"))
		if strings.HasSuffix(name, ".zip") { // they have no times of links
			for _, link := range []string{"/link", "/up"} {
				if got[link] == "" {
					t.Errorf("%s has no %s", name, link)
				}
				got[link] = want[link]
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// tarOf makes a tar of headers; a name's content is its size in "x".
func tarOf(tb testing.TB, headers ...tar.Header) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			tb.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg || h.Typeflag == 0 {
			if _, err := io.CopyN(w, strings.NewReader(strings.Repeat("x", int(h.Size))), h.Size); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(tb testing.TB, headers ...zip.FileHeader) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, h := range headers {
		content := "x"
		if h.Comment != "" {
			content, h.Comment = h.Comment, ""
		}
		f, err := w.CreateHeader(&h)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(f, content); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(tb testing.TB, write func(io.Writer) error) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := errors.Join(write(z), z.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func symlink(name, target string) tar.Header {
	return tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeSymlink}
}

// TestF3 unpacks archives that mean harm: they are refused and leave nothing, or what they bring is harmless.
func TestF3(t *testing.T) {
	t.Parallel()
	link := zip.FileHeader{Name: "link", Comment: "/etc"}
	link.SetMode(fs.ModeSymlink | 0o777)
	small := archive.Default()
	small.Bytes, small.Entries, small.Depth, small.Free = 1<<20, 100, 10, 100_000
	many := make([]tar.Header, 101)
	for i := range many {
		many[i] = tar.Header{Name: fmt.Sprint(i)}
	}
	setuid := tar.Header{Name: "root.sh", Size: 1, Mode: 0o6755}
	for _, test := range []struct {
		name, file string
		content    []byte
		refused    bool
		left       []string // what is there after it
	}{
		{"parent", "a.tar", tarOf(t, tar.Header{Name: "ok"}, tar.Header{Name: "../evil"}), true, nil},
		{"hidden parent", "a.tar", tarOf(t, tar.Header{Name: "a/../../evil"}), true, nil},
		{"absolute", "a.tar", tarOf(t, tar.Header{Name: "/tmp/evil"}), true, nil},
		{"parent in a zip", "a.zip", zipOf(t, zip.FileHeader{Name: "../evil"}), true, nil},
		{"backslashes in a zip", "a.zip", zipOf(t, zip.FileHeader{Name: `..\evil`}), true, nil},
		{"a link and a file through it", "a.tar", tarOf(t, symlink("out", "/tmp"), tar.Header{Name: "out/evil", Size: 1}), false, []string{"/out", "/out/evil"}},
		{"a link to the parent", "a.tar", tarOf(t, symlink("d/out", "../../x"), symlink("d/in", "../ok")), false, []string{"/d", "/d/in"}},
		{"a link out in a zip", "a.zip", zipOf(t, link), false, nil},
		{"a hard link out", "a.tar", tarOf(t, tar.Header{Name: "h", Linkname: "../state.json", Typeflag: tar.TypeLink}), true, nil},
		{"a hard link to nothing", "a.tar", tarOf(t, tar.Header{Name: "h", Linkname: "gone", Typeflag: tar.TypeLink}), false, nil},
		{"a device and a pipe", "a.tar", tarOf(t, tar.Header{Name: "d", Typeflag: tar.TypeChar, Devmajor: 1}, tar.Header{Name: "p", Typeflag: tar.TypeFifo}), false, nil},
		{"set-user bits", "a.tar", tarOf(t, setuid), false, []string{"/root.sh"}},
		{"a name twice", "a.tar", tarOf(t, tar.Header{Name: "a", Size: 1}, tar.Header{Name: "./a", Size: 2}), false, []string{"/a"}},
		{"a file and a directory of one name", "a.tar", tarOf(t, tar.Header{Name: "a"}, tar.Header{Name: "a/b"}), true, nil},
		{"too many", "a.tar", tarOf(t, many...), true, nil},
		{"too deep", "a.tar", tarOf(t, tar.Header{Name: strings.Repeat("d/", 11) + "f"}), true, nil},
		{"too long", "a.tar", tarOf(t, tar.Header{Name: "a", Size: 2 << 20}), true, nil},
		{"a bomb", "a.tar.gz", gzipped(t, func(w io.Writer) error {
			_, err := w.Write(tarOf(t, tar.Header{Name: "a", Size: 1 << 19}))
			return err
		}), true, nil},
		{"a bomb between members", "a.tar.gz", gzipped(t, func(w io.Writer) error {
			_, err := w.Write(make([]byte, 512))
			return errors.Join(err, func() error { _, err := w.Write(bytes.Repeat([]byte{1}, 1<<20)); return err }())
		}), true, nil},
		{"a zip bomb", "a.zip", zipOf(t, zip.FileHeader{Name: "a", Method: zip.Deflate, Comment: strings.Repeat("x", 1<<19)}), true, nil},
		{"no archive", "a.zip", []byte("PK\x03\x04 this is none"), true, nil},
		{"another format", "a.tar.zst", tarOf(t, tar.Header{Name: "a"}), true, nil},
		{"cut off", "a.tar", tarOf(t, tar.Header{Name: "a", Size: 4000})[:1000], true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			if err := os.WriteFile(filepath.Join(p.root, test.file), test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			done, err := archive.Unpack(t.Context(), p.tree, test.file, "into", archive.Options{Limits: small})
			if (err != nil) != test.refused || err != nil && fault.CodeOf(err) != fault.BadUserInput && fault.CodeOf(err) != fault.Conflict {
				t.Fatalf("%+v, %v", done, err)
			}
			got := map[string]string{}
			if _, err := os.Stat(filepath.Join(p.root, "into")); err == nil {
				got = picture(t, filepath.Join(p.root, "into"))
			} else if !test.refused {
				t.Error(err)
			}
			for _, name := range test.left {
				what, ok := got[name]
				if !ok || strings.HasPrefix(what, "L") && name != "/d/in" || strings.ContainsAny(what[:4], "ugt") {
					t.Errorf("%s is %q", name, what)
				}
				delete(got, name)
			}
			if len(got) > 0 {
				t.Errorf("left: %v", got)
			}
			for _, dir := range []string{".staging"} {
				if left, err := os.ReadDir(filepath.Join(p.root, "..", dir)); err != nil || len(left) > 0 {
					t.Errorf("left in %s: %v, %v", dir, left, err)
				}
			}
		})
	}
}

// TestUnpackOver unpacks over what is there: files are replaced, everything else stays; what does not fit is told before
// anything is changed.
func TestUnpackOver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	at := func(name string) string { return filepath.Join(p.root, name) }
	if err := errors.Join(
		os.MkdirAll(at("mods"), 0o755), os.WriteFile(at("mods/mine.jar"), []byte("mine"), 0o600), os.WriteFile(at("eula.txt"), []byte("old"), 0o600),
		os.WriteFile(at("pack.tar"), tarOf(t, tar.Header{Name: "mods/new.jar", Size: 1}, tar.Header{Name: "eula.txt", Size: 3}), 0o600),
		os.WriteFile(at("bad.tar"), tarOf(t, tar.Header{Name: "aaa", Size: 1}, tar.Header{Name: "mods", Size: 3}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Unpack(t.Context(), p.tree, "bad.tar", "", archive.Options{Limits: archive.Default()}); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a file over a directory: %v", err)
	}
	if _, err := os.Stat(at("aaa")); err == nil {
		t.Error("half of an archive was unpacked")
	}
	if _, err := archive.Unpack(t.Context(), p.tree, "pack.tar", "", archive.Options{Limits: archive.Default()}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"mods/mine.jar": "mine", "mods/new.jar": "x", "eula.txt": "xxx"} {
		if got, err := os.ReadFile(at(name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := archive.Unpack(ctx, p.tree, "pack.tar", "late", archive.Options{Limits: archive.Default()}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestPackLive packs a directory in which files grow, shrink and vanish, beside pipes that nobody writes to.
func TestPackLive(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if err := errors.Join(os.Mkdir(filepath.Join(p.root, "world"), 0o755), syscall.Mkfifo(filepath.Join(p.root, "world", "pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			name := filepath.Join(p.root, "world", fmt.Sprint(rand.IntN(8)))
			switch rand.IntN(3) {
			case 0:
				_ = os.WriteFile(name, make([]byte, rand.IntN(1<<20)), 0o600)
			case 1:
				_ = os.Truncate(name, int64(rand.IntN(1<<20)))
			default:
				_ = os.Remove(name)
			}
		}
	}()
	for range 20 {
		for _, format := range []archive.Format{archive.Tar, archive.Zip} {
			if err := archive.Write(t.Context(), io.Discard, p.tree, archive.Packing{Format: format, Paths: []string{"world"}}); err != nil {
				t.Error(err)
			}
		}
	}
	cancel()
	<-ended
}

func FuzzUnpack(f *testing.F) {
	f.Add("a.tar", tarOf(f, tar.Header{Name: "a/b", Size: 3}, symlink("l", "a"), tar.Header{Name: "h", Linkname: "a/b", Typeflag: tar.TypeLink}))
	f.Add("a.zip", zipOf(f, zip.FileHeader{Name: "a/b", Method: zip.Deflate}, zip.FileHeader{Name: "c"}))
	f.Add("a.tar.gz", gzipped(f, func(w io.Writer) error { _, err := w.Write(tarOf(f, tar.Header{Name: "x", Size: 9})); return err }))
	f.Add("a.tar.xz", []byte("\xfd7zXZ\x00\x00\x04"))
	f.Add("a.tar.bz2", []byte("BZh9"))
	f.Add("a.tar.zst", []byte("\x28\xb5\x2f\xfd"))
	p := newPlace(f)
	limits := archive.Limits{Bytes: 1 << 20, Entries: 100, Depth: 10, Ratio: 100, Free: 1 << 18}
	outside := filepath.Dir(p.root)
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		if format, err := archive.ByName(name); err != nil || name != "a"+format.Ending() {
			return
		}
		if err := os.WriteFile(filepath.Join(p.root, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := archive.Unpack(t.Context(), p.tree, name, "into", archive.Options{Limits: limits})
		if err != nil && fault.CodeOf(err) == fault.Internal {
			t.Errorf("%v", err)
		}
		_, _, _ = archive.Look(t.Context(), p.tree, name, 10)
		if err := errors.Join(os.RemoveAll(filepath.Join(p.root, "into")), os.Remove(filepath.Join(p.root, name))); err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(outside)
		if err != nil || len(left) > 3 {
			t.Errorf("beside the root: %v, %v", left, err)
		}
	})
}
