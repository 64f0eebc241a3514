package api_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/token"
)

// address makes a download and returns where it is served in the test.
func (d *drive) address(who *accounts.Credentials, input map[string]any) string {
	d.T.Helper()
	made := d.must(who, "createDownload", "url expiresAt", input)
	url, _ := made["url"].(string)
	return strings.Replace(url, "http://panel.test", d.URL, 1)
}

// get asks for an address.
func (d *drive) get(url string, header map[string]string) (*http.Response, string) {
	d.T.Helper()
	r, err := http.NewRequestWithContext(d.T.Context(), http.MethodGet, url, http.NoBody)
	d.Must(err)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	answer, err := http.DefaultClient.Do(r)
	d.Must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	d.Must(err)
	return answer, string(body)
}

func TestDownload(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	content := strings.Repeat("0123456789", 100_000)
	d.Must(os.WriteFile(filepath.Join(d.root, "world.dat"), []byte(content), 0o600))
	url := d.address(d.reader, map[string]any{"paths": []any{"/world.dat"}})
	if !strings.HasSuffix(url, "/world.dat") {
		t.Errorf("the address is %s", url)
	}
	answer, body := d.get(url, nil)
	tag := answer.Header.Get("ETag")
	if answer.StatusCode != http.StatusOK || body != content || tag == "" || answer.Header.Get("Accept-Ranges") != "bytes" {
		t.Fatal(answer.Status, len(body), answer.Header)
	}
	if answer, body = d.get(url, map[string]string{"Range": "bytes=999990-", "If-Range": tag}); answer.StatusCode != http.StatusPartialContent || body != "0123456789" {
		t.Errorf("a part: %s %q", answer.Status, body)
	}
	if answer, body = d.get(url, map[string]string{"If-None-Match": tag}); answer.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("not modified: %s %q", answer.Status, body)
	}
	if answer, _ = d.get(url, map[string]string{"Range": "bytes=9999999-"}); answer.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("no such part: %s", answer.Status)
	}
	d.Must(os.WriteFile(filepath.Join(d.root, "world.dat"), []byte("new"), 0o600))
	if answer, body = d.get(url, map[string]string{"Range": "bytes=1-", "If-Range": tag}); answer.StatusCode != http.StatusOK || body != "new" {
		t.Errorf("a part of what has changed: %s %q", answer.Status, body)
	}
	head, err := http.Head(url)
	d.Must(err)
	_ = head.Body.Close()
	if head.ContentLength != 3 || head.Header.Get("Content-Type") != "application/octet-stream" || head.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("HEAD: %v", head.Header)
	}
	d.Must(os.Remove(filepath.Join(d.root, "world.dat")))
	if answer, body = d.get(url, nil); answer.StatusCode != http.StatusNotFound || !strings.Contains(body, "NOT_FOUND") {
		t.Errorf("when it is gone: %s %q", answer.Status, body)
	}
}

// TestF5Disposition downloads files with nasty names: nothing of a name becomes a header or a path.
func TestF5Disposition(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	for name, want := range map[string]string{
		"new\nline\r.txt": "new_line_.txt", `q"uo'te;.txt`: `q"uo'te;.txt`, "gpj\u202eexe": "gpj_exe", "caf\u00e9.txt": "caf\u00e9.txt",
		"a\\b": "a_b", "caf\xe9": "caf\uEFE9", "50%.txt": "50%.txt", "...": "file", "sp ace": "sp ace",
	} {
		d.Must(os.WriteFile(filepath.Join(d.root, name), []byte("x"), 0o600))
		shown := strings.ReplaceAll(name, "\xe9", "\uEFE9")
		answer, body := d.get(d.address(d.owner, map[string]any{"paths": []any{shown}}), nil)
		kind, params, err := mime.ParseMediaType(answer.Header.Get("Content-Disposition"))
		if err != nil || kind != "attachment" || params["filename"] != want || body != "x" {
			t.Errorf("%q: %q is %q %v, %v", name, answer.Header.Get("Content-Disposition"), kind, params, err)
		}
	}
}

