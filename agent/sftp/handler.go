package sftp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/protocol/denial"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Config is what a Handler needs.
type Config struct {
	// Files has the servers' files.
	Files *files.Store
	// Report tells the panel what was changed.
	Report func(*protocol.FileActivity) error
	// Notice tells those who watch the server's console.
	Notice func(ctx context.Context, serverID, text string)
	// Logger is for operators.
	Logger *slog.Logger
}

// Handler serves sessions over the panel's link, at protocol.SFTPPath.
type Handler struct{ config Config }

// NewHandler returns a handler.
func NewHandler(c Config) *Handler { return &Handler{config: c} }

// Register makes it answer on a mux.
func (h *Handler) Register(mux *http.ServeMux) { mux.Handle("POST "+protocol.SFTPPath, h) }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked, err := protocol.ParseSFTPSession(r.URL.RawQuery)
	var tree *files.Tree
	if err == nil {
		tree, err = h.config.Files.Tree(asked.ServerID)
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	defer tree.Close() //nolint:errcheck // nothing is left to be written
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.WriteHeader(http.StatusOK)
	if err := control.Flush(); err != nil {
		return // the panel has gone
	}
	err = Serve(r.Context(), &body{r: r.Body, w: w, control: control}, Session{
		Tree: tree, Rights: Rights{Read: asked.Read, Write: asked.Write, Delete: asked.Delete}, Denied: denial.New(asked.Denied),
		Tell: func(ctx context.Context, deeds []Deed, more uint64) { h.tell(ctx, asked, deeds, more) },
	})
	if err != nil && r.Context().Err() == nil {
		h.config.Logger.LogAttrs(r.Context(), slog.LevelInfo, "a session of SFTP was broken off",
			slog.String("server_id", asked.ServerID), slog.Any("error", err))
	}
}

func (h *Handler) refuse(w http.ResponseWriter, err error) {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		f = fault.New(fault.BadUserInput, "The session of SFTP cannot begin: %s.", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(protocol.HTTPStatus(f.Code))
	_ = json.NewEncoder(w).Encode(protocol.ErrorResponse{Code: string(f.Code), Message: f.Message}) // who has gone does not hear of it
}

// tell reports what a session has changed, to the panel and on the console.
func (h *Handler) tell(ctx context.Context, s protocol.SFTPSession, deeds []Deed, more uint64) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	activity := &protocol.FileActivity{ServerId: s.ServerID, Session: s.Name, More: more}
	for _, d := range deeds {
		activity.Deeds = append(activity.Deeds, &protocol.FileDeed{
			Kind: string(d.Kind), Path: []byte(d.Path), To: []byte(d.To), Count: d.Count, Bytes: d.Bytes,
		})
	}
	if err := h.config.Report(activity); err != nil {
		h.config.Logger.LogAttrs(ctx, slog.LevelError, "what a session of SFTP has changed is not reported",
			slog.String("server_id", s.ServerID), slog.Any("error", err))
	}
	h.config.Notice(ctx, s.ServerID, "SFTP, "+s.User+": "+summary(deeds, more))
}

// body makes a stream of a request and its answer. What is written goes out at once.
type body struct {
	r       io.ReadCloser
	w       io.Writer
	control *http.ResponseController

	mu     sync.Mutex
	closed bool
}

// Read reads what the client has sent.
func (b *body) Read(p []byte) (int, error) { return b.r.Read(p) }

// Write sends something to the client.
func (b *body) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, io.ErrClosedPipe
	}
	n, err := b.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, b.control.Flush()
}

// Close ends the stream.
func (b *body) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return b.r.Close()
}
