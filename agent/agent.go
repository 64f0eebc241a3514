package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/backup"
	"github.com/catalyst-panel/catalyst/agent/fileserver"
	"github.com/catalyst-panel/catalyst/agent/identity"
	"github.com/catalyst-panel/catalyst/agent/link"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/agent/service"
	"github.com/catalyst-panel/catalyst/agent/sftp"
	"github.com/catalyst-panel/catalyst/agent/spool"
	"github.com/catalyst-panel/catalyst/agent/supervisor"
	"github.com/catalyst-panel/catalyst/agent/system"
	"github.com/catalyst-panel/catalyst/agent/telemetry"
)

const (
	// usageInterval is how often the node's and the servers' use is reported for history.
	usageInterval = 30 * time.Second
	// stopTime is what the programs get to end by themselves when the agent stops them.
	stopTime = 4 * time.Second
	// enrolAgain is how long to wait before a panel that could not be reached is asked again.
	enrolAgain = 2 * time.Second
)

// Config is what an Agent needs.
type Config struct {
	// DataDir is the data directory; the agent's own lies below it.
	DataDir string
	// PanelURL is the panel's address: http(s)://host[:port][/path].
	PanelURL string
	// EnrolToken is the one-time token of the first start; it is not looked at once the machine is enrolled.
	EnrolToken string
	// Runtime runs the programs; Run closes it.
	Runtime runtime.Runtime
	// Logger is for operators.
	Logger *slog.Logger
	// StopServersOnExit stops the programs when Run ends; else they go on and are adopted by the next agent.
	StopServersOnExit bool
	// BackupRate is how many bytes of files backups read in a second; 0 is as fast as it goes.
	BackupRate int64
	// Version is that of the build, for the panel to show.
	Version string
	// HTTPClient reaches the panel; nil makes one. Its Timeout must be 0.
	HTTPClient *http.Client
	// Metrics is where the agent's metrics are shown; nil shows them nowhere. Run closes it.
	Metrics net.Listener
	// MetricsToken has to be sent to see them; without one, Metrics must be a loopback listener.
	MetricsToken string
}

// Agent is a node's agent. Make one with New, and Run it once.
type Agent struct {
	config Config
	panel  *url.URL
	dir    string
}

