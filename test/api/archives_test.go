package api_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const transferFields = "transfer { id kind state path progress bytesDone leftOut error endedAt }"

// transfer runs a mutation that begins a long work and returns that.
func (d *drive) transfer(mutation string, input map[string]any) (map[string]any, string) {
	d.T.Helper()
	payload, code := d.do(d.owner, mutation, transferFields, input)
	made, _ := payload["transfer"].(map[string]any)
	return made, code
}

func TestArchives(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	at := func(name string) string { return filepath.Join(d.root, name) }
	d.Must(errors.Join(
		os.MkdirAll(at("world/empty"), 0o750), os.WriteFile(at("world/level.dat"), []byte("level"), 0o600), os.WriteFile(at("world/secret.yml"), []byte("hidden"), 0o600),
		os.Symlink("level.dat", at("world/link")),
	))
	for _, name := range []string{"a.zip", "a.tar.gz", "backups/a.tar.zst"} {
		made, code := d.transfer("compressFiles", map[string]any{"paths": []any{"world"}, "archive": name})
		if code != "" || made["state"] != "COMPLETED" || made["progress"] != 1.0 || made["path"] != "/"+name {
			t.Fatalf("%s: %v %s", name, made, code)
		}
		var sv struct {
			Archive struct {
				Entries   []shownFile
				Truncated bool
			}
		}
		if code := d.server(d.reader, `archive(path: "`+name+`") { truncated entries { path type size } }`, &sv); code != "" || len(sv.Archive.Entries) != 4 {
			t.Errorf("in %s: %+v %s", name, sv, code)
		}
		made, code = d.transfer("decompressFile", map[string]any{"archive": name, "path": "of/" + name})
		if code != "" || made["state"] != "COMPLETED" || made["leftOut"] != 0.0 {
			t.Fatalf("%s: %v %s", name, made, code)
		}
		if got := d.ReadFile(d.id, "of/"+name+"/world/link"); got != "level" {
			t.Errorf("from %s: %q", name, got)
		}
		if _, err := os.Stat(at("of/" + name + "/world/secret.yml")); err == nil {
			t.Errorf("%s has what the template denies", name)
		}
	}
	for _, test := range []struct {
		mutation, code string
		input          map[string]any
	}{
		{"compressFiles", "CONFLICT", map[string]any{"paths": []any{"world"}, "archive": "a.zip"}},
		{"compressFiles", "NOT_FOUND", map[string]any{"paths": []any{"nothing"}, "archive": "b.zip"}},
		{"compressFiles", "BAD_USER_INPUT", map[string]any{"paths": []any{"world"}, "archive": "b.rar"}},
		{"compressFiles", "BAD_USER_INPUT", map[string]any{"paths": []any{"world"}, "archive": "b.zip", "format": "TAR"}},
		{"compressFiles", "FORBIDDEN", map[string]any{"paths": []any{"world/secret.yml"}, "archive": "b.zip"}},
		{"decompressFile", "BAD_USER_INPUT", map[string]any{"archive": "world/level.dat"}},
		{"decompressFile", "NOT_FOUND", map[string]any{"archive": "gone.zip"}},
	} {
		if made, code := d.transfer(test.mutation, test.input); code != test.code {
			t.Errorf("%s %v: %v %q", test.mutation, test.input, made, code)
		}
	}
	if left, err := os.ReadDir(filepath.Join(d.root, "..", ".staging")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestF7Pull pulls files from a public address, which a test has to allow, and from others, which are refused.
func TestF7Pull(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	begun, gone := make(chan struct{}), make(chan struct{})
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/mods/good.jar":
			_, _ = w.Write([]byte("jar"))
		case "/away":
			http.Redirect(w, r, "/mods/good.jar", http.StatusFound)
		case "/inside":
			http.Redirect(w, r, "http://127.1.2.3:1/latest/meta-data", http.StatusFound)
		case "/slow":
			_, _ = w.Write([]byte("half"))
			w.(http.Flusher).Flush()
			close(begun)
			<-r.Context().Done()
			close(gone)
		default:
			http.NotFound(w, r)
		}
	}))
	defer origin.Close()
	if made, code := d.transfer("pullFile", map[string]any{"url": origin.URL + "/mods/good.jar", "path": "/"}); code != "BAD_USER_INPUT" {
		t.Fatalf("from loopback: %v %q", made, code)
	}
	d.Files.Allowed = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	for path, url := range map[string]string{"plugins/": "/mods/good.jar", "plugins/other.jar": "/away"} {
		if made, code := d.transfer("pullFile", map[string]any{"url": origin.URL + url, "path": path}); code != "" || made["state"] != "COMPLETED" {
			t.Errorf("%s: %v %q", url, made, code)
		}
	}
	if d.ReadFile(d.id, "plugins/good.jar") != "jar" || d.ReadFile(d.id, "plugins/other.jar") != "jar" {
		t.Error("other files have come")
	}
	for url, want := range map[string]string{
		origin.URL + "/inside": "BAD_USER_INPUT", origin.URL + "/no": "BAD_USER_INPUT", "file:///etc/passwd": "BAD_USER_INPUT",
		"http://127.1.2.3:1/x": "BAD_USER_INPUT", "http://[::ffff:127.1.2.3]:1/x": "BAD_USER_INPUT", "http://u:p@example.com/x": "BAD_USER_INPUT",
		"http://[64:ff9b::7f01:203]:1/x": "BAD_USER_INPUT", "http://169.254.169.254/latest": "BAD_USER_INPUT", "http://0.0.0.0:1/x": "BAD_USER_INPUT",
	} {
		if made, code := d.transfer("pullFile", map[string]any{"url": url, "path": "evil"}); code != want {
			t.Errorf("%s: %v %q", url, made, code)
		}
	}
	d.cancelPull(t, origin.URL+"/slow", begun, gone)
	for _, name := range []string{"evil", "slow"} {
		if _, err := os.Stat(filepath.Join(d.root, name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}

// cancelPull cancels a download that goes on for ever.
func (d *drive) cancelPull(t *testing.T, url string, begun, gone chan struct{}) {
	t.Helper()
	made, code := d.transfer("pullFile", map[string]any{"url": url, "path": "slow"})
	<-begun
	if code != "" || made["state"] != "RUNNING" {
		t.Fatalf("slow: %v %q", made, code)
	}
	first := d.First(d.reader, `subscription($id: ID!) { fileTransferProgress(serverId: $id) { id state path } }`, map[string]any{"id": d.id})
	if !strings.Contains(first.Text, "/slow") || !strings.Contains(first.Text, "RUNNING") {
		t.Errorf("followed: %s", first.Text)
	}
	id, _ := made["id"].(string)
	if _, code := d.do(d.reader, "cancelFileTransfer", transferFields, map[string]any{"id": id}); code != "FORBIDDEN" {
		t.Errorf("cancelled by who may not: %q", code)
	}
	if ended, code := d.transfer("cancelFileTransfer", map[string]any{"id": id}); code != "" || ended["state"] != "CANCELLED" {
		t.Errorf("cancelled: %v %q", ended, code)
	}
	<-gone
	var sv struct{ FileTransfers []struct{ ID, State string } }
	if code := d.server(d.reader, `fileTransfers { id state }`, &sv); code != "" || len(sv.FileTransfers) == 0 || sv.FileTransfers[0].State != "CANCELLED" {
		t.Errorf("%+v %q", sv, code)
	}
}
