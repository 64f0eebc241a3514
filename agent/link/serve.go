package link

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	connWindow   = 4<<20 - 1 // net/http takes its default for 4 MiB and more
)

// Close statuses of the panel after which it is asked rarely: see docs/agent-protocol.md.
const (
	statusVersion websocket.StatusCode = 4002
	statusRefused websocket.StatusCode = 4003
)

// serve answers the panel's calls on one connection until it ends.
func (l *Link) serve(ctx context.Context, conn *websocket.Conn) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	// The stream of bytes outlives ctx by a moment, so that it is closed in one place only.
	stream := &watchedConn{Conn: websocket.NetConn(context.WithoutCancel(ctx), conn, websocket.MessageBinary), lost: end}
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
		ReadHeaderTimeout: 0,
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

// watchedConn tells why the connection ended: HTTP/2 would keep the panel's words to itself.
type watchedConn struct {
	net.Conn
	lost context.CancelCauseFunc
}

// Read reads from the connection.
func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.lost(closing(err))
	}
	return n, err
}

// closing turns the end of a connection into an error for the log. A close frame with a status of the protocol's own
// carries a sentence of the panel.
func closing(err error) error {
	var closed websocket.CloseError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the panel closed the link")
	case errors.As(err, &closed):
		return &closedError{status: closed.Code, reason: closed.Reason}
	default:
		return fmt.Errorf("the link broke: %w", err)
	}
}

// closedError is a close frame of the panel.
type closedError struct {
	status websocket.StatusCode
	reason string
}

// Error repeats what the panel said.
func (e *closedError) Error() string {
	return fmt.Sprintf("the panel closed the link (%d): %s", e.status, e.reason)
}

// final reports whether the next attempt will most likely end in the same way.
func (e *closedError) final() bool {
	return e.status == statusVersion || e.status == statusRefused
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
