package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/catalyst-panel/catalyst/agent"
	"github.com/catalyst-panel/catalyst/agent/procfs"
)

// listenForMetrics opens the listener of the agent's metrics; nil when they are switched off.
func (c *Config) listenForMetrics(ctx context.Context) (net.Listener, error) {
	if c.MetricsAddr == "" {
		return nil, nil //nolint:nilnil // none is wanted
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", c.MetricsAddr)
	if err != nil {
		return nil, fmt.Errorf("listen on metrics-addr: %w", err)
	}
	return listener, nil
}

// runAgent runs the node agent until ctx ends. The servers go on.
func runAgent(ctx context.Context, c *Config, log *slog.Logger) error {
	if err := c.makeDataDir(); err != nil {
		return err
	}
	rt, err := chooseRuntime(ctx, c, log, false)
	if err != nil {
		return err
	}
	page, err := c.listenForMetrics(ctx)
	if err != nil {
		return err
	}
	a, err := agent.New(agent.Config{
		DataDir: c.DataDir, PanelURL: c.PanelURL, EnrolToken: c.EnrolToken, Runtime: rt, Logger: log, Version: Version,
		BackupRate: int64(c.BackupReadRate) << 20, Metrics: page, MetricsToken: c.MetricsToken,
	})
	if err != nil {
		return err
	}
	// A node's memory is its servers': the collector works harder here, and what only the start needed goes back.
	debug.SetGCPercent(50)
	debug.FreeOSMemory()
	procfs.Trim()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.Run(ctx) })
	group.Go(func() error { return serveDebug(ctx, c, log) })
	return group.Wait()
}
