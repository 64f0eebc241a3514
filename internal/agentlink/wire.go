package agentlink

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

const (
	// agentOrigin is the made-up address of the agent on its own connection.
	agentOrigin = "http://agent"
	// streamWindow is the HTTP/2 receive window of one stream, in bytes. Larger ones gave more delay and no more speed.
	streamWindow = 1 << 20
	// maxHeaderBytes bounds the headers of an answer.
	maxHeaderBytes = 64 << 10
	// maxUnaryMessage bounds the answer of a call, and maxStreamMessage one message on a stream, in bytes.
	maxUnaryMessage  = 16 << 20
	maxStreamMessage = 2 << 20
	// closeTimeout bounds the exchange of close frames.
	closeTimeout = 2 * time.Second
	// maxCloseReason is what a WebSocket close frame holds, in bytes.
	maxCloseReason = 123
)

// hijacked remembers the connection that a handler takes over, which the WebSocket library keeps to itself: only with it
// can the end of a link be bounded in time.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack takes the connection over.
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, rw, err
}

// wire is one agent's connection: HTTP/2 over the binary messages of a WebSocket, with the panel as the client.
type wire struct {
	ws     *websocket.Conn
	raw    net.Conn
	http   *http.ClientConn
	cancel context.CancelFunc
}

// newWire speaks HTTP/2 on an accepted WebSocket. The function lost is called once when the connection ends.
func newWire(ctx context.Context, ws *websocket.Conn, raw net.Conn, lost func(error)) (*wire, error) {
	// Cancelling this context cuts the connection without a close frame, so it lives until the very end.
	connCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &wire{ws: ws, raw: raw, cancel: cancel}
	conn := &watched{Conn: websocket.NetConn(connCtx, ws, websocket.MessageBinary), lost: lost}

	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		Protocols:              protocols,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: streamWindow},
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
	client, err := transport.NewClientConn(ctx, "http", "agent:80")
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start HTTP/2: %w", err)
	}
	w.http = client
	return w, nil
}

// client returns a Connect client for the connection whose messages are at most limit bytes long. Nothing is
// compressed: latency matters more than volume here.
func (w *wire) client(limit int, options ...connect.ClientOption) protocol.AgentServiceClient {
	return newClient(&http.Client{Transport: w.http}, append(options, connect.WithReadMaxBytes(limit))...)
}

func newClient(via connect.HTTPClient, options ...connect.ClientOption) protocol.AgentServiceClient {
	return protocol.NewAgentServiceClient(via, agentOrigin,
		append(options, connect.WithAcceptCompression("gzip", nil, nil), connect.WithInterceptors(quoting{}))...)
}

// files is as client, for calls about files.
func (w *wire) files(options ...connect.ClientOption) protocol.FileServiceClient {
	return newFileClient(&http.Client{Transport: w.http}, append(options, connect.WithReadMaxBytes(maxUnaryMessage))...)
}

func newFileClient(via connect.HTTPClient, options ...connect.ClientOption) protocol.FileServiceClient {
	return protocol.NewFileServiceClient(via, agentOrigin,
		append(options, connect.WithAcceptCompression("gzip", nil, nil), connect.WithInterceptors(quoting{}))...)
}

// backups is as client, for calls about backups.
func (w *wire) backups(options ...connect.ClientOption) protocol.BackupServiceClient {
	return protocol.NewBackupServiceClient(&http.Client{Transport: w.http}, agentOrigin, append(options,
		connect.WithReadMaxBytes(maxUnaryMessage), connect.WithAcceptCompression("gzip", nil, nil), connect.WithInterceptors(quoting{}))...)
}

// close says goodbye to the agent, waits for its answer for a short time only, and releases everything.
func (w *wire) close(code websocket.StatusCode, reason string) {
	if w.raw != nil {
		_ = w.raw.SetDeadline(time.Now().Add(closeTimeout))
	}
	// Errors mean that the other side is gone already.
	_ = w.ws.Close(code, truncate(reason, maxCloseReason))
	w.cancel()
	if w.http != nil {
		_ = w.http.Close()
	}
	if w.raw != nil {
		_ = w.raw.Close()
	}
}

// watched tells of the end of a connection as soon as its reader meets it.
type watched struct {
	net.Conn
	lost func(error)
	once sync.Once
}

// Read reads from the connection.
func (c *watched) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.once.Do(func() { c.lost(lossReason(err)) })
	}
	return n, err
}

// lossReason makes the end of a connection readable.
func lossReason(err error) error {
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		return fmt.Errorf("the agent closed the link: %d %q", closed.Code, closed.Reason)
	}
	return fmt.Errorf("the connection was lost: %w", err)
}

// truncate cuts s to at most limit bytes, between characters.
func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 {
		limit--
	}
	return s[:limit]
}
