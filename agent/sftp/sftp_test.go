package sftp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	client "github.com/pkg/sftp"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol/denial"
	"github.com/catalyst-panel/catalyst/agent/sftp"
)

const serverID = "srv_01h455vb4pex5vsknk084sn02q"

var everything = sftp.Rights{Read: true, Write: true, Delete: true}

// world is a server's files and what sessions have told.
type world struct {
	t     testing.TB
	store *files.Store
	dir   string

	mu    sync.Mutex
	deeds []sftp.Deed
	more  uint64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Create(serverID); err != nil {
		t.Fatal(err)
	}
	return &world{t: t, store: store, dir: filepath.Join(store.Path(serverID), files.FilesDir)}
}

// session serves a stream until it has ended, which the function that is returned waits for.
func (w *world) session(stream io.ReadWriteCloser, rights sftp.Rights, denied ...string) (wait func()) {
	w.t.Helper()
	tree, err := w.store.Tree(serverID)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer tree.Close()
		_ = sftp.Serve(ctx, stream, sftp.Session{Tree: tree, Rights: rights, Denied: denial.New(denied), Tell: w.tell})
	}()
	w.t.Cleanup(func() {
		cancel()
		<-done
	})
	return func() { <-done }
}

func (w *world) tell(_ context.Context, deeds []sftp.Deed, more uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deeds, w.more = append(w.deeds, deeds...), w.more+more
}

// connect returns a client, and what ends its session.
func (w *world) connect(rights sftp.Rights, denied ...string) (*client.Client, func()) {
	w.t.Helper()
	near, far := net.Pipe()
	wait := w.session(far, rights, denied...)
	c, err := client.NewClientPipe(near, near)
	if err != nil {
		w.t.Fatal(err)
	}
	end := func() {
		_ = c.Close()
		_ = near.Close()
		wait()
	}
	w.t.Cleanup(end)
	return c, end
}

