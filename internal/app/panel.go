package app

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/graph"
	"github.com/catalyst-panel/catalyst/graph/guard"
	"github.com/catalyst-panel/catalyst/graph/handler"
	"github.com/catalyst-panel/catalyst/graph/present"
	"github.com/catalyst-panel/catalyst/graph/stream"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/administration"
	"github.com/catalyst-panel/catalyst/internal/agentlink"
	"github.com/catalyst-panel/catalyst/internal/alerts"
	"github.com/catalyst-panel/catalyst/internal/backups"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/egress"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/filehttp"
	"github.com/catalyst-panel/catalyst/internal/files"
	"github.com/catalyst-panel/catalyst/internal/gate"
	"github.com/catalyst-panel/catalyst/internal/httpd"
	"github.com/catalyst-panel/catalyst/internal/metrics"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/ratelimit"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/schedules"
	"github.com/catalyst-panel/catalyst/internal/seal"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/telemetry"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
	"github.com/catalyst-panel/catalyst/internal/webhooks"
	"github.com/catalyst-panel/catalyst/sftpd"
)

// credentialChecks is how many credentials may be tried for one account from one address in a minute, addressChecks for
// all accounts from one address.
const credentialChecks, addressChecks = 10, 30

// fetchTimeout is how long a template that is imported from elsewhere may take to arrive.
const fetchTimeout = 20 * time.Second

// webhookTimeout is how long a webhook may take to answer.
const webhookTimeout = 10 * time.Second

// userOperations is how many operations a user may send in a minute.
const userOperations = 200

const (
	// requestGrace is how long requests may go on when the panel stops, closeTimeout how long everything after them may
	// take: ten seconds together are what a supervisor gives.
	requestGrace = 6 * time.Second
	closeTimeout = 3 * time.Second
)

// panel is a running panel: its services, its transports and what must be closed, in the order it was opened.
type panel struct {
	config *Config
	log    *slog.Logger

	store     *store.Store
	bus       *bus.Bus
	secrets   *seal.Box
	link      *agentlink.Link
	accounts  *accounts.Service
	nodes     *nodes.Service
	servers   *servers.Service
	templates *templates.Service
	console   *console.Service
	files     *files.Service
	metrics   *metrics.Service
	alerts    *alerts.Service
	webhooks  *webhooks.Service
	schedules *schedules.Service
	backups   *backups.Service
	drainer   *events.Drainer
	http      *httpd.Server
	sftp      *sftpd.Server

	// firstPassword is the password of the first administrator when this start made it.
	firstPassword string
	closers       []func(context.Context) error
	background    sync.WaitGroup
	stop          context.CancelFunc
}

// newPanel opens and binds everything. After an error nothing is left open.
func newPanel(ctx context.Context, c *Config, log *slog.Logger) (_ *panel, err error) {
	p := &panel{config: c, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close(ctx))
		}
	}()
	if err := c.makeDataDir(); err != nil {
		return nil, err
	}
	if err := p.lockDataDir(); err != nil {
		return nil, err
	}
	if err := p.openStores(ctx); err != nil {
		return nil, err
	}
	if err := p.makeServices(ctx); err != nil {
		return nil, err
	}
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	return p, p.makeTransports(ctx)
}

// openStores opens the database and the bus.
func (p *panel) openStores(ctx context.Context) (err error) {
	if p.store, err = store.Open(ctx, store.Config{URL: p.config.DatabaseURL, Logger: p.log}); err != nil {
		return err
	}
	p.onClose(func(context.Context) error { return p.store.Close() })
	if p.bus, err = bus.Open(ctx, bus.Config{URL: p.config.NATSURL, Logger: p.log}); err != nil {
		return err
	}
	p.onClose(p.bus.Close)
	p.store.Client.Use(changes.Hook(p.bus, p.log))
	return nil
}

