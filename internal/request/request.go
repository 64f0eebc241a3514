package request

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
)

// ErrShutdown is the cause (context.Cause) of the end of a long-lived request's context when the server stops, so that
// a WebSocket can tell its client to come back.
var ErrShutdown = errors.New("the server is shutting down")

// Info is what the edge knows about a request.
type Info struct {
	// ID names the request in logs and in the X-Request-Id header of the answer.
	ID string
	// IP is the client's address; behind a trusted proxy, the one that the proxy reports.
	IP netip.Addr
	// UserAgent is the client's own description, at most 256 bytes of it.
	UserAgent string
}

type key struct{}

// NewContext returns a context that carries info.
func NewContext(ctx context.Context, info Info) context.Context {
	return context.WithValue(ctx, key{}, info)
}

// FromContext returns what is known about the request that ctx belongs to; the zero Info outside of a request.
func FromContext(ctx context.Context) Info {
	info, _ := ctx.Value(key{}).(Info)
	return info
}

// ID returns the id of the request that ctx belongs to, or "".
func ID(ctx context.Context) string { return FromContext(ctx).ID }

type logHandler struct{ slog.Handler }

// LogHandler returns a handler that adds request_id to each record whose context belongs to a request.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

// Handle implements slog.Handler.
func (h logHandler) Handle(ctx context.Context, record slog.Record) error {
	if id := ID(ctx); id != "" {
		record = record.Clone()
		record.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name)}
}
