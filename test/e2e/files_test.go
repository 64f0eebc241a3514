package e2e

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// noise is content that no compression helps with, the same each time.
func noise(size int) []byte {
	source := rand.NewChaCha8([32]byte{1})
	content := make([]byte, size)
	_, _ = source.Read(content) // it never fails
	return content
}

// TestUploadSurvives cuts an upload off again and again, by the client's end, the panel's and the agent's; it goes on each time,
// and the file is the one that was sent.
func TestUploadSurvives(t *testing.T) {
	t.Parallel()
	w := separate(t)
	id := w.create("target", w.demo())
	content := noise(40 << 20)
	var made struct{ CreateUpload struct{ URL string } }
	w.admin.Run(`mutation($id: ID!, $n: Bytes!) { createUpload(input: {serverId: $id, path: "world.bin", size: $n}) { url } }`,
		vars{"id": id, "n": len(content)}, &made)
	u := &resumable{url: made.CreateUpload.URL, content: content}
	cuts := 0
	for !u.done() {
		kind := cuts % 3
		switch cuts++; kind {
		case 0:
			u.send(t, 1+rand.IntN(6<<20), nil)
		case 1:
			u.send(t, 4<<20, w.panel.Kill)
			w.startPanel()
			w.awaitOnline(true)
		case 2:
			u.send(t, 4<<20, w.agent.Kill)
			w.startAgent()
			w.awaitOnline(true)
		}
		if cuts >= 10 {
			u.send(t, len(content), nil)
		}
		harness.Eventually(t, soon, "the upload says how far it is", func() error { return u.ask(t) })
	}
	if cuts < 10 {
		t.Errorf("it was cut %d times only", cuts)
	}
	got, err := os.ReadFile(w.nodeFile(id, "world.bin"))
	if err != nil || sha256.Sum256(got) != sha256.Sum256(content) {
		t.Errorf("another file is there: %d bytes, %v", len(got), err)
	}
}

// nodeFile finds a server's file on the node's disk.
func (w *world) nodeFile(id, name string) string {
	w.tb.Helper()
	found, err := filepath.Glob(filepath.Join(w.nodeDir, "*", "*", id, "files", name))
	if more, _ := filepath.Glob(filepath.Join(w.nodeDir, "*", id, "files", name)); len(found) == 0 {
		found = more
	}
	if err != nil || len(found) != 1 {
		w.tb.Fatalf("found %v, %v", found, err)
	}
	return found[0]
}

// resumable is a client of tus that is cut off.
type resumable struct {
	url     string
	content []byte
	offset  int
}

func (u *resumable) done() bool { return u.offset == len(u.content) }

// ask finds out how far the upload is.
func (u *resumable) ask(t *testing.T) error {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, u.url, http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	u.offset, err = strconv.Atoi(answer.Header.Get("Upload-Offset"))
	return err
}

// send sends the next bytes, up to so many, and does something in the middle of them, after which it stops.
func (u *resumable) send(t *testing.T, most int, midway func()) {
	t.Helper()
	part := u.content[u.offset:]
	stops := &stopping{from: bytes.NewReader(part), left: most, midway: midway}
	var body io.Reader = stops
	if midway == nil && most >= len(part) {
		body = bytes.NewReader(part)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, u.url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	r.Header.Set("Upload-Offset", strconv.Itoa(u.offset))
	r.ContentLength = int64(len(part))
	if answer, err := http.DefaultClient.Do(r); err == nil { // it was meant to break off
		_ = answer.Body.Close()
	}
	stops.stop() // it may have been refused before the middle: the one before is still being written
}

// stopping is a body that breaks off.
type stopping struct {
	from   io.Reader
	left   int
	midway func()
	once   sync.Once
}

// stop does what is to be done midway, once.
func (s *stopping) stop() {
	s.once.Do(func() {
		if s.midway != nil {
			s.midway()
		}
	})
}

func (s *stopping) Read(b []byte) (int, error) {
	if s.left == 0 {
		s.stop()
		return 0, errors.New("cut off")
	}
	n, err := s.from.Read(b[:min(len(b), s.left)])
	s.left -= n
	return n, err
}

// TestCurlGoesOn downloads with curl, which is cut off and goes on.
func TestCurlGoesOn(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	w := separate(t)
	id := w.create("source", w.demo())
	content := noise(20 << 20)
	w.admin.Run(`mutation($id: ID!) { writeFile(input: {serverId: $id, path: "world.bin", text: "x"}) { file { path } } }`, vars{"id": id}, nil)
	if err := os.WriteFile(w.nodeFile(id, "world.bin"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	url := w.download(id, "world.bin")
	to := filepath.Join(t.TempDir(), "world.bin")
	if err := exec.CommandContext(t.Context(), "curl", "-sfo", to, "--limit-rate", "4M", "--max-time", "1", url).Run(); err == nil {
		t.Fatal("it was not cut off")
	}
	cut, err := os.Stat(to)
	if err != nil || cut.Size() == 0 || cut.Size() >= int64(len(content)) {
		t.Fatalf("cut off at %v, %v", cut, err)
	}
	if out, err := exec.CommandContext(t.Context(), "curl", "-sfSC", "-", "-o", to, url).CombinedOutput(); err != nil {
		t.Fatalf("going on: %v\n%s", err, out)
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, content) {
		t.Errorf("another file has come: %d bytes, %v", len(got), err)
	}
}

// download makes an address.
func (w *world) download(id, path string) string {
	w.tb.Helper()
	var made struct{ CreateDownload struct{ URL string } }
	w.admin.Run(`mutation($id: ID!, $p: String!) { createDownload(input: {serverId: $id, paths: [$p]}) { url } }`, vars{"id": id, "p": path}, &made)
	return made.CreateDownload.URL
}

// BenchmarkDownload downloads 512 MB through panel and link, beside a copy by bare HTTP over loopback.
func BenchmarkDownload(b *testing.B) {
	w := separate(b)
	id := w.create("source", w.demo())
	w.admin.Run(`mutation($id: ID!) { writeFile(input: {serverId: $id, path: "big", text: "x"}) { file { path } } }`, vars{"id": id}, nil)
	const size = 512 << 20
	file := w.nodeFile(id, "big")
	if err := os.WriteFile(file, noise(size), 0o600); err != nil {
		b.Fatal(err)
	}
	plain := http.Server{Handler: http.FileServer(http.Dir(filepath.Dir(file))), ReadHeaderTimeout: time.Second}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = plain.Serve(listener) }()
	defer plain.Close()
	fetch := func(b *testing.B, url string) {
		b.SetBytes(size)
		for b.Loop() {
			answer, err := http.Get(url)
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if err != nil || n != size {
				b.Fatal(n, err)
			}
		}
	}
	b.Run("bare", func(b *testing.B) { fetch(b, "http://"+listener.Addr().String()+"/big") })
	b.Run("signed", func(b *testing.B) { fetch(b, w.download(id, "big")) })
}
