package httpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/catalyst-panel/catalyst/internal/ratelimit"
	"github.com/catalyst-panel/catalyst/internal/request"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	// writeTimeout bounds the whole answer of an ordinary request: longer than the longest operation, so that its
	// own time-out speaks first.
	writeTimeout   = time.Minute
	maxHeaderBytes = 64 << 10

	// DefaultGrace is how long Serve waits for requests to end when its Config does not say.
	DefaultGrace = 8 * time.Second
)

// Config is what a Server needs.
type Config struct {
	// GraphQL serves /graphql with every method, WebSockets included.
	GraphQL http.Handler
	// Agent serves everything below /agent/v1/.
	Agent http.Handler
	// Files serves everything below /files/: contents of any length, in both directions. It sets deadlines itself. Nil
	// leaves it out.
	Files http.Handler
	// SDL serves /schema.graphql; nil leaves it out.
	SDL http.Handler
	// Metrics serves /metrics; nil leaves it out.
	Metrics http.Handler
	// Observe, when not nil, is told of every request that has been answered.
	Observe func(route, method string, status int, took time.Duration)
	// GraphiQL says whether the GraphiQL page is served at /.
	GraphiQL bool
	// GraphiQLSignedIn has the page show nothing but the way to sign in to those who have not.
	GraphiQLSignedIn bool
	// Health reports why the panel cannot serve requests at the moment, or nil. It is asked by /readyz and has two
	// seconds.
	Health func(ctx context.Context) error
	// Logger takes the access log. It should be built with request.LogHandler.
	Logger *slog.Logger
	// TrustedProxies are the peers whose X-Forwarded-For and X-Request-Id are believed.
	TrustedProxies []netip.Prefix
	// AllowedOrigins are the foreign origins ("https://panel.example.com") whose pages may use the API. The panel's
	// own origin always may; "*" allows every one, which is harmless to signed-in users since no cookie signs anybody in.
	AllowedOrigins []string
	// RateLimit holds the limits per client address.
	RateLimit RateLimit
	// Grace is how long a shutdown waits for requests to end; DefaultGrace when it is zero.
	Grace time.Duration
	// Now is the clock of the rate limits; time.Now when it is nil.
	Now func() time.Time
}

// RateLimit holds limits in requests per minute and client address. Zero values mean the defaults.
type RateLimit struct {
	// Off lifts all limits.
	Off bool
	// GraphQL limits requests to /graphql (200); a WebSocket counts once, when it is opened.
	GraphQL int
	// Health limits health checks (1,000).
	Health int
	// Files limits requests below /files/ (1,200: an upload may have many parts).
	Files int
	// Agent limits requests below /agent/v1/ (3,000: several hundred agents may share one address).
	Agent int
}

// Server is the HTTP edge. Make one with New.
type Server struct {
	config  Config
	handler http.Handler
	origins origins

	draining  atomic.Bool
	unready   atomic.Bool // what /readyz said last, so that only changes are logged
	shutdown  context.CancelCauseFunc
	streamEnd context.Context //nolint:containedctx // ends with the server, not with a call; cancelled by Serve
	streams   sync.WaitGroup
}

// New returns a Server. It fails when an allowed origin is not one.
func New(c Config) (*Server, error) {
	if c.Grace <= 0 {
		c.Grace = DefaultGrace
	}
	allowed, err := parseOrigins(c.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, origins: allowed}
	s.handler, err = s.routes()
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Handler returns the whole edge as a handler, for tests and for servers of one's own. Streams opened through it end
// with their requests; a graceful shutdown is Serve's.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	if s.config.GraphQL != nil {
		limited := s.limit(s.limiter(s.config.RateLimit.GraphQL, 200), writeGraphQLError, s.config.GraphQL)
		mux.Handle("/graphql", s.crossOrigin(s.timeouts(limited)))
	}
	if s.config.SDL != nil {
		mux.Handle("GET /schema.graphql", s.crossOrigin(s.limit(s.limiter(s.config.RateLimit.GraphQL, 200), writeGraphQLError, s.config.SDL)))
	}
	if s.config.Agent != nil {
		limited := s.limit(s.limiter(s.config.RateLimit.Agent, 3000), writeError, s.config.Agent)
		mux.Handle("/agent/v1/", s.timeouts(limited))
	}
	if s.config.Files != nil {
		limited := s.limit(s.limiter(s.config.RateLimit.Files, 1200), writeError, s.config.Files)
		mux.Handle("/files/", s.crossOrigin(s.transfers(limited)))
	}
	health := s.limiter(s.config.RateLimit.Health, 1000)
	mux.Handle("GET /healthz", s.limit(health, writeError, http.HandlerFunc(s.alive)))
	mux.Handle("GET /readyz", s.limit(health, writeError, http.HandlerFunc(s.ready)))

	if s.config.Metrics != nil {
		mux.Handle("GET /metrics", s.limit(health, writeError, s.config.Metrics))
	}

	if s.config.GraphiQL {
		page, err := newGraphiQL(s.config.GraphiQLSignedIn)
		if err != nil {
			return nil, fmt.Errorf("load the GraphiQL page: %w", err)
		}
		mux.Handle("/", page)
	} else {
		mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			writeError(w, problem{http.StatusNotFound, "NOT_FOUND", "There is nothing here. The API answers at /graphql.", 0})
		})
	}
	return s.identify(s.accessLog(securityHeaders(mux))), nil
}

func (s *Server) limiter(perMinute, fallback int) *ratelimit.Limiter {
	if s.config.RateLimit.Off {
		return nil
	}
	if perMinute <= 0 {
		perMinute = fallback
	}
	return ratelimit.New(ratelimit.Config{Limit: perMinute, Window: time.Minute, Now: s.config.Now})
}

// Serve answers requests on listener until ctx ends, then shuts down: /readyz says no, long-lived requests end at once
// with request.ErrShutdown as their cause, others have the grace time. It closes the listener and returns nil after a
// clean shutdown. A Server serves once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	base, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	streamEnd, shutdown := context.WithCancelCause(base)
	defer shutdown(nil)
	s.streamEnd, s.shutdown = streamEnd, shutdown

	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	select {
	case err := <-failed:
		abort()
		s.streams.Wait()
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	err := s.stop(base, server, abort)
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve HTTP: %w", served))
	}
	return err
}

// stop ends everything that the server does, gently first.
func (s *Server) stop(base context.Context, server *http.Server, abort context.CancelFunc) error {
	s.draining.Store(true)
	s.shutdown(request.ErrShutdown)

	grace, cancel := context.WithTimeout(base, s.config.Grace)
	defer cancel()
	err := server.Shutdown(grace)
	if err == nil {
		err = s.waitForStreams(grace)
	}
	if err == nil {
		return nil
	}
	abort() // what is left is told to end at once
	if closeErr := server.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	return fmt.Errorf("shut down the HTTP server: %w", err)
}

// waitForStreams waits until every hijacked connection's handler has returned: http.Server.Shutdown does not.
func (s *Server) waitForStreams(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.streams.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for open streams: %w", ctx.Err())
	}
}
