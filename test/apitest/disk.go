package apitest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/fileserver"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/agentlink"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// disk is the link to the files of every node: there is none until Disk is called, and one directory for all then.
type disk struct {
	store *files.Store
	url   *url.URL
}

// Disk puts the real file service of an agent behind the API and returns the directory of a server's files.
func (w *World) Disk(serverID string) string {
	w.T.Helper()
	if w.disk.store == nil {
		store, err := files.Open(w.T.TempDir())
		w.Must(err)
		mux := http.NewServeMux()
		fileserver.New(fileserver.Config{Files: store, Logger: slog.New(slog.DiscardHandler)}).Register(mux)
		server := httptest.NewServer(mux)
		w.T.Cleanup(func() {
			server.Close()
			_ = store.Close()
		})
		w.disk.url, err = url.Parse(server.URL)
		w.Must(err)
		w.disk.store = store
	}
	w.Must(w.disk.store.Create(serverID))
	return filepath.Join(w.disk.store.Path(serverID), files.FilesDir)
}

// ReadFile reads a file of a server from the disk itself.
func (w *World) ReadFile(serverID, name string) string {
	w.T.Helper()
	content, err := os.ReadFile(filepath.Join(w.Disk(serverID), name))
	w.Must(err)
	return string(content)
}

var errOffline = fault.New(fault.NodeOffline, "The node is offline.")

// Files calls the file service as the link does.
func (d *disk) Files(string) (protocol.FileServiceClient, error) {
	if d.store == nil {
		return nil, errOffline
	}
	return agentlink.FilesOver(http.DefaultClient, d.url.String()), nil
}

// Send sends bytes as the link does.
func (d *disk) Send(_ string, request *http.Request) (*http.Response, error) {
	if d.store == nil {
		return nil, errOffline
	}
	request = request.Clone(request.Context())
	request.URL.Scheme, request.URL.Host = d.url.Scheme, d.url.Host
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, errOffline.Wrap(err)
	}
	return agentlink.Answered(answer)
}
