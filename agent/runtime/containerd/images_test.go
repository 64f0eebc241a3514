package containerd_test

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
)

func nothing(float64, string) {}

// TestImagesThatCannotBeUsed says what is wrong with each.
func TestImagesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	rt := machine(t)()
	defer rt.Close()
	overflow := testbed.Push(t, "overflow", testbed.NewLayer().File("/hello", 0o755, nil), v1.Config{User: "4294967296:0"})
	for image, want := range map[string]string{
		"UPPER CASE":                          "is no image reference",
		testbed.Registry() + "/no/such:thing": "does not exist in its registry",
		"127.0.0.1:1/closed:latest":           "cannot be reached",
	} {
		if err := rt.Prepare(t.Context(), &protocol.ServerSpec{Image: image}, nothing); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", image, err, want)
		}
	}
	b := runtimetest.NewBench(t, machine(t))
	if _, err := b.TryStart(&protocol.ServerSpec{Image: overflow, Argv: []string{"/hello"}}); err == nil || !strings.Contains(err.Error(), "user is not a valid number") {
		t.Errorf("an image whose user overflows: %v", err)
	}
}

// TestLabelsOfImagesStayThere starts an image whose labels ask containerd for something.
func TestLabelsOfImagesStayThere(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	spec := shell(t, "sleep 60")
	inst := b.Start(spec)
	defer inst.Detach()
	container, err := testbed.Containerd(t).Client(t).LoadContainer(t.Context(), b.Dir.ServerID)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := container.Labels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for key := range labels {
		if !strings.HasPrefix(key, "catalyst.") {
			t.Errorf("the container has the label %s=%s", key, labels[key])
		}
	}
	if !strings.HasPrefix(labels["catalyst.image-digest"], "sha256:") {
		t.Errorf("labels = %v, want the image's digest", labels)
	}
}

// TestCredentialsGoToTheirHostOnly pulls from a registry that wants a password, with credentials for it and for another.
func TestCredentialsGoToTheirHostOnly(t *testing.T) {
	t.Parallel()
	daemon, networks := testbed.Containerd(t), testbed.Networks(t)
	var leaked atomic.Int64
	guarded := registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, given := r.BasicAuth()
		if given && password == "for-another" {
			leaked.Add(1)
		}
		if user != "node" || password != "right" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		guarded.ServeHTTP(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	image := testbed.PushTo(t, host, "private", testbed.NewLayer().File("/hello", 0o755, nil), v1.Config{},
		remote.WithAuth(&authn.Basic{Username: "node", Password: "right"}))
	file := filepath.Join(t.TempDir(), "config.json")
	rt, err := containerd.New(t.Context(), containerd.Config{
		Address: daemon.Address, Dir: t.TempDir(), Executable: testbed.Program(t), Networks: networks, Credentials: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	pull := func(credentials string) error {
		if err := os.WriteFile(file, []byte(credentials), 0o600); err != nil {
			t.Fatal(err)
		}
		return rt.Prepare(t.Context(), &protocol.ServerSpec{Image: image}, nothing)
	}
	entry := func(at, password string) string {
		return `{"auths":{"` + at + `":{"auth":"` + base64.StdEncoding.EncodeToString([]byte("node:"+password)) + `"}}}`
	}
	name, _, _ := strings.Cut(host, ":")
	for _, at := range []string{name, "http://" + host, "evil-" + host, host + "/private"} {
		if err := pull(entry(at, "for-another")); err == nil || !strings.Contains(err.Error(), "needs credentials") {
			t.Errorf("with credentials for %s: %v", at, err)
		}
	}
	if n := leaked.Load(); n != 0 {
		t.Errorf("credentials for other hosts were sent %d times", n)
	}
	if err := pull(entry(host, "right")); err != nil {
		t.Errorf("with its own credentials: %v", err)
	}
}
