package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

// Receive windows of the HTTP/2 connection: larger ones make a transfer no faster, but delay what shares the link.
const (
	streamWindow = 1 << 20
	connWindow   = 4 << 20
)

// serve answers the panel's calls on one connection until it ends.
func (l *Link) serve(ctx context.Context, conn *websocket.Conn) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	// The stream of bytes outlives ctx by a moment, so that it is closed in one place only.
	stream := websocket.NetConn(context.WithoutCancel(ctx), conn, websocket.MessageBinary)
	listener := newListener(stream)

	var handlers sync.WaitGroup
	accepted, gone := make(chan struct{}), make(chan struct{})
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handlers.Add(1)
			defer handlers.Done()
			l.config.Handler.ServeHTTP(w, r)
		}),
		Protocols:   new(http.Protocols),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				close(accepted)
			case http.StateClosed:
				end(errors.New("the panel closed the link"))
				close(gone)
			case http.StateActive, http.StateIdle, http.StateHijacked:
			}
		},
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          protocol.MaxConcurrentStreams,
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReceiveBufferPerConnection: connWindow,
		},
		ErrorLog: slog.NewLogLogger(l.config.Logger.Handler(), slog.LevelDebug),
		// A link has no time limit: its pings tell whether it lives.
		ReadHeaderTimeout: 0, //nolint:gosec // the only peer is the panel, and deadlines would end the WebSocket
	}
	server.Protocols.SetUnencryptedHTTP2(true)

	var running sync.WaitGroup
	running.Go(func() { end(server.Serve(listener)) })
	running.Go(func() { end(ping(ctx, conn)) })
	<-ctx.Done()
	// The connection goes first: nothing waits for a panel that does not answer.
	_ = conn.CloseNow()
	_ = listener.Close()
	_ = server.Close()
	running.Wait()
	select {
	case <-accepted:
		<-gone // from now on no handler begins
	default:
	}
	handlers.Wait()
	return context.Cause(ctx)
}

// ping finds out that the panel is gone although the connection was never closed.
func ping(ctx context.Context, conn *websocket.Conn) error {
	ticker := time.NewTicker(protocol.PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(ctx, protocol.PingTimeout)
		err := conn.Ping(limited)
		cancel()
		if err != nil {
			return fmt.Errorf("ping the panel: %w", err)
		}
	}
}

// listener hands out one connection, and then waits until it is closed.
type listener struct {
	conn   net.Conn
	once   sync.Once
	closed chan struct{}
	given  bool
}

func newListener(conn net.Conn) *listener {
	return &listener{conn: conn, closed: make(chan struct{})}
}

// Accept returns the connection the first time; http.Server calls it from one goroutine.
func (l *listener) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// Close ends Accept.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is that of the connection.
func (l *listener) Addr() net.Addr { return l.conn.LocalAddr() }
