package fileserver_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/fileserver"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// node is a node with one server, as the panel sees it.
type node struct {
	t     *testing.T
	url   string
	id    string
	root  string
	calls protocol.FileServiceClient
}

func newNode(t *testing.T) *node {
	t.Helper()
	store, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	id := kind.NewID(kind.PrefixServer)
	if err := store.Create(id); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	fileserver.New(fileserver.Config{Files: store, Logger: slog.New(slog.DiscardHandler)}).Register(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &node{
		t: t, url: server.URL, id: id, root: filepath.Join(store.Path(id), files.FilesDir),
		calls: protocol.NewFileServiceClient(server.Client(), server.URL),
	}
}

// bytes makes a request for a content.
func (n *node) bytes(method string, c protocol.Content, body string, header http.Header) (int, string, http.Header) {
	n.t.Helper()
	if c.ServerID == "" {
		c.ServerID = n.id
	}
	r, err := http.NewRequestWithContext(n.t.Context(), method, n.url+protocol.ContentPath+"?"+c.Query(), strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header = header.Clone()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return answer.StatusCode, string(got), answer.Header
}

func TestContent(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	name := "conf/\xff &%\n.yml"
	status, body, _ := n.bytes(http.MethodPut, protocol.Content{Path: name, Parents: true, Mode: 0o640}, "hello world", nil)
	written := &protocol.FileEntry{}
	if err := proto.Unmarshal([]byte(body), written); err != nil || status != http.StatusOK {
		t.Fatal(status, body, err)
	}
	if string(written.GetPath()) != name || written.GetSize() != 11 || written.GetMode() != 0o640 {
		t.Errorf("written: %v", written)
	}
	status, body, header := n.bytes(http.MethodGet, protocol.Content{Path: name}, "", nil)
	if status != http.StatusOK || body != "hello world" || header.Get("ETag") == "" {
		t.Errorf("read: %d %q %v", status, body, header)
	}
	part := http.Header{"Range": {"bytes=6-"}, "If-Range": {header.Get("ETag")}}
	if status, body, _ = n.bytes(http.MethodGet, protocol.Content{Path: name}, "", part); status != http.StatusPartialContent || body != "world" {
		t.Errorf("a part: %d %q", status, body)
	}
	old := time.UnixMicro(written.GetModifiedAtUs()).Add(-time.Microsecond)
	for what, c := range map[string]protocol.Content{
		"changed": {Path: name, UnmodifiedSince: old}, "there": {Path: name, New: true}, "directory": {Path: "conf"},
	} {
		if status, body, _ = n.bytes(http.MethodPut, c, "mine", nil); status != http.StatusConflict && status != http.StatusBadRequest {
			t.Errorf("%s: %d %q", what, status, body)
		}
	}
	if _, body, _ = n.bytes(http.MethodGet, protocol.Content{Path: name}, "", nil); body != "hello world" {
		t.Errorf("a refused write left %q", body)
	}
}

func TestContentRefusals(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	if err := syscall.Mkfifo(filepath.Join(n.root, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		content protocol.Content
		status  int
		code    string
	}{
		{protocol.Content{Path: "nothing"}, http.StatusNotFound, "NOT_FOUND"},
		{protocol.Content{Path: "../state.json"}, http.StatusBadRequest, "BAD_USER_INPUT"},
		{protocol.Content{Path: "fifo"}, http.StatusBadRequest, "BAD_USER_INPUT"},
		{protocol.Content{Path: ""}, http.StatusBadRequest, "BAD_USER_INPUT"},
		{protocol.Content{ServerID: kind.NewID(kind.PrefixServer), Path: "x"}, http.StatusNotFound, "NOT_FOUND"},
		{protocol.Content{ServerID: "..", Path: "x"}, http.StatusNotFound, "NOT_FOUND"},
	} {
		status, body, header := n.bytes(http.MethodGet, test.content, "", nil)
		var told protocol.ErrorResponse
		if err := json.Unmarshal([]byte(body), &told); err != nil || status != test.status || told.Code != test.code || header.Get("ETag") != "" {
			t.Errorf("%+v: %d %q", test.content, status, body)
		}
		if strings.Contains(body, n.root) {
			t.Errorf("%q shows where the files lie", body)
		}
	}
}

// TestBrokenUpload breaks a body off: the file is as it was, and nothing is left beside it.
func TestBrokenUpload(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.bytes(http.MethodPut, protocol.Content{Path: "world"}, "old", nil)
	c := protocol.Content{ServerID: n.id, Path: "world"}
	broken := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), &failing{})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, n.url+protocol.ContentPath+"?"+c.Query(), broken)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := http.DefaultClient.Do(r); err == nil {
		_ = answer.Body.Close()
		t.Error("a body that broke off was taken")
	}
	if _, body, _ := n.bytes(http.MethodGet, protocol.Content{Path: "world"}, "", nil); body != "old" {
		t.Errorf("left %q", body)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		left, err := os.ReadDir(filepath.Join(filepath.Dir(n.root), ".staging"))
		if err == nil && len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left %v, %v", left, err)
		}
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errors.New("the network broke") }