// New checks the configuration. The error says what to change.
func New(config Config) (*Agent, error) {
	panel, err := url.Parse(config.PanelURL)
	if err != nil || panel.Host == "" {
		return nil, fmt.Errorf("the panel's address %q is not a URL: give it as https://panel.example.com", config.PanelURL)
	}
	switch panel.Scheme {
	case "http", "https":
	case "ws":
		panel.Scheme = "http"
	case "wss":
		panel.Scheme = "https"
	default:
		return nil, fmt.Errorf("the panel's address %q must begin with http:// or https://", panel.Redacted())
	}
	if config.Runtime == nil {
		return nil, errors.New("an agent needs a runtime")
	}
	dir, err := filepath.Abs(filepath.Join(config.DataDir, "agent"))
	if err != nil {
		return nil, fmt.Errorf("find the agent's directory: %w", err)
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Agent{config: config, panel: panel, dir: dir}, nil
}

// Run is the agent's life: it returns when the context has ended and everything is released, in less than ten seconds,
// or with an error when it cannot begin.
func (a *Agent) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.config.Runtime.Close()) }()
	if a.config.Metrics != nil {
		defer func() { _ = a.config.Metrics.Close() }() // closed already, unless the agent could not begin
	}
	unlock, err := a.lock()
	if err != nil {
		return err
	}
	defer unlock()
	client := a.config.HTTPClient
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert,errcheck // it is one in net/http
		client = &http.Client{Transport: transport}
		defer transport.CloseIdleConnections()
	}
	id, err := a.identify(ctx, client)
	if ctx.Err() != nil {
		return nil // it was told to end before it had begun
	}
	if err != nil {
		return err
	}
	events, err := spool.Open(spool.Config{Dir: filepath.Join(a.dir, "spool")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	return a.supervise(ctx, client, id, events)
}

// supervise runs the servers and the link until the context ends.
func (a *Agent) supervise(ctx context.Context, client *http.Client, id *identity.Identity, events *spool.Spool) error {
	kept, err := backup.Open(backup.Config{Dir: filepath.Join(a.dir, "backups"), ReadRate: a.config.BackupRate, Logger: a.config.Logger})
	if err != nil {
		return err
	}
	servers, err := supervisor.New(ctx, supervisor.Config{
		Dir:     filepath.Join(a.dir, "servers"),
		Runtime: a.config.Runtime,
		Logger:  a.config.Logger,
		Report: func(o *protocol.Observed) error {
			_, err := events.Append(&protocol.EventsResponse{
				AtUs:  o.GetAtUs(),
				Event: &protocol.EventsResponse_ServerState{ServerState: o},
			}, spool.Durable)
			return err
		},
		Progress: func(p *protocol.InstallProgress) error {
			_, err := events.Append(&protocol.EventsResponse{
				AtUs: time.Now().UnixMicro(), Event: &protocol.EventsResponse_InstallProgress{InstallProgress: p},
			}, spool.Lazy)
			return err
		},
		Restore: func(ctx context.Context, r supervisor.Restoration) error {
			return kept.Restore(ctx, r.Files, backup.Restoration{
				ServerID: r.ServerID, Spec: r.Spec, Renewed: r.Renewed, Prepared: r.Prepared, Progress: r.Progress,
			})
		},
		RestoreProgress: func(p *protocol.RestoreProgress) error {
			_, err := events.Append(&protocol.EventsResponse{
				AtUs: time.Now().UnixMicro(), Event: &protocol.EventsResponse_RestoreProgress{RestoreProgress: p},
			}, spool.Lazy)
			return err
		},
	})
	if err != nil {
		return err
	}
	defer servers.Detach()
	kept.Start(ctx, servers.Files(), servers)
	defer kept.Close()
	node := system.NewSampler(a.dir)
	calls := service.New(service.Config{
		NodeID: id.NodeID(), Version: a.config.Version, RuntimeName: a.config.Runtime.Name(), Dir: a.dir,
		Supervisor: servers, Backups: kept, Spool: events, Node: node, Logger: a.config.Logger,
	})

	mux := http.NewServeMux()
	calls.Register(mux)
	contents := fileserver.New(fileserver.Config{Files: servers.Files(), Logger: a.config.Logger})
	contents.Register(mux)
	sftp.NewHandler(sftp.Config{
		Files: servers.Files(), Notice: servers.Notice, Logger: a.config.Logger,
		Report: func(activity *protocol.FileActivity) error {
			_, err := events.Append(&protocol.EventsResponse{
				AtUs: time.Now().UnixMicro(), Event: &protocol.EventsResponse_FileActivity{FileActivity: activity},
			}, spool.Durable)
			return err
		},
	}).Register(mux)
	backups := backup.NewService(kept)
	backups.Register(mux)
	if err := contents.Tidy(); err != nil {
		a.config.Logger.LogAttrs(ctx, slog.LevelWarn, "what an earlier agent has left is not removed", slog.Any("error", err))
	}
	panel := link.New(link.Config{
		Panel: a.panel, Identity: id, Client: client, Handler: mux, Logger: a.config.Logger,
	})
	var running sync.WaitGroup
	running.Go(func() { a.reportUsage(ctx, servers, node, events) })
	running.Go(func() { contents.Run(ctx) })
	running.Go(func() { kept.Run(ctx) })
	running.Go(func() {
		a.showMetrics(ctx, telemetry.Config{
			Version: a.config.Version, Runtime: a.config.Runtime.Name(), Servers: servers.Digest, Node: node.Sample,
			Backlog: events.Backlog, Link: panel, Token: a.config.MetricsToken, Logger: a.config.Logger,
		})
	})
	panel.Run(ctx)
	running.Wait()
	calls.Wait()
	backups.Wait()
	if a.config.StopServersOnExit {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		servers.StopAll(limited)
	}
	return nil
}

// showMetrics serves the page of metrics. A page that cannot be shown stops no server.
func (a *Agent) showMetrics(ctx context.Context, c telemetry.Config) {
	if a.config.Metrics == nil {
		return
	}
	if err := telemetry.Serve(ctx, a.config.Metrics, c); err != nil {
		a.config.Logger.LogAttrs(ctx, slog.LevelError, "no metrics are shown", slog.Any("error", err))
	}
}

// reportUsage spools what the node and its servers use, for history.
func (a *Agent) reportUsage(ctx context.Context, servers *supervisor.Supervisor, node *system.Sampler, events *spool.Spool) {
	ticker := time.NewTicker(usageInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			usage := &protocol.Usage{Node: node.Sample(ctx), Servers: servers.Samples(ctx)}
			_, err := events.Append(&protocol.EventsResponse{
				AtUs: now.UnixMicro(), Event: &protocol.EventsResponse_Usage{Usage: usage},
			}, spool.Lazy)
			if err != nil {
				a.config.Logger.LogAttrs(ctx, slog.LevelWarn, "usage is not reported", slog.Any("error", err))
			}
		}
	}
}

// identify loads who the node is, or enrols it.
func (a *Agent) identify(ctx context.Context, client *http.Client) (*identity.Identity, error) {
	id, err := identity.Load(a.dir)
	if !errors.Is(err, identity.ErrNotEnrolled) {
		return id, err
	}
	if a.config.EnrolToken == "" {
		return nil, errors.New("This machine is not enrolled: make a token with the panel's createEnrolmentToken and start the agent once with CATALYST_ENROL_TOKEN set to it")
	}
	timer := time.NewTimer(enrolAgain)
	defer timer.Stop()
	for {
		id, err := identity.Enrol(ctx, client, a.panel, a.config.EnrolToken, a.dir)
		if err == nil {
			a.config.Logger.LogAttrs(ctx, slog.LevelInfo, "enrolled", slog.String("node_id", id.NodeID()))
			return id, nil
		}
		var unreachable *url.Error
		var refused *identity.RefusedError
		later := errors.As(err, &unreachable) ||
			(errors.As(err, &refused) && (refused.Status >= http.StatusInternalServerError || refused.Status == http.StatusTooManyRequests))
		if !later || ctx.Err() != nil {
			return nil, err
		}
		a.config.Logger.LogAttrs(ctx, slog.LevelWarn, "not enrolled yet", slog.Any("error", err), slog.Duration("retry_in", enrolAgain))
		timer.Reset(enrolAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// lock keeps a second agent from using the same directory.
func (a *Agent) lock() (func(), error) {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the agent's directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(a.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the agent's directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = errors.Join(err, f.Close())
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another agent is using %s: stop it first, or give this one another data directory", a.dir)
		}
		return nil, fmt.Errorf("lock the agent's directory: %w", err)
	}
	// Unlocked by hand: a process that is being started at this moment may have the descriptor, too.
	return func() { _, _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close() }, nil
}
