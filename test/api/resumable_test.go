package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/internal/accounts"
)

// resumable makes the address of an upload.
func (d *drive) resumable(who *accounts.Credentials, path string, size int) string {
	d.T.Helper()
	made := d.must(who, "createUpload", "url expiresAt", map[string]any{"path": path, "size": size})
	url, _ := made["url"].(string)
	return strings.Replace(url, "http://panel.test", d.URL, 1)
}

// tus sends a request of tus.
func (d *drive) tus(method, url string, body io.Reader, header ...string) *http.Response {
	d.T.Helper()
	answer, err := d.tusErr(method, url, body, header...)
	d.Must(err)
	return answer
}

func (d *drive) tusErr(method, url string, body io.Reader, header ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(d.T.Context(), method, url, body)
	d.Must(err)
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	}
	return answer, err
}

func (d *drive) patch(url, body string, offset int, header ...string) *http.Response {
	d.T.Helper()
	return d.tus(http.MethodPatch, url, strings.NewReader(body), append([]string{"Upload-Offset", strconv.Itoa(offset)}, header...)...)
}

func TestResumableUpload(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	url := d.resumable(d.writer, "/mods/big.jar", 10)
	options := d.tus(http.MethodOptions, url, http.NoBody)
	if options.Header.Get("Tus-Extension") != "creation,checksum,termination,expiration" || options.Header.Get("Tus-Checksum-Algorithm") == "" {
		t.Errorf("offered: %v", options.Header)
	}
	created := d.tus(http.MethodPost, url, http.NoBody, "Upload-Length", "10")
	if created.StatusCode != http.StatusCreated || !strings.HasSuffix(url, created.Header.Get("Location")) || created.Header.Get("Upload-Expires") == "" {
		t.Errorf("created: %s %v", created.Status, created.Header)
	}
	if got := d.tus(http.MethodPost, url, http.NoBody, "Upload-Length", "11"); got.StatusCode != http.StatusBadRequest {
		t.Errorf("created with another size: %s", got.Status)
	}
	if got := d.patch(url, "hello", 0); got.StatusCode != http.StatusNoContent || got.Header.Get("Upload-Offset") != "5" {
		t.Fatalf("the first part: %s %v", got.Status, got.Header)
	}
	if _, err := os.Stat(filepath.Join(d.root, "mods")); err == nil {
		t.Error("half of a file is there")
	}
	// F9: a wrong offset, too much, another one's checksum.
	for _, offset := range []int{0, 4, 6, 10} {
		if got := d.patch(url, "world", offset); got.StatusCode != http.StatusConflict {
			t.Errorf("at %d: %s", offset, got.Status)
		}
	}
	if got := d.patch(url, "wurst", 5, "Upload-Checksum", sumOf("world")); got.StatusCode != 460 {
		t.Errorf("damaged: %s", got.Status)
	}
	if got := d.patch(url, "world", 5, "Upload-Checksum", "crc32 AAAA"); got.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown checksum: %s", got.Status)
	}
	if got := d.tus(http.MethodHead, url, http.NoBody); got.Header.Get("Upload-Offset") != "5" || got.Header.Get("Upload-Length") != "10" {
		t.Errorf("asked: %v", got.Header)
	}
	if got := d.patch(url, "world", 5, "Upload-Checksum", sumOf("world")); got.StatusCode != http.StatusNoContent || got.Header.Get("Upload-Offset") != "10" {
		t.Errorf("the last part: %s %v", got.Status, got.Header)
	}
	if got := d.ReadFile(d.id, "mods/big.jar"); got != "helloworld" {
		t.Errorf("there: %q", got)
	}
	if got := d.tus(http.MethodHead, url, http.NoBody); got.Header.Get("Upload-Offset") != "10" {
		t.Errorf("asked after that: %s %v", got.Status, got.Header)
	}
	d.resumable(d.writer, "empty", 0)
	if got := d.ReadFile(d.id, "empty"); got != "" {
		t.Errorf("an empty one: %q", got)
	}
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256 " + base64.StdEncoding.EncodeToString(sum[:])
}

// cut is a body that breaks off.
type cut struct{ left int }

