package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// kept is a backup as the API shows it.
type kept struct {
	ID, Name, State string
	Progress        float64
	Size            int64
	Files           int
	Checksum, Path  string
	Error           *string
	Locked          bool
	CompletedAt     *time.Time
}

const keptFields = `id name state progress size files checksum path error locked completedAt`

// backup begins a backup of a server; more are further fields of the input.
func (w *world) backup(id, more string) string {
	w.tb.Helper()
	var out struct{ CreateBackup struct{ Backup kept } }
	w.admin.Run(`mutation($id: ID!) { createBackup(input: {serverId: $id`+more+`}) { backup { `+keptFields+` } } }`, vars{"id": id}, &out)
	if b := out.CreateBackup.Backup; b.State != "PENDING" || b.ID == "" {
		w.tb.Fatalf("a new backup is %+v", b)
	}
	return out.CreateBackup.Backup.ID
}

// look reads a backup.
func (w *world) look(id string) (kept, error) {
	var out struct{ Backup kept }
	err := w.admin.Do(w.tb.Context(), `query($id: ID!) { backup(id: $id) { `+keptFields+` } }`, vars{"id": id}, &out)
	return out.Backup, err
}

// ended waits until a backup has ended.
func (w *world) ended(id string) kept {
	w.tb.Helper()
	var b kept
	harness.Eventually(w.tb, time.Minute, "the backup has ended", func() (err error) {
		if b, err = w.look(id); err != nil {
			return err
		}
		switch b.State {
		case "COMPLETED", "FAILED", "CANCELLED":
			return nil
		}
		return fmt.Errorf("it is %s, %f", b.State, b.Progress)
	})
	return b
}

// complete makes a backup and waits for it.
func (w *world) complete(id, more string) kept {
	w.tb.Helper()
	b := w.ended(w.backup(id, more))
	if b.State != "COMPLETED" {
		w.tb.Fatalf("the backup is %+v: %v", b, *b.Error)
	}
	return b
}

// restore restores a server and waits for the end; the result is the reason of the server's state.
func (w *world) restore(serverID, backupID, more string) string {
	w.tb.Helper()
	var out struct{ RestoreBackup struct{ Server state } }
	w.admin.Run(`mutation($id: ID!) { restoreBackup(input: {id: $id`+more+`}) { server { state } } }`, vars{"id": backupID}, &out)
	if out.RestoreBackup.Server.State != "RESTORING" {
		w.tb.Fatalf("the server is %+v", out.RestoreBackup.Server)
	}
	return w.awaitState(serverID, "STOPPED")
}

// reason is why a server is in its state.
func (w *world) reason(id string) string {
	w.tb.Helper()
	var out struct{ Server struct{ StateReason string } }
	w.admin.Run(`query($id: ID!) { server(id: $id) { stateReason } }`, vars{"id": id}, &out)
	return out.Server.StateReason
}

// root is a server's root on the node's disk.
func (w *world) root(id string) string {
	return filepath.Join(w.nodeDir, "agent", "servers", id, "files")
}

// archive is where a backup lies on the node's disk.
func (w *world) archive(b kept) string { return filepath.Join(w.nodeDir, "agent", "backups", b.Path) }

// plant makes a tree of all that there is.
func plant(t testing.TB, root string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(root, name) }
	old := time.Date(2019, 5, 4, 3, 2, 1, 123456789, time.UTC)
	steps := []error{
		os.MkdirAll(at("world/region"), 0o755), os.MkdirAll(at("world/empty"), 0o750), os.MkdirAll(at("logs"), 0o755), os.MkdirAll(at("closed"), 0o755),
		os.WriteFile(at("world/level.dat"), []byte("level"), 0o640), os.WriteFile(at("world/region/r.0.0.mca"), noise(3<<20), 0o600),
		os.WriteFile(at("run.sh"), []byte("#!/bin/sh\n"), 0o755), os.WriteFile(at("world/nothing"), nil, 0o444),
		os.WriteFile(at("logs/latest.log"), bytes.Repeat([]byte("line\n"), 500_000), 0o644), os.WriteFile(at("closed/x"), []byte("x"), 0o400),
		os.WriteFile(at("odd \"name\"\nü\t"), []byte("odd"), 0o644), os.WriteFile(at(strings.Repeat("n", 255)), []byte("long"), 0o644),
		os.Link(at("world/level.dat"), at("world/level.bak")),
		os.Symlink("region/r.0.0.mca", at("world/link")), os.Symlink("/usr/share/games", at("outside")), os.Symlink("nowhere", at("dangling")),
		os.Chtimes(at("world/level.dat"), old, old), os.Chtimes(at("world/empty"), old, old), os.Chmod(at("closed"), 0o500), os.Chtimes(at("world"), old, old),
	}
	for _, err := range steps {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// picture describes everything below a directory: kind, mode, time, content, target, and which names are of one file.
func picture(t testing.TB, root string) map[string]string {
	t.Helper()
	seen, first := map[string]string{}, map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String() + " " + info.ModTime().UTC().Format(time.RFC3339Nano)
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(content)
			what += fmt.Sprintf(" %d %x", len(content), sum[:8])
			if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
				if first[st.Ino] == "" {
					first[st.Ino] = path[len(root):]
				}
				what += " is " + first[st.Ino]
			}
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			what += " to " + to
		}
		seen[path[len(root):]] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// sameTree compares a server's root with what it was.
