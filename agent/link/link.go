package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/agent/identity"
	"github.com/catalyst-panel/catalyst/agent/protocol"
)

const (
	// handshakeTime bounds the fetching of a nonce and the opening of the WebSocket together.
	handshakeTime = 15 * time.Second
	// goodLife is how long a link must have lived for the next attempt to come soon.
	goodLife = 10 * time.Second
	maxNonce = 16 << 10
)

// Config is what a Link needs.
type Config struct {
	// Panel is the panel's address, http or https.
	Panel *url.URL
	// Identity proves who the node is.
	Identity *identity.Identity
	// Client makes the handshake's requests; its Timeout must be 0.
	Client *http.Client
	// Handler answers the panel's calls.
	Handler http.Handler
	// Logger is for operators.
	Logger *slog.Logger
}

// Link connects a node with its panel.
type Link struct {
	config      Config
	connected   atomic.Bool
	connections atomic.Uint64
}

// New returns a link that Run keeps up.
func New(config Config) *Link { return &Link{config: config} }

// Connected reports whether the panel is connected now.
func (l *Link) Connected() bool { return l.connected.Load() }

// Connections is how many connections there have been.
func (l *Link) Connections() uint64 { return l.connections.Load() }

// Run keeps the link up until the context ends, and returns when the last connection and its handlers are gone.
func (l *Link) Run(ctx context.Context) {
	log := l.config.Logger
	pause := newBackoff()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		lived, err := l.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		if lived > goodLife {
			pause.reset()
		}
		wait := pause.next(final(err))
		log.LogAttrs(ctx, slog.LevelWarn, "not connected to the panel", slog.String("panel", l.config.Panel.Redacted()),
			slog.Any("error", err), slog.Duration("retry_in", wait.Round(time.Millisecond)))
		timer.Reset(wait)
	}
}

// final reports whether the panel refused the node itself.
func final(err error) bool {
	if refused, ok := errors.AsType[*identity.RefusedError](err); ok {
		return refused.Status/100 == 4 && refused.Status != http.StatusTooManyRequests
	}
	var closed *closedError
	return errors.As(err, &closed) && closed.final()
}

// connect makes one connection and serves it until it ends. It returns how long the connection lived, which a panel that
// lets every attempt hang does not add to, and why it could not be made, or ended.
func (l *Link) connect(ctx context.Context) (lived time.Duration, err error) {
	conn, err := l.dial(ctx)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	l.config.Logger.LogAttrs(ctx, slog.LevelInfo, "connected to the panel",
		slog.String("panel", l.config.Panel.Redacted()), slog.String("node_id", l.config.Identity.NodeID()))
	l.connections.Add(1)
	l.connected.Store(true)
	defer l.connected.Store(false)
	err = l.serve(ctx, conn)
	return time.Since(begun), err
}

// dial proves who the node is and opens the WebSocket.
func (l *Link) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	nonce, err := l.nonce(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the panel for a nonce: %w", err)
	}
	conn, resp, err := websocket.Dial(ctx, l.config.Panel.JoinPath(protocol.ConnectPath).String(), &websocket.DialOptions{ //nolint:bodyclose // the library closes it
		HTTPClient:      l.config.Client,
		HTTPHeader:      http.Header{"Authorization": {l.config.Identity.Authorization(nonce)}},
		Subprotocols:    []string{protocol.Subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("open the link: %w", identity.Refused(resp))
		}
		return nil, fmt.Errorf("open the link: %w", err)
	}
	if conn.Subprotocol() != protocol.Subprotocol {
		return nil, errors.Join(fmt.Errorf("the panel does not speak %s: install matching releases of panel and agent", protocol.Subprotocol), conn.CloseNow())
	}
	return conn, nil
}

func (l *Link) nonce(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.config.Panel.JoinPath(protocol.NoncePath).String(), nil)
	if err != nil {
		return "", err
	}
	resp, err := l.config.Client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", identity.Refused(resp)
	}
	var answer protocol.Nonce
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxNonce)).Decode(&answer); err != nil {
		return "", fmt.Errorf("read the panel's answer: %w", err)
	}
	if answer.Nonce == "" {
		return "", errors.New("the panel's answer holds no nonce")
	}
	return answer.Nonce, nil
}
