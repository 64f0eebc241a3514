package httpd

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/internal/request"
)

// accessLog writes a line per request when it has ended, and turns a panic into an internal error.
func (s *Server) accessLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		recorder := &recorder{ResponseWriter: w}
		defer func() { s.finish(r, recorder, time.Since(start), recover()) }()
		next.ServeHTTP(recorder, r)
	})
}

// finish logs a request that has ended, with what its handler panicked with, if it did.
func (s *Server) finish(r *http.Request, w *recorder, took time.Duration, failure any) {
	if failure != nil && failure != http.ErrAbortHandler { //nolint:errorlint // recover's value, compared as net/http does
		s.reportPanic(r.Context(), w, failure)
	}
	s.logRequest(r, w, took)
	if s.config.Observe != nil {
		s.config.Observe(route(r.Pattern), method(r.Method), w.answered(), took)
	}
	if failure != nil {
		// The connection must not be used again: the answer may be cut short.
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) reportPanic(ctx context.Context, w *recorder, failure any) {
	s.config.Logger.ErrorContext(ctx, "a request handler panicked",
		slog.String("panic", fmt.Sprint(failure)), slog.String("stack", string(debug.Stack())))
	if w.status == 0 && !w.hijacked {
		writeError(w, problem{http.StatusInternalServerError, "INTERNAL", "Something went wrong on our side.", 0})
	}
}

func (s *Server) logRequest(r *http.Request, w *recorder, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case w.status >= http.StatusInternalServerError && r.Pattern != "GET /readyz":
		level = slog.LevelWarn
	case quiet(r.Pattern):
		level = slog.LevelDebug
	}
	s.config.Logger.LogAttrs(r.Context(), level, "request served",
		slog.String("method", r.Method), slog.String("route", route(r.Pattern)), slog.Int("status", w.answered()),
		slog.Int64("bytes", w.bytes), slog.Duration("duration", took),
		slog.String("remote_ip", request.FromContext(r.Context()).IP.String()))
}

// quiet says whether a route is asked so often, and means so little, that its requests are for debugging only.
func quiet(pattern string) bool {
	switch route(pattern) {
	case "/", "/healthz", "/readyz", "/metrics":
		return true
	}
	return false
}

// route returns the path of a mux pattern.
func route(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return path
	}
	return pattern
}

// method is a request's method, or "other" for what clients make up.
func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return name
	}
	return "other"
}

// recorder notes what was answered. It passes on what the transports ask for: flushing, taking over the connection,
// and, by Unwrap, deadlines.
type recorder struct {
	http.ResponseWriter

	status   int
	bytes    int64
	hijacked bool
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Flush implements http.Flusher.
func (w *recorder) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	// A writer that cannot flush has nothing buffered, and a broken connection shows at the next write.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.hijacked = w.hijacked || err == nil
	return conn, buffered, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) answered() int {
	switch {
	case w.status != 0:
		return w.status
	case w.hijacked:
		return http.StatusSwitchingProtocols
	default:
		return http.StatusOK
	}
}

var (
	_ http.Flusher  = (*recorder)(nil)
	_ http.Hijacker = (*recorder)(nil)
)