// makeServices makes the services and the agent link, which know each other by small interfaces.
func (p *panel) makeServices(ctx context.Context) error {
	key, err := token.LoadOrCreateKey(p.config.TokenKeyFile)
	if err != nil {
		return err
	}
	signer, err := token.New(key, nil)
	if err != nil {
		return err
	}
	var perAccount, perAddress accounts.Limiter
	if p.config.RateLimit == "on" {
		perAccount = ratelimit.New(ratelimit.Config{Limit: credentialChecks, Window: time.Minute})
		perAddress = ratelimit.New(ratelimit.Config{Limit: addressChecks, Window: time.Minute})
	}
	client := p.store.Client
	allowed, err := p.config.egress()
	if err != nil {
		return err
	}
	if p.secrets, err = seal.LoadOrCreate(p.config.SecretKeyFile); err != nil {
		return err
	}
	if p.accounts, err = accounts.New(accounts.Config{
		Secrets: p.secrets,
		Client:  client, Tokens: signer, Bus: p.bus, Logger: p.log, AllowRegistration: p.config.Registration == "on",
		Limiter: perAccount, AddressLimiter: perAddress,
	}); err != nil {
		return err
	}
	keeper := gate.New(gate.Config{Client: client, Bus: p.bus, Accounts: p.accounts})
	nodePort, desiredPort, reportPort := &nodePort{}, &desiredPort{}, &reportPort{}
	p.console = console.New(console.Config{Client: client, Dialect: p.store.Dialect, Bus: p.bus, Gate: keeper, Logger: p.log})
	nonceKey, err := hkdf.Key(sha256.New, key.Seed(), nil, "catalyst agent link nonces", 32)
	if err != nil {
		return fmt.Errorf("derive the nonce key: %w", err)
	}
	if p.link, err = agentlink.New(agentlink.Config{
		Nodes: nodePort, Desired: desiredPort, Reports: reportPort, Console: p.console, Bus: p.bus, NonceKey: nonceKey,
		PanelVersion: Version, RemoteAddr: remoteAddr, Logger: p.log,
	}); err != nil {
		return err
	}
	p.nodes = nodes.New(nodes.Config{Client: client, Bus: p.bus, Logger: p.log, PublicURL: p.config.PublicURL, Recheck: p.link.Recheck})
	p.files = files.New(files.Config{
		Client: client, Logs: p.console, Link: p.link, Gate: keeper, Accounts: p.accounts, Tokens: signer,
		PublicURL: strings.TrimRight(p.config.PublicURL, "/"), SFTP: p.config.sftpAddress(), Allowed: allowed, Bus: p.bus, Logger: p.log,
	})
	p.backups = backups.New(backups.Config{
		Client: client, Bus: p.bus, Link: p.link, Gate: keeper, Addresses: p.files, Secrets: p.secrets, Logger: p.log,
	})
	p.servers = servers.New(servers.Config{
		Client: client, Bus: p.bus, Link: p.link, Gate: keeper, Nodes: p.nodes, Console: p.console, Files: filePort{p.files}, Backups: p.backups, Logger: p.log,
	})
	p.backups.Servers = p.servers
	p.onClose(func(ctx context.Context) error { return within(ctx, "work with files", p.files.Close) })
	p.templates = templates.New(templates.Config{Client: client, Logger: p.log, HTTP: egress.Policy{Allowed: allowed}.Client(fetchTimeout)})
	p.metrics = metrics.New(context.WithoutCancel(ctx), metrics.Config{
		Client: client, Link: p.link, Gate: keeper, Logger: p.log, Dialect: p.store.Dialect,
	})
	p.onClose(func(ctx context.Context) error { return within(ctx, "samples", p.metrics.Close) })
	if err := p.makeWatch(ctx); err != nil {
		return err
	}
	nodePort.nodes, desiredPort.servers = p.nodes, p.servers
	reportPort.nodes, reportPort.servers, reportPort.metrics, reportPort.files, reportPort.backups = p.nodes, p.servers, p.metrics, p.files, p.backups
	return nil
}

