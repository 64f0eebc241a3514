package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

const (
	// maxPayload is the largest event of the embedded server, in bytes. An external NATS has a limit of its own,
	// 1 MiB by default.
	maxPayload = 8 << 20
	// startTimeout bounds the start of the embedded server and the first connection.
	startTimeout = 10 * time.Second
	// flushTimeout bounds the wait for the server's word that a subscription is in place.
	flushTimeout = 5 * time.Second
	// reconnectWait is the pause between attempts to reach a lost NATS server.
	reconnectWait = 500 * time.Millisecond
)

// ErrClosed is returned by every call on a bus that is closed.
var ErrClosed = errors.New("the event bus is closed")

// ErrTooLarge is returned for an event or a request that is larger than the NATS server takes.
var ErrTooLarge = errors.New("the event is larger than the bus takes")

// Config says how a bus is opened.
type Config struct {
	// URL is the address of a NATS server or cluster ("nats://host:4222", several separated by commas). Empty: a
	// server inside the process.
	URL string
	// Instance names this process among the panel's instances; empty: a random name.
	Instance string
	// Logger takes what happens to the connection.
	Logger *slog.Logger
}

// Bus is one instance's connection to the others.
type Bus struct {
	conn     *nats.Conn
	embedded *server.Server
	instance string
	log      *slog.Logger
	gone     chan struct{} // closed when the connection is closed for good

	mu     sync.Mutex
	closed bool
	hubs   map[string]upstream // by NATS subject

	published, received, delivered, dropped, reconnects atomic.Uint64
	subscriptions                                       atomic.Int64
}

// upstream is what the bus needs to know of a hub, whatever its type of event.
type upstream interface {
	natsSubscription() *nats.Subscription
	markGap()
	closeAll()
}

// Open starts or reaches the NATS server. The context bounds the opening only.
func Open(ctx context.Context, cfg Config) (*Bus, error) {
	b := &Bus{
		instance: cfg.Instance,
		log:      cfg.Logger,
		gone:     make(chan struct{}),
		hubs:     make(map[string]upstream),
	}
	if b.instance == "" {
		b.instance = nuid.Next()
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	options := b.connectionOptions()
	if cfg.URL == "" {
		if err := b.startEmbedded(); err != nil {
			return nil, err
		}
		options = append(options, nats.InProcessServer(b.embedded))
	}
	conn, err := connect(ctx, cfg.URL, options)
	if err != nil {
		b.stopEmbedded()
		return nil, err
	}
	b.conn = conn
	return b, nil
}

// connect dials NATS within the context's deadline; nats.Connect itself only knows a timeout.
func connect(ctx context.Context, url string, options []nats.Option) (*nats.Conn, error) {
	timeout := startTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	conn, err := nats.Connect(url, append(options, nats.Timeout(timeout))...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return conn, nil
}

func (b *Bus) connectionOptions() []nats.Option {
	return []nats.Option{
		nats.Name("catalyst " + b.instance),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait, reconnectWait),
		nats.DrainTimeout(flushTimeout),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				b.log.Warn("lost the connection to NATS", slog.Any("error", err))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			b.reconnects.Add(1)
			b.log.Info("connected to NATS again")
			b.markAllGaps()
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			b.log.Warn("NATS reported an error", slog.Any("error", err))
			if errors.Is(err, nats.ErrSlowConsumer) {
				b.markGap(sub)
			}
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(b.gone) }),
	}
}

func (b *Bus) startEmbedded() error {
	srv, err := server.NewServer(&server.Options{
		ServerName: "catalyst-" + b.instance,
		DontListen: true,
		NoSigs:     true,
		NoLog:      true,
		MaxPayload: maxPayload,
	})
	if err != nil {
		return fmt.Errorf("set up the embedded NATS server: %w", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) {
		srv.Shutdown()
		srv.WaitForShutdown()
		return errors.New("the embedded NATS server did not become ready")
	}
	b.embedded = srv
	return nil
}

func (b *Bus) stopEmbedded() {
	if b.embedded != nil {
		b.embedded.Shutdown()
		b.embedded.WaitForShutdown()
	}
}

// Instance returns the name of this process among the panel's instances.
func (b *Bus) Instance() string { return b.instance }

// Single reports whether this instance is certainly the only one, since the bus is inside the process.
func (b *Bus) Single() bool { return b.embedded != nil }

// Healthy returns nil while the connection to NATS is up.
func (b *Bus) Healthy() error {
	if status := b.conn.Status(); status != nats.CONNECTED {
		return fmt.Errorf("the connection to NATS is %s", status)
	}
	return nil
}

// Stats are counts since the bus was opened, for metrics.
type Stats struct {
	// Published and Received count events to and from NATS; Delivered counts those handed to local readers.
	Published, Received, Delivered uint64
	// Dropped counts events that a reader's full buffer cost that reader.
	Dropped uint64
	// Reconnects counts lost and regained connections.
	Reconnects uint64
	// Subscriptions is the number of local readers now, Upstreams that of NATS subscriptions that feed them.
	Subscriptions, Upstreams int
}

// Stats returns the counts.
func (b *Bus) Stats() Stats {
	b.mu.Lock()
	upstreams := len(b.hubs)
	b.mu.Unlock()
	return Stats{
		Published:     b.published.Load(),
		Received:      b.received.Load(),
		Delivered:     b.delivered.Load(),
		Dropped:       b.dropped.Load(),
		Reconnects:    b.reconnects.Load(),
		Subscriptions: int(b.subscriptions.Load()),
		Upstreams:     upstreams,
	}
}

// Close sends what is published, delivers what has arrived, ends every subscription (their channels are closed) and
// releases the connection. It returns when nothing of the bus is running any more, or the context's error.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	b.mu.Unlock()

	var failure error
	if err := b.conn.Drain(); err != nil {
		b.conn.Close()
	}
	select {
	case <-b.gone:
	case <-ctx.Done():
		failure = fmt.Errorf("drain the event bus: %w", ctx.Err())
		b.conn.Close()
		<-b.gone
	}

	b.mu.Lock()
	hubs := b.hubs
	b.hubs = make(map[string]upstream)
	b.mu.Unlock()
	for _, h := range hubs {
		h.closeAll()
	}
	b.stopEmbedded()
	return failure
}

// flush waits until the server has taken everything sent so far.
func (b *Bus) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := b.conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("wait for NATS: %w", err)
	}
	return nil
}

func (b *Bus) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

func (b *Bus) markAllGaps() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.hubs {
		h.markGap()
	}
}

func (b *Bus) markGap(sub *nats.Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.hubs {
		if h.natsSubscription() == sub {
			h.markGap()
		}
	}
}