func (w *world) write(name, content string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// operations are everything that a client may want.
var operations = []struct {
	name  string
	needs string // r, w or d
	do    func(c *client.Client) error
}{
	{"list", "r", func(c *client.Client) error { _, err := c.ReadDir("/"); return err }},
	{"stat", "r", func(c *client.Client) error { _, err := c.Stat("/file"); return err }},
	{"lstat", "r", func(c *client.Client) error { _, err := c.Lstat("/file"); return err }},
	{"readlink", "r", func(c *client.Client) error { _, err := c.ReadLink("/link"); return err }},
	{"statvfs", "r", func(c *client.Client) error { _, err := c.StatVFS("/"); return err }},
	{"read", "r", func(c *client.Client) error { return closed(c.Open("/file")) }},
	{"read and write", "rw", func(c *client.Client) error { return closed(c.OpenFile("/file", os.O_RDWR)) }},
	{"write", "w", func(c *client.Client) error { return closed(c.OpenFile("/file", os.O_WRONLY)) }},
	{"create", "w", func(c *client.Client) error { return closed(c.OpenFile("/new", os.O_WRONLY|os.O_CREATE)) }},
	{"truncate by opening", "w", func(c *client.Client) error { return closed(c.OpenFile("/file", os.O_WRONLY|os.O_TRUNC)) }},
	{"truncate", "w", func(c *client.Client) error { return c.Truncate("/file", 1) }},
	{"chmod", "w", func(c *client.Client) error { return c.Chmod("/file", 0o600) }},
	{"mkdir", "w", func(c *client.Client) error { return c.Mkdir("/made") }},
	{"rename", "w", func(c *client.Client) error { return c.Rename("/a", "/b") }},
	{"posix-rename", "w", func(c *client.Client) error { return c.PosixRename("/c", "/b") }},
	{"symlink", "w", func(c *client.Client) error { return c.Symlink("file", "/symlink") }},
	{"link", "w", func(c *client.Client) error { return c.Link("/file", "/hardlink") }},
	{"remove", "d", func(c *client.Client) error { return c.Remove("/file") }},
	{"rmdir", "d", func(c *client.Client) error { return c.RemoveDirectory("/dir") }},
}

func closed(f *client.File, err error) error {
	if err != nil {
		return err
	}
	return f.Close()
}

// TestRights tries every operation with every set of rights.
func TestRights(t *testing.T) {
	t.Parallel()
	for bits := range 8 {
		rights := sftp.Rights{Read: bits&1 != 0, Write: bits&2 != 0, Delete: bits&4 != 0}
		for _, op := range operations {
			w := newWorld(t)
			for _, name := range []string{"file", "a", "c"} {
				w.write(name, "content")
			}
			if err := errors.Join(os.Mkdir(filepath.Join(w.dir, "dir"), 0o755), os.Symlink("file", filepath.Join(w.dir, "link"))); err != nil {
				t.Fatal(err)
			}
			c, end := w.connect(rights)
			if op.name == "posix-rename" {
				w.write("b", "what is replaced")
			}
			may := (!strings.Contains(op.needs, "r") || rights.Read) && (!strings.Contains(op.needs, "w") || rights.Write) &&
				(!strings.Contains(op.needs, "d") || rights.Delete)
			err := op.do(c)
			if may && err != nil {
				t.Errorf("%s with %+v: %v", op.name, rights, err)
			}
			if !may && !errors.Is(err, os.ErrPermission) {
				t.Errorf("%s with %+v: %v, want permission denied", op.name, rights, err)
			}
			end()
		}
	}
}

// TestDenied keeps what a template denies from every operation.
func TestDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := os.MkdirAll(filepath.Join(w.dir, "config"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("config/secret.yml", "password: x")
	w.write("open", "content")
	c, _ := w.connect(everything, "config/secret.yml")
	for name, err := range map[string]error{
		"read":              closed(c.Open("/config/secret.yml")),
		"write":             closed(c.OpenFile("/config/secret.yml", os.O_WRONLY)),
		"remove":            c.Remove("/config/secret.yml"),
		"rename":            c.Rename("/config/secret.yml", "/x"),
		"rename over":       c.PosixRename("/open", "/config/secret.yml"),
		"rename its place":  c.Rename("/config", "/x"),
		"link":              c.Link("/config/secret.yml", "/x"),
		"symlink":           c.Symlink("config/secret.yml", "/x"),
		"symlink to around": c.Symlink("config", "/x"),
		"symlink to root":   c.Symlink(".", "/x"),
		"chmod":             c.Chmod("/config/secret.yml", 0o777),
		"truncate":          c.Truncate("/config/secret.yml", 0),
	} {
		if !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s: %v, want permission denied", name, err)
		}
	}
	if err := c.Rename("/open", "/config/open"); err != nil {
		t.Errorf("a file beside it: %v", err)
	}
}

// TestAppend appends as clients do: with places from the beginning of the file, and from where it ended.
func TestAppend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.connect(everything)
	for _, from := range []int64{0, 5} {
		w.write("log", "first")
		f, err := c.OpenFile("/log", os.O_WRONLY|os.O_APPEND)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range []string{" second", " third"} {
			if _, err := f.WriteAt([]byte(part), from+int64(7*i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(w.dir, "log"))
		if err != nil || string(got) != "first second third" {
			t.Errorf("from %d: %q, %v", from, got, err)
		}
	}
}

// TestQuota stops a client where the server's quota ends, and says so.
func TestQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.SetQuota(serverID, files.Quota{Bytes: 1 << 20})
	c, _ := w.connect(everything)
	f, err := c.Create("/large")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.ReadFrom(bytes.NewReader(make([]byte, 4<<20)))
	if err == nil || !strings.Contains(err.Error(), "quota") {
		t.Errorf("beyond the quota: %v", err)
	}
	_ = f.Close() // it is not complete
	space, err := c.StatVFS("/")
	if err != nil || space.TotalSpace() != 1<<20 || space.FreeSpace() > 1<<20 {
		t.Errorf("the room is %+v, %v", space, err)
	}
	if info, err := os.Stat(filepath.Join(w.dir, "large")); err != nil || info.Size() > 1<<20 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestTold does the same things many times; each is told once.
func TestTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, end := w.connect(everything)
	for range 3 {
		f, err := c.OpenFile("/world", os.O_WRONLY|os.O_CREATE)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if _, err := f.WriteAt(make([]byte, 1000), int64(1000*i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.Mkdir("/maps"), c.Rename("/world", "/maps/world"), c.Remove("/maps/world")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadDir("/"); err != nil {
		t.Fatal(err)
	}
	if err := c.Remove("/nothing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed what is not there: %v", err)
	}
	for i := range 600 {
		if err := closed(c.OpenFile(fmt.Sprintf("/%d", i), os.O_WRONLY|os.O_CREATE|os.O_EXCL)); err != nil {
			t.Fatal(err)
		}
	}
	end()
	want := []sftp.Deed{
		{Kind: sftp.Write, Path: "/world", Count: 3, Bytes: 30_000},
		{Kind: sftp.Mkdir, Path: "/maps", Count: 1},
		{Kind: sftp.Rename, Path: "/world", To: "/maps/world", Count: 1},
		{Kind: sftp.Delete, Path: "/maps/world", Count: 1},
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.deeds) < len(want) {
		t.Fatalf("told %v", w.deeds)
	}
	if diff := cmp.Diff(want, w.deeds[:len(want)]); diff != "" {
		t.Error(diff)
	}
	if total := uint64(len(w.deeds)) + w.more; total != 604 {
		t.Errorf("%d deeds are told, want 604", total)
	}
}

// TestHandles opens more than a session may have open.
func TestHandles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("file", "content")
	c, _ := w.connect(everything)
	var open []*client.File
	for {
		f, err := c.Open("/file")
		if err != nil {
			break
		}
		if open = append(open, f); len(open) > 1000 {
			t.Fatal("there is no end")
		}
	}
	if len(open) != 256 {
		t.Errorf("%d files were open", len(open))
	}
	if err := open[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := closed(c.Open("/file")); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
}

// initialise is the first packet of a client.
var initialise = []byte{0, 0, 0, 5, 1, 0, 0, 0, 3}

// TestMalformed ends a session at a packet that is none.
func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, packet := range map[string]string{
		"nothing in it": "\x00\x00\x00\x00", "too long": "\xff\xff\xff\xff\x05", "cut off": "\x00\x00\x00\x20\x03\x00",
		"a text beyond the end": "\x00\x00\x00\x0d\x0b\x00\x00\x00\x01\x7f\xff\xff\xff/etc", "unknown": "\x00\x00\x00\x05\xc8\x00\x00\x00\x01",
	} {
		w := newWorld(t)
		wait := w.session(&script{in: strings.NewReader(string(initialise) + packet)}, everything)
		wait()
		if left, err := os.ReadDir(w.dir); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v, %v", name, left, err)
		}
	}
}

// script is a client that says something and does not listen.
type script struct{ in io.Reader }

// Read implements io.Reader.
func (s *script) Read(p []byte) (int, error) { return s.in.Read(p) }

// Write implements io.Writer.
func (*script) Write(p []byte) (int, error) { return len(p), nil }

// Close implements io.Closer.
func (*script) Close() error { return nil }

// FuzzPackets sends packets of any kind. Nothing may be done outside of the server's root, and the session ends.
func FuzzPackets(f *testing.F) {
	for _, packet := range []string{
		"\x00\x00\x00\x0d\x0b\x00\x00\x00\x01\x00\x00\x00\x04/etc", "\x00\x00\x00\x15\x03\x00\x00\x00\x01\x00\x00\x00\x04/abc\x00\x00\x00\x0a\x00\x00\x00\x00",
		"\x00\x00\x00\x12\x12\x00\x00\x00\x01\x00\x00\x00\x02/a\x00\x00\x00\x03/..", "\x00\x00\x00\x11\x09\x00\x00\x00\x01\x00\x00\x00\x02/a\x00\x00\x00\x08\x00\x00",
	} {
		f.Add([]byte(packet))
	}
	f.Fuzz(func(t *testing.T, packets []byte) {
		w := newWorld(t)
		canary := filepath.Join(filepath.Dir(w.dir), "canary")
		if err := os.WriteFile(canary, []byte("alive"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.session(&script{in: io.MultiReader(bytes.NewReader(initialise), bytes.NewReader(packets))}, everything)()
		if got, err := os.ReadFile(canary); err != nil || string(got) != "alive" {
			t.Errorf("outside of the root there is %q, %v", got, err)
		}
	})
}