// makeWatch makes the services that do things by themselves and tell people of what happens.
func (p *panel) makeWatch(ctx context.Context) error {
	allowed, err := p.config.egress()
	if err != nil {
		return err
	}
	p.webhooks = webhooks.New(webhooks.Config{
		Client: p.store.Client, Logger: p.log, Secrets: p.secrets, HTTP: egress.Policy{Allowed: allowed}.Client(webhookTimeout),
	})
	p.alerts = alerts.New(alerts.Config{Client: p.store.Client, Dialect: p.store.Dialect, Logger: p.log})
	p.schedules = schedules.New(context.WithoutCancel(ctx), schedules.Config{
		Client: p.store.Client, Servers: p.servers, Backups: p.backups, Accounts: p.accounts, Logger: p.log,
	})
	p.onClose(func(ctx context.Context) error { return within(ctx, "tasks", p.schedules.Close) })
	p.drainer = &events.Drainer{
		Client: p.store.Client, Logger: p.log, Handle: p.webhooks.Dispatch,
		Drained: func(_ context.Context, list []events.Event) { p.alerts.Heard(list) },
	}
	return nil
}

// prepare makes what an empty database lacks: roles, the first administrator, the starter templates.
func (p *panel) prepare(ctx context.Context) error {
	if err := p.store.Seed(ctx, p.log); err != nil {
		return err
	}
	ctx = viewer.System(ctx, p.log, "prepare the database")
	created, password, err := p.accounts.FirstAdmin(ctx, p.config.AdminEmail, p.config.AdminPassword)
	if err != nil {
		return fmt.Errorf("make the first administrator: %w", err)
	}
	if created && p.config.AdminPassword == "" {
		p.firstPassword = password
	}
	return p.templates.EnsureStarters(ctx)
}

// makeTransports makes the API and the HTTP edge.
func (p *panel) makeTransports(ctx context.Context) error {
	proxies, err := p.config.proxies()
	if err != nil {
		return err
	}
	limited := p.config.RateLimit == "on"
	presenter := present.New(p.log)
	streams := stream.NewRunner(presenter)
	p.onClose(func(ctx context.Context) error { return within(ctx, "subscriptions", streams.Wait) })
	var api *handler.Handler
	watch := telemetry.New(telemetry.Config{
		Version: Version, DB: p.store.DB, Bus: p.bus.Stats, Connections: func() int { return api.Connections() },
		Links: p.link.Links, Subscriptions: streams.Open, Inventory: p.inventory, Token: p.config.MetricsToken, Logger: p.log,
	})
	api = handler.New(handler.Config{
		Observe: watch.Operation,
		Schema: graph.NewSchema(graph.Config{
			Client: p.store.Client, Accounts: p.accounts, Nodes: p.nodes, Servers: p.servers, Templates: p.templates,
			Changes: changes.NewFeed(p.store.Client, p.bus, p.accounts),
			Console: p.console, Files: p.files, Metrics: p.metrics, Streams: streams, Admin: p.administration(), Schedules: p.schedules, Backups: p.backups, Alerts: p.alerts, Webhooks: p.webhooks,
		}),
		Accounts: p.accounts, Presenter: presenter, Logger: p.log, Unlimited: !limited, Operations: p.operations(limited), Costs: p.costs(limited),
	})
	contents, err := filehttp.New(filehttp.Config{Files: p.files, Backups: p.backups, Logger: p.log})
	if err != nil {
		return err
	}
	p.http, err = httpd.New(httpd.Config{
		Metrics: watch, Observe: watch.Request,
		Files:   contents,
		GraphQL: api, SDL: api.SDL(), Agent: p.link.Handler(), GraphiQL: p.config.GraphiQL != "off", GraphiQLSignedIn: p.config.GraphiQL == "signed-in", Health: p.healthy, Logger: p.log,
		TrustedProxies: proxies, AllowedOrigins: p.config.AllowedOrigins, RateLimit: httpd.RateLimit{Off: !limited}, Grace: requestGrace,
	})
	if err != nil {
		return err
	}
	if err := p.makeSFTP(); err != nil {
		return err
	}
	if err := p.link.Start(ctx); err != nil {
		return err
	}
	p.onClose(p.link.Close)
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.background.Go(func() { p.nodes.Sweep(run) })
	p.background.Go(func() { p.console.Sweep(run) })
	p.background.Go(func() { p.metrics.Condense(run) })
	p.background.Go(func() { p.alerts.Run(run) })
	p.background.Go(func() { p.drainer.Run(run) })
	p.background.Go(func() { p.webhooks.Run(run) })
	p.background.Go(func() { p.schedules.Run(run) })
	p.background.Go(func() { p.accounts.Run(run) })
	p.background.Go(func() { p.backups.Run(run) })
	p.onClose(func(ctx context.Context) error {
		p.stop()
		return within(ctx, "background work", p.background.Wait)
	})
	return nil
}

