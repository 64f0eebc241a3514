package testbed

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// hub is the registry of this test process.
var hub = sync.OnceValue(func() *httptest.Server {
	return httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo))))
})

// Registry is the host and port of a registry on loopback.
func Registry() string { return strings.TrimPrefix(hub().URL, "http://") }

// Push puts an image of one layer into the registry and returns its reference.
func Push(t testing.TB, repository string, layer *Layer, config v1.Config) string {
	t.Helper()
	return PushTo(t, Registry(), repository, layer, config)
}

// PushTo is Push into another registry.
func PushTo(t testing.TB, host, repository string, layer *Layer, config v1.Config, options ...remote.Option) string {
	t.Helper()
	blob, err := layer.close()
	if err != nil {
		t.Fatalf("make image %s: %v", repository, err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob)), nil },
		tarball.WithCompressionLevel(gzip.BestSpeed))
	if err != nil {
		t.Fatalf("make image %s: %v", repository, err)
	}
	image, err := mutate.AppendLayers(empty.Image, l)
	if err == nil {
		image, err = mutate.Config(image, config)
	}
	if err != nil {
		t.Fatalf("make image %s: %v", repository, err)
	}
	ref, err := name.ParseReference(host + "/" + repository + ":latest")
	if err != nil {
		t.Fatalf("make image %s: %v", repository, err)
	}
	if err := remote.Write(ref, image, options...); err != nil {
		t.Fatalf("push image %s: %v", repository, err)
	}
	return ref.String()
}

// Layer is a file system being put together.
type Layer struct {
	buffer bytes.Buffer
	tar    *tar.Writer
	seen   map[string]bool
	err    error
}

// NewLayer returns an empty one.
func NewLayer() *Layer {
	l := &Layer{seen: map[string]bool{}}
	l.tar = tar.NewWriter(&l.buffer)
	return l
}

func (l *Layer) close() ([]byte, error) {
	return l.buffer.Bytes(), errors.Join(l.err, l.tar.Close())
}

func (l *Layer) header(h *tar.Header) bool {
	h.Name = strings.TrimPrefix(h.Name, "/")
	if h.Name == "" || l.seen[h.Name] || l.err != nil {
		return false
	}
	l.seen[h.Name] = true
	if dir := filepath.Dir(h.Name); dir != "." {
		l.header(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755})
	}
	l.err = l.tar.WriteHeader(h)
	return l.err == nil
}

// File adds a file.
func (l *Layer) File(path string, mode int64, content []byte) *Layer {
	if l.header(&tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: mode, Size: int64(len(content))}) {
		_, l.err = l.tar.Write(content)
	}
	return l
}

// Link adds a symbolic link.
func (l *Layer) Link(path, target string) *Layer {
	l.header(&tar.Header{Typeflag: tar.TypeSymlink, Name: path, Linkname: target, Mode: 0o777})
	return l
}

// Host adds a file, link or directory of this machine, at the same place.
func (l *Layer) Host(path string) *Layer {
	// Where /lib is a link to /usr/lib, packages still name files below the former.
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil && dir != filepath.Dir(path) {
		for at := filepath.Dir(path); at != "/" && at != "."; at = filepath.Dir(at) {
			if target, err := os.Readlink(at); err == nil {
				l.Link(at, target)
			}
		}
		path = filepath.Join(dir, filepath.Base(path))
	}
	info, err := os.Lstat(path)
	if err != nil {
		l.err = errors.Join(l.err, err)
		return l
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			l.err = errors.Join(l.err, err)
			return l
		}
		l.Link(path, target)
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		if _, err := os.Stat(target); err == nil {
			l.Host(target)
		}
	case info.IsDir():
		l.header(&tar.Header{Typeflag: tar.TypeDir, Name: path, Mode: 0o755})
	default:
		content, err := os.ReadFile(path)
		if err != nil {
			l.err = errors.Join(l.err, err)
			return l
		}
		l.File(path, int64(info.Mode().Perm()), content)
	}
	return l
}

// Package adds the files of an installed Debian package, its documentation apart, and the libraries of its programs.
func (l *Layer) Package(t testing.TB, names ...string) *Layer {
	t.Helper()
	for _, name := range names {
		out, err := exec.CommandContext(t.Context(), "dpkg-query", "--listfiles", name).Output()
		if err != nil {
			Missing(t, "the Debian package %s is not installed", name)
		}
		for path := range strings.FieldsSeq(string(out)) {
			if path == "/." || strings.HasPrefix(path, "/usr/share/doc") || strings.HasPrefix(path, "/usr/share/man") || strings.HasPrefix(path, "/usr/share/locale") {
				continue
			}
			l.Host(path)
			if strings.Contains(path, "/bin/") || strings.HasPrefix(path, "/usr/games/") || strings.Contains(path, ".so") {
				l.libraries(t, path)
			}
		}
	}
	return l
}

// libraries adds what a program is linked with.
func (l *Layer) libraries(t testing.TB, program string) {
	t.Helper()
	info, err := os.Stat(program)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	out, err := exec.CommandContext(t.Context(), "ldd", program).Output()
	if err != nil {
		return // it is static, or no program
	}
	for field := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(field, "/") {
			l.Host(field)
		}
	}
}

// Busybox adds a shell and the usual small programs.
func (l *Layer) Busybox(t testing.TB) *Layer {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "busybox", "--list").Output()
	if err != nil {
		Missing(t, "busybox-static is not installed")
	}
	path, err := exec.LookPath("busybox")
	if err != nil {
		Missing(t, "busybox-static is not installed")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(fmt.Errorf("read busybox: %w", err))
	}
	l.File("/bin/busybox", 0o755, content)
	for applet := range strings.FieldsSeq(string(out)) {
		if applet != "busybox" {
			l.Link("/bin/"+applet, "busybox")
		}
	}
	return l
}
