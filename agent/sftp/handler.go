package sftp

import (
	"context"
	"log/slog"
	"net/http"
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
	if err != nil {
		err = fault.New(fault.BadUserInput, "The session of SFTP cannot begin: %s.", err)
	} else {
		tree, err = h.config.Files.Tree(asked.ServerID)
	}
	if err != nil {
		if !protocol.Refuse(w, err) {
			h.config.Logger.LogAttrs(r.Context(), slog.LevelError, "a session of SFTP cannot begin", slog.Any("error", err))
		}
		return
	}
	defer tree.Close() //nolint:errcheck // nothing is left to be written
	w.Header().Set("Content-Type", "application/octet-stream")
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return // the panel has gone
	}
	packets := newStream(r.Body, w)
	defer packets.Wait() // Serve closes it
	err = Serve(r.Context(), packets, Session{
		Tree: tree, Rights: Rights{Read: asked.Read, Write: asked.Write, Delete: asked.Delete}, Denied: denial.New(asked.Denied),
		Tell: func(ctx context.Context, deeds []Deed, more uint64) { h.tell(ctx, asked, deeds, more) },
	})
	if err != nil && r.Context().Err() == nil {
		h.config.Logger.LogAttrs(r.Context(), slog.LevelInfo, "a session of SFTP was broken off",
			slog.String("server_id", asked.ServerID), slog.Any("error", err))
	}
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