func (c *cut) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, errors.New("the network broke")
	}
	n := min(len(b), c.left)
	clear(b[:n])
	c.left -= n
	return n, nil
}

// TestResumableUploadBroken breaks an upload off, cancels one, and has two write to one.
func TestResumableUploadBroken(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	const size = 8 << 20
	url := d.resumable(d.owner, "world.zip", size)
	if _, err := d.tusErr(http.MethodPatch, url, &cut{left: 5 << 20}, "Upload-Offset", "0"); err == nil {
		t.Fatal("a body that broke off was taken")
	}
	offset := 0
	deadline := time.Now().Add(20 * time.Second)
	for tries := 0; offset < size; tries++ {
		if time.Now().After(deadline) {
			t.Fatalf("still at %d", offset)
		}
		head := d.tus(http.MethodHead, url, http.NoBody)
		if head.StatusCode != http.StatusOK { // the first is still being let go of
			continue
		}
		var err error
		offset, err = strconv.Atoi(head.Header.Get("Upload-Offset"))
		d.Must(err)
		d.patch(url, strings.Repeat("\x00", size-offset), offset)
	}
	if got := d.ReadFile(d.id, "world.zip"); got != strings.Repeat("\x00", size) {
		t.Errorf("%d bytes are there", len(got))
	}
	url = d.resumable(d.owner, "cancelled", 10)
	d.patch(url, "hello", 0)
	if got := d.tus(http.MethodDelete, url, http.NoBody); got.StatusCode != http.StatusNoContent {
		t.Errorf("cancelled: %s", got.Status)
	}
	if got := d.patch(url, "world", 5); got.StatusCode != http.StatusNotFound {
		t.Errorf("after that: %s", got.Status)
	}
	for _, name := range []string{".uploads", ".staging"} {
		left, _ := os.ReadDir(filepath.Join(d.root, "..", name))
		for _, e := range left {
			if filepath.Ext(e.Name()) != ".json" {
				t.Errorf("left: %s", e.Name())
			}
		}
	}
}

// slow is a body of which hardly anything comes, without an end.
type slow struct {
	asked chan struct{}
	tick  *time.Ticker
}

func (s *slow) Read(b []byte) (int, error) {
	select {
	case s.asked <- struct{}{}:
	default:
		<-s.tick.C
	}
	n := min(len(b), 4096) // so much that the client hears of its end
	clear(b[:n])
	return n, nil
}

// TestA6ResumableUpload takes the right away between two parts, and while one is coming.
func TestA6ResumableUpload(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	for _, path := range []string{"secret.yml", "../x", "/"} {
		if _, code := d.do(d.owner, "createUpload", "url", map[string]any{"path": path, "size": 1}); code != "FORBIDDEN" && code != "BAD_USER_INPUT" {
			t.Errorf("%s: %q", path, code)
		}
	}
	url := d.resumable(d.writer, "a", 1<<30)
	if got := d.patch(url, "hello", 0); got.StatusCode != http.StatusNoContent {
		t.Fatal(got.Status)
	}
	coming := &slow{asked: make(chan struct{}, 1), tick: time.NewTicker(20 * time.Millisecond)}
	defer coming.tick.Stop()
	ended := make(chan time.Time, 1)
	go func() {
		_, _ = d.tusErr(http.MethodPatch, url, coming, "Upload-Offset", "5")
		ended <- time.Now()
	}()
	<-coming.asked
	d.Write(func(ctx context.Context, x *ent.Tx) error {
		_, err := x.ServerAccess.Delete().Where(serveraccess.UserID(d.writer.User.ID)).Exec(ctx)
		return err
	})
	lost := time.Now()
	d.Accounts.Announce(t.Context(), accounts.AccessChange{UserID: d.writer.User.ID})
	select {
	case at := <-ended:
		if took := at.Sub(lost); took > 2*time.Second {
			t.Errorf("it went on for %s", took)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
	if got := d.patch(url, "orld!", 5); got.StatusCode != http.StatusNotFound && got.StatusCode != http.StatusForbidden {
		t.Errorf("after that: %s", got.Status)
	}
	if _, err := os.Stat(filepath.Join(d.root, "a")); err == nil {
		t.Error("the file is there")
	}
}
