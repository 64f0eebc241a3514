package handler

import (
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/catalyst-panel/catalyst/graph/sdl"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// SDL serves the schema as a document to whoever has signed in.
func (h *Handler) SDL() http.Handler {
	text := sync.OnceValues(func() (string, error) { return sdl.Text(h.config.Schema.Schema()) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plain := acceptance{media: mediaJSON}
		ctx, _, err := h.authenticate(r.Context(), r.Header.Get("Authorization"))
		if err == nil && viewer.FromContext(ctx) == nil {
			err = fault.New(fault.Unauthenticated, "Sign in first: send an access token or an API key.")
		}
		if err != nil {
			h.write(w, plain, http.StatusUnauthorized, h.exec.DispatchError(ctx, listOf(h.config.Presenter.Present(ctx, err))))
			return
		}
		document, err := text()
		if err != nil {
			h.config.Logger.ErrorContext(ctx, "could not write the schema", slog.Any("error", err))
			h.write(w, plain, http.StatusInternalServerError, h.exec.DispatchError(ctx, listOf(h.config.Presenter.Present(ctx, err))))
			return
		}
		w.Header().Set("Content-Type", "application/graphql; charset=utf-8")
		_, _ = io.WriteString(w, document) // who has gone does not read
	})
}