func TestDownloadOfDirectories(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	d.Must(errors.Join(
		os.MkdirAll(filepath.Join(d.root, "world", "empty"), 0o750), os.WriteFile(filepath.Join(d.root, "world", "level.dat"), []byte("level"), 0o640),
		os.Symlink("level.dat", filepath.Join(d.root, "world", "link")), os.WriteFile(filepath.Join(d.root, "world", "secret.yml"), []byte("hidden"), 0o600),
		os.WriteFile(filepath.Join(d.root, "ops.json"), []byte("[]"), 0o600),
	))
	answer, body := d.get(d.address(d.owner, map[string]any{"paths": []any{"world"}}), nil)
	if !strings.Contains(answer.Header.Get("Content-Disposition"), "world.zip") {
		t.Errorf("named %q", answer.Header.Get("Content-Disposition"))
	}
	z, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
	d.Must(err)
	var got []string
	for _, f := range z.File {
		got = append(got, f.Mode().String()+" "+f.Name)
	}
	slices.Sort(got)
	want := []string{"-rw-r----- world/level.dat", "Lrwxrwxrwx world/link", "drwxr-x--- world/empty/", "drwxr-x--- world/"}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("in the archive: %q", got)
	}
	_, body = d.get(d.address(d.owner, map[string]any{"paths": []any{"world/level.dat", "ops.json"}, "format": "TAR_GZ"}), nil)
	unzipped, err := gzip.NewReader(strings.NewReader(body))
	d.Must(err)
	got = nil
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		d.Must(err)
		got = append(got, h.Name)
	}
	if !slices.Equal(got, []string{"world/level.dat", "ops.json"}) {
		t.Errorf("in the archive: %q", got)
	}
	if _, code := d.do(d.owner, "createDownload", "url", map[string]any{"paths": []any{"world/secret.yml"}}); code != "FORBIDDEN" {
		t.Errorf("what the template denies: %q", code)
	}
}

// TestA5Download tries tokens where they do not belong.
func TestA5Download(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	d.Must(os.WriteFile(filepath.Join(d.root, "a"), []byte("mine"), 0o600))
	url := d.address(d.owner, map[string]any{"paths": []any{"a"}})
	signed := strings.Split(url, "/")[5]
	if got := d.Post(&accounts.Credentials{AccessToken: signed}, "{ viewer { user { id } } }", nil); got.Code() != "UNAUTHENTICATED" {
		t.Errorf("a download's token as access token: %s", got.Text)
	}
	for _, audience := range []token.Audience{token.AudienceSFTP, token.AudienceUpload, token.AudienceAccess} {
		other, _, err := d.Tokens.Sign(audience, token.Claims{UserID: d.owner.User.ID, Resource: `{"s":"` + d.id + `","p":["a"]}`}, time.Hour)
		d.Must(err)
		if answer, body := d.get(d.URL+"/files/download/"+other+"/a", nil); answer.StatusCode != http.StatusUnauthorized || strings.Contains(body, "mine") {
			t.Errorf("%s: %s %s", audience, answer.Status, body)
		}
	}
	for _, bad := range []string{d.owner.AccessToken, signed + "x", "x"} {
		if answer, _ := d.get(d.URL+"/files/download/"+bad+"/a", nil); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s", bad, answer.Status)
		}
	}
}

// TestA6Download takes the right away while a download goes on, and before one begins: neither goes any further.
func TestA6Download(t *testing.T) {
	t.Parallel()
	d := newDrive(t)
	f, err := os.Create(filepath.Join(d.root, "big"))
	d.Must(err)
	d.Must(errors.Join(f.Truncate(1<<30), f.Close()))
	url := d.address(d.reader, map[string]any{"paths": []any{"big"}})
	packed := d.address(d.reader, map[string]any{"paths": []any{"big"}, "format": "TAR"})
	var open []*http.Response
	for _, at := range []string{url, packed} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, http.NoBody)
		d.Must(err)
		answer, err := http.DefaultClient.Do(r)
		d.Must(err)
		defer answer.Body.Close()
		_, err = io.ReadFull(answer.Body, make([]byte, 1<<20)) // and then the client reads nothing
		d.Must(err)
		open = append(open, answer)
	}
	d.Write(func(ctx context.Context, x *ent.Tx) error {
		_, err := x.ServerAccess.Delete().Where(serveraccess.UserID(d.reader.User.ID)).Exec(ctx)
		return err
	})
	lost := time.Now()
	d.Accounts.Announce(t.Context(), accounts.AccessChange{UserID: d.reader.User.ID})
	for _, answer := range open {
		n, err := io.Copy(io.Discard, answer.Body)
		if took := time.Since(lost); err == nil || took > 2*time.Second {
			t.Errorf("%d bytes more in %s, %v", n, took, err)
		}
	}
	if answer, body := d.get(url, nil); answer.StatusCode != http.StatusNotFound && answer.StatusCode != http.StatusForbidden || bytes.Contains([]byte(body), []byte{0}) {
		t.Errorf("after that: %s", answer.Status)
	}
}