func sameTree(t testing.TB, root string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, picture(t, root)); diff != "" {
		t.Errorf("the tree is another one (-want +got):\n%s", diff)
	}
}

// ruin changes a server's tree.
func ruin(t testing.TB, root string) {
	t.Helper()
	err := os.Chmod(filepath.Join(root, "closed"), 0o700)
	for _, name := range []string{"world/region", "run.sh", "closed/x", "world/level.bak"} {
		if err == nil {
			err = os.RemoveAll(filepath.Join(root, name))
		}
	}
	for name, content := range map[string]string{"world/level.dat": "damaged", "new": "new", "world/new": "new"} {
		if err == nil {
			err = os.WriteFile(filepath.Join(root, name), []byte(content), 0o644)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// leftovers are what restorations and backups leave behind while they go on, and nothing when they do not.
func (w *world) leftovers(id string) []string {
	w.tb.Helper()
	var found []string
	for _, pattern := range []string{"servers/" + id + "/.renewal", "servers/" + id + "/.staging/*", "backups/*/*.part", "backups/*/*.new"} {
		more, err := filepath.Glob(filepath.Join(w.nodeDir, "agent", pattern))
		if err != nil {
			w.tb.Fatal(err)
		}
		found = append(found, more...)
	}
	return found
}

// TestBackup makes backups on the node's own disk, has other programs read them, and restores them.
func TestBackup(t *testing.T) {
	t.Parallel()
	w := separate(t)
	id := w.create("castle", w.demo())
	root := w.root(id)
	harness.Eventually(t, soon, "the node has the server", func() error { _, err := os.Stat(root); return err })
	plant(t, root)
	want := picture(t, root)

	for _, compression := range []string{"ZSTD", "GZIP"} {
		b := w.complete(id, `, name: "by `+compression+`", compression: `+compression)
		content, err := os.ReadFile(w.archive(b))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if b.Checksum != hex.EncodeToString(sum[:]) || b.Size != int64(len(content)) || b.Files != len(want) || b.Progress != 1 || b.CompletedAt == nil {
			t.Errorf("the backup is %+v; there are %d files", b, len(want))
		}
		flag := map[string]string{"ZSTD": "--zstd", "GZIP": "--gzip"}[compression]
		for _, program := range [][]string{{"tar", flag, "-xpf"}, {"bsdtar", "-xpf"}} {
			into := t.TempDir()
			cmd := exec.CommandContext(t.Context(), program[0], append(program[1:], w.archive(b), "-C", into)...)
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", program, err, out)
			}
			sameTree(t, into, want)
		}

		ruin(t, root)
		if reason := w.restore(id, b.ID, ", truncate: true"); reason != "STOPPED" || w.reason(id) != "" {
			t.Fatalf("restored: %s", w.reason(id))
		}
		sameTree(t, root, want)
		if left := w.leftovers(id); len(left) > 0 {
			t.Errorf("there is %v", left)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(root), ".replaced", "new")); err != nil {
			t.Errorf("what was replaced is not kept: %v", err)
		}
	}
	w.checkMerge(t, id, want)
	w.checkFlip(t, id)
	w.checkDownload(t, id)
	w.checkStart(t, id)
}

// checkMerge restores without truncate, and one file.
func (w *world) checkMerge(t *testing.T, id string, want map[string]string) {
	root := w.root(id)
	b := w.complete(id, `, ignore: ["logs/", "!nothing"]`)
	if b.Files != len(want)-2 {
		t.Errorf("%d files are in it, and %d there", b.Files, len(want))
	}
	ruin(t, root)
	w.restore(id, b.ID, "")
	got := picture(t, root)
	for name, what := range want {
		if strings.HasPrefix(name, "/logs") || name == "/world" { // the time of a directory that got more in it
			continue
		}
		if got[name] != what {
			t.Errorf("%s is %s, it was %s", name, got[name], what)
		}
	}
	for _, name := range []string{"/new", "/world/new", "/logs/latest.log"} {
		if got[name] == "" {
			t.Errorf("%s is gone", name)
		}
	}
	ruin(t, root)
	before := picture(t, root)
	w.restore(id, b.ID, `, paths: ["world/level.dat", "world/region"]`)
	got = picture(t, root)
	for _, name := range []string{"/world/region/r.0.0.mca"} {
		if got[name] != want[name] {
			t.Errorf("%s is %s, it was %s", name, got[name], want[name])
		}
	}
	if content, err := os.ReadFile(filepath.Join(root, "world/level.dat")); err != nil || string(content) != "level" {
		t.Errorf("world/level.dat is %q, %v", content, err)
	}
	if got["/run.sh"] != "" || got["/new"] != before["/new"] {
		t.Error("more was restored than was asked for")
	}
	w.restore(id, b.ID, `, paths: ["world/level.dat", "no/such"]`)
	if reason := w.reason(id); !strings.Contains(reason, `no file "no/such"`) {
		t.Errorf("what is not there: %s", reason)
	}
}

// checkFlip flips one bit of an archive, which then is refused.
func (w *world) checkFlip(t *testing.T, id string) {
	b := w.complete(id, "")
	content, err := os.ReadFile(w.archive(b))
	if err != nil {
		t.Fatal(err)
	}
	before := picture(t, w.root(id))
	for _, at := range []int{0, 9, len(content) / 2, len(content) - 1} {
		damaged := bytes.Clone(content)
		damaged[at] ^= 0x10
		if err := os.WriteFile(w.archive(b), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		w.restore(id, b.ID, ", truncate: true")
		if reason := w.reason(id); !strings.Contains(reason, "damaged") {
			t.Errorf("a flipped bit at %d: %q", at, reason)
		}
		sameTree(t, w.root(id), before)
	}
	if err := os.WriteFile(w.archive(b), content[:len(content)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	w.restore(id, b.ID, "")
	if reason := w.reason(id); !strings.Contains(reason, "damaged") {
		t.Errorf("cut off: %q", reason)
	}
	if err := os.Remove(w.archive(b)); err != nil {
		t.Fatal(err)
	}
	w.restore(id, b.ID, "")
	if reason := w.reason(id); !strings.Contains(reason, "does not have this backup") {
		t.Errorf("gone: %q", reason)
	}
	sameTree(t, w.root(id), before)
}

// checkDownload downloads a backup, and deletes it.
func (w *world) checkDownload(t *testing.T, id string) {
	b := w.complete(id, `, name: "down/load", locked: true`)
	var made struct{ CreateBackupDownload struct{ URL string } }
	w.admin.Run(`mutation($id: ID!) { createBackupDownload(input: {id: $id}) { url } }`, vars{"id": b.ID}, &made)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, made.CreateBackupDownload.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Range", fmt.Sprintf("bytes=%d-", b.Size-100))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(w.archive(b))
	if err != nil || answer.StatusCode != http.StatusPartialContent || !bytes.Equal(got.Bytes(), content[len(content)-100:]) {
		t.Errorf("downloaded %d bytes, %s, %v", got.Len(), answer.Status, err)
	}
	if d := answer.Header.Get("Content-Disposition"); !strings.Contains(d, "down-load.tar.zst") {
		t.Errorf("it is called %s", d)
	}
	remove := `mutation($id: ID!) { deleteBackup(input: {id: $id}) { deletedId } }`
	w.admin.Refused("CONFLICT", remove, vars{"id": b.ID})
	w.admin.Run(`mutation($id: ID!) { updateBackup(input: {id: $id, locked: false}) { backup { id } } }`, vars{"id": b.ID}, nil)
	w.admin.Run(remove, vars{"id": b.ID}, nil)
	if _, err := w.look(b.ID); harness.Code(err) != "NOT_FOUND" {
		t.Errorf("a deleted backup: %v", err)
	}
	harness.Eventually(t, soon, "the archive is removed", func() error {
		if _, err := os.Stat(w.archive(b)); err == nil {
			return fmt.Errorf("%s is there", b.Path)
		}
		return nil
	})
}

// checkStart starts the server, with which what was replaced goes, and deletes it with its backups.
func (w *world) checkStart(t *testing.T, id string) {
	w.power("startServer", id)
	w.awaitState(id, "RUNNING")
	harness.Eventually(t, soon, "what was replaced is removed", func() error {
		if _, err := os.Stat(filepath.Join(filepath.Dir(w.root(id)), ".replaced")); err == nil {
			return fmt.Errorf("it is there")
		}
		return nil
	})
	w.admin.Refused("CONFLICT", `mutation($id: ID!) { restoreBackup(input: {id: $id}) { server { id } } }`, vars{"id": w.complete(id, "").ID})
	w.admin.Run(`mutation($id: ID!) { deleteServer(input: {id: $id, force: true}) { deletedId } }`, vars{"id": id}, nil)
	harness.Eventually(t, soon, "the backups are removed", func() error {
		if _, err := os.Stat(filepath.Join(w.nodeDir, "agent", "backups", id)); err == nil {
			return fmt.Errorf("they are there")
		}
		return nil
	})
}
