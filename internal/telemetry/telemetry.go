package telemetry

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/catalyst-panel/catalyst/internal/bus"
)

const (
	namespace = "catalyst"
	// patience bounds the questions of one page.
	patience = 5 * time.Second
)

// Config is what the page shows.
type Config struct {
	Version string
	DB      *sql.DB
	// Bus returns the counts of the event bus.
	Bus func() bus.Stats
	// Connections returns how many WebSockets and event streams are open.
	Connections func() int
	// Links returns how many nodes' links this instance holds.
	Links func() int
	// Subscriptions returns how many are open, by field.
	Subscriptions func() map[string]int
	// Inventory counts what is stored.
	Inventory func(ctx context.Context) (Inventory, error)
	// Token has to be sent to see the page; without one, only this machine sees it.
	Token  string
	Logger *slog.Logger
}

// Inventory is what is stored, by state.
type Inventory struct {
	Servers              map[string]int
	Nodes, Offline       int
	OpenAlerts, Users    int
	TaskRuns, Deliveries map[string]int
	TasksOverdue         int
}

// Telemetry counts and measures.
type Telemetry struct {
	config     Config
	registry   *prometheus.Registry
	requests   *prometheus.HistogramVec
	operations *prometheus.HistogramVec
}

// New returns a Telemetry.
func New(c Config) *Telemetry {
	t := &Telemetry{
		config:   c,
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "http", Name: "request_duration_seconds", Help: "How long requests took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30},
		}, []string{"route", "method", "status"}),
		operations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "graphql", Name: "operation_duration_seconds",
			Help:    "How long queries and mutations took, by the first of their fields and the code of the first error.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30},
		}, []string{"type", "field", "code"}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "The version that runs.", ConstLabels: prometheus.Labels{"version": c.Version},
	})
	info.Set(1)
	t.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewDBStatsCollector(c.DB, namespace), t.requests, t.operations, info, &asked{config: c},
	)
	return t
}

// Request measures a request that has been answered.
func (t *Telemetry) Request(route, method string, status int, took time.Duration) {
	t.requests.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
}

// Operation measures a query or a mutation that has been answered; the code is empty when nothing failed.
func (t *Telemetry) Operation(kind, field, code string, took time.Duration) {
	if code == "" {
		code = "OK"
	}
	t.operations.WithLabelValues(kind, field, code).Observe(took.Seconds())
}

// ServeHTTP shows the page to whom it is for.
func (t *Telemetry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !t.admits(r) {
		http.Error(w, "This page is for operators: ask from this machine, or with the token that is set as metrics-token.", http.StatusForbidden)
		return
	}
	promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
}

func (t *Telemetry) admits(r *http.Request) bool {
	if t.config.Token != "" {
		given := sha256.Sum256([]byte(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
		wanted := sha256.Sum256([]byte(t.config.Token))
		return subtle.ConstantTimeCompare(given[:], wanted[:]) == 1
	}
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return false // a proxy on this machine asks for somebody else
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	peer, err := netip.ParseAddr(host)
	return err == nil && peer.Unmap().IsLoopback()
}