// inventory counts what is stored, for those who watch the panel.
func (p *panel) inventory(ctx context.Context) (telemetry.Inventory, error) {
	ctx = viewer.System(ctx, nil, "count for the metrics")
	stats, err := p.administration().Stats(ctx)
	if err != nil {
		return telemetry.Inventory{}, err
	}
	work, err := p.administration().Work(ctx)
	if err != nil {
		return telemetry.Inventory{}, err
	}
	out := telemetry.Inventory{
		Servers: make(map[string]int, len(stats.ServersByState)), Nodes: stats.Nodes, Offline: stats.Nodes - stats.NodesOnline,
		OpenAlerts: stats.Alerts, Users: stats.Users, TasksOverdue: work.TasksOverdue,
		TaskRuns: words(work.TaskRuns), Deliveries: words(work.Deliveries),
	}
	for _, c := range stats.ServersByState {
		out.Servers[string(c.State)] = c.Count
	}
	return out, nil
}

// words makes labels of an enumeration's values.
func words[K ~string](by map[K]int) map[string]int {
	out := make(map[string]int, len(by))
	for k, n := range by {
		out[string(k)] = n
	}
	return out
}

// administration answers how the whole is doing.
func (p *panel) administration() *administration.Service {
	return administration.New(administration.Config{
		Client: p.store.Client, Link: p.link, Version: Version, Database: p.store.DB.PingContext,
		Bus: func(context.Context) error { return p.bus.Healthy() },
	})
}

// operations limits the operations of each user; nil lifts the limit.
func (p *panel) operations(limited bool) handler.Limiter {
	if !limited {
		return nil
	}
	return ratelimit.New(ratelimit.Config{Limit: userOperations, Window: time.Minute})
}

// costs is what the operations of each user may cost together in a minute; nil lifts the limit.
func (p *panel) costs(limited bool) guard.Budget {
	if !limited {
		return nil
	}
	return ratelimit.New(ratelimit.Config{Limit: guard.Default().Budget, Window: time.Minute})
}

// remoteAddr is the client's address as the edge has found it out.
func remoteAddr(r *http.Request) netip.Addr { return request.FromContext(r.Context()).IP }

// healthy says why the panel cannot serve requests at the moment.
func (p *panel) healthy(ctx context.Context) error {
	if err := p.store.DB.PingContext(ctx); err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	if err := p.bus.Healthy(); err != nil {
		return fmt.Errorf("the event bus does not answer: %w", err)
	}
	return nil
}

func (p *panel) onClose(f func(context.Context) error) { p.closers = append(p.closers, f) }

// close releases everything, the last opened first. All of it together takes closeTimeout at the most, even when the
// database has stopped answering.
func (p *panel) close(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var errs []error
	for _, v := range slices.Backward(p.closers) {
		errs = append(errs, v(bounded))
	}
	p.closers = nil
	return errors.Join(errs...)
}

// within waits for the end of a part for as long as ctx lives. What has not ended by then ends with the process.
func within(ctx context.Context, what string, wait func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of the %s: %w", what, ctx.Err())
	}
}

// listen opens an address, which a setting names.
func listen(ctx context.Context, addr, setting string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w: choose another address with --%s", addr, err, setting)
	}
	return l, nil
}
