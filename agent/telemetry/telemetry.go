package telemetry

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/spool"
)

const (
	namespace = "catalyst_agent"
	// patience bounds the reading of one page, headerTime that of a request's head.
	patience, headerTime = 5 * time.Second, 5 * time.Second
)

// Link is the connection to the panel.
type Link interface {
	// Connected reports whether there is one now, Connections how many there have been.
	Connected() bool
	Connections() uint64
}

// Config says where the figures come from.
type Config struct {
	// Version is the build's, Runtime the name of what runs the servers.
	Version, Runtime string
	// Servers returns what is observed of every server.
	Servers func() []*protocol.Observed
	// Node measures the node.
	Node func(context.Context) *protocol.StatsSample
	// Backlog returns what waits for the panel.
	Backlog func() spool.Backlog
	Link    Link
	// Token has to be sent to see the page; without one the listener must be a loopback one.
	Token  string
	Logger *slog.Logger
}

// Serve shows the page on a listener until ctx ends, and closes the listener.
func Serve(ctx context.Context, listener net.Listener, c Config) error {
	if c.Token == "" && !loopback(listener.Addr()) {
		return errors.Join(
			fmt.Errorf("others can reach the metrics address %s: use a loopback address, or set a metrics token", listener.Addr()),
			listener.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", admit(c.Token, promhttp.HandlerFor(registry(c), promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: patience, WriteTimeout: 2 * patience,
		ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve metrics: %w", err)
	case <-ctx.Done():
	}
	err := server.Close() // a page that is being written is of no use any more
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// admit asks for the token, if there is one.
func admit(token string, page http.Handler) http.Handler {
	if token == "" {
		return page
	}
	wanted := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := sha256.Sum256([]byte(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
		if subtle.ConstantTimeCompare(given[:], wanted[:]) != 1 {
			http.Error(w, "Send the token that is set as metrics-token.", http.StatusForbidden)
			return
		}
		page.ServeHTTP(w, r)
	})
}

func loopback(a net.Addr) bool {
	address, err := netip.ParseAddrPort(a.String())
	return err == nil && address.Addr().Unmap().IsLoopback()
}

func registry(c Config) *prometheus.Registry {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, by version and runtime.",
		ConstLabels: prometheus.Labels{"version": c.Version, "runtime": c.Runtime},
	})
	info.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), info, &asked{config: c},
	)
	return r
}
