package filehttp

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// log sends the log of a console as text.
func (h *Handler) log(w http.ResponseWriter, r *http.Request) {
	d, err := h.config.Files.Log(r.Context(), r.PathValue("token"))
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	defer d.Close()
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Content-Disposition", Disposition(d.Name))
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("Cache-Control", "private, no-store")
	if r.Method == http.MethodHead {
		return
	}
	control := http.NewResponseController(w)
	// A write that waits for the client ends with the right.
	defer context.AfterFunc(d.Context, func() { _ = control.SetWriteDeadline(time.Unix(1, 0)) })() //nolint:contextcheck // it is the request's
	if err := d.Write(&patient{Writer: w, control: control, ctx: d.Context}); err != nil {
		h.config.Logger.DebugContext(r.Context(), "a download was broken off", slog.Any("error", err))
		panic(http.ErrAbortHandler) // half of a log must not look like a whole one
	}
}

// patient is a client that must go on reading.
type patient struct {
	io.Writer
	control *http.ResponseController
	ctx     context.Context //nolint:containedctx // that of one download
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(pause))
	if p.ctx.Err() != nil {
		return 0, context.Cause(p.ctx)
	}
	return p.Writer.Write(b) //nolint:wrapcheck // it is the client itself
}