func TestOperations(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	ctx := t.Context()
	for _, name := range []string{"a/one.txt", "a/two", "b"} {
		n.bytes(http.MethodPut, protocol.Content{Path: name, Parents: true}, name, nil)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pair := func(from, to string) []*protocol.FilePair {
		return []*protocol.FilePair{{From: []byte(from), To: []byte(to)}}
	}
	_, err := n.calls.CopyFiles(ctx, connect.NewRequest(&protocol.CopyFilesRequest{ServerId: n.id, Files: pair("a", "c")}))
	must(err)
	renamed, err := n.calls.RenameFiles(ctx, connect.NewRequest(&protocol.RenameFilesRequest{ServerId: n.id, Files: pair("c/two", "c/three.properties")}))
	must(err)
	if e := renamed.Msg.GetEntries()[0]; string(e.GetPath()) != "c/three.properties" || e.GetMimeType() != "text/plain" {
		t.Errorf("renamed: %v", e)
	}
	_, err = n.calls.ChmodFiles(ctx, connect.NewRequest(&protocol.ChmodFilesRequest{ServerId: n.id, Files: []*protocol.FileMode{{Path: []byte("b"), Mode: 0o4600}}}))
	must(err)
	made, err := n.calls.CreateDirectory(ctx, connect.NewRequest(&protocol.CreateDirectoryRequest{ServerId: n.id, Path: []byte("d/e/f")}))
	must(err)
	if made.Msg.GetEntry().GetKind() != protocol.FileKind_FILE_KIND_DIRECTORY {
		t.Errorf("made: %v", made.Msg)
	}
	_, err = n.calls.DeleteFiles(ctx, connect.NewRequest(&protocol.DeleteFilesRequest{ServerId: n.id, Paths: [][]byte{[]byte("a"), []byte("d")}}))
	must(err)
	listed, err := n.calls.ListFiles(ctx, connect.NewRequest(&protocol.ListFilesRequest{ServerId: n.id, Limit: 1}))
	must(err)
	if l := listed.Msg; l.GetTotal() != 2 || !l.GetMore() || string(l.GetEntries()[0].GetPath()) != "c" {
		t.Errorf("listed: %v", l)
	}
	listed, err = n.calls.ListFiles(ctx, connect.NewRequest(&protocol.ListFilesRequest{ServerId: n.id, Limit: 1, After: listed.Msg.GetPlaces()[0]}))
	must(err)
	if l := listed.Msg; l.GetMore() || string(l.GetEntries()[0].GetPath()) != "b" || l.GetEntries()[0].GetMode() != 0o600 {
		t.Errorf("listed: %v", l)
	}
	found, err := n.calls.SearchFiles(ctx, connect.NewRequest(&protocol.SearchFilesRequest{ServerId: n.id, Query: []byte("*.TXT")}))
	must(err)
	if f := found.Msg.GetEntries(); len(f) != 1 || string(f[0].GetPath()) != "c/one.txt" {
		t.Errorf("found: %v", f)
	}
	must(os.Symlink("nowhere", filepath.Join(n.root, "dangling")))
	for name, want := range map[string]string{"b": "text/plain", "c": "", "dangling": ""} {
		one, err := n.calls.StatFile(ctx, connect.NewRequest(&protocol.StatFileRequest{ServerId: n.id, Path: []byte(name)}))
		must(err)
		if got := one.Msg.GetEntry().GetMimeType(); got != want {
			t.Errorf("%s is a %q", name, got)
		}
	}
	for _, err := range []error{
		func() error {
			_, err := n.calls.StatFile(ctx, connect.NewRequest(&protocol.StatFileRequest{ServerId: n.id, Path: []byte("gone")}))
			return err
		}(),
		func() error {
			_, err := n.calls.ListFiles(ctx, connect.NewRequest(&protocol.ListFilesRequest{ServerId: kind.NewID(kind.PrefixServer)}))
			return err
		}(),
	} {
		if connect.CodeOf(err) != connect.CodeNotFound {
			t.Error(err)
		}
	}
}
