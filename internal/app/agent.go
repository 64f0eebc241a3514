package app

import (
	"context"
	"log/slog"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/catalyst-panel/catalyst/agent"
	"github.com/catalyst-panel/catalyst/agent/procfs"
)

// runAgent runs the node agent until ctx ends. The servers go on.
func runAgent(ctx context.Context, c *Config, log *slog.Logger) error {
	if err := c.makeDataDir(); err != nil {
		return err
	}
	rt, err := chooseRuntime(ctx, c, log, false)
	if err != nil {
		return err
	}
	a, err := agent.New(agent.Config{
		DataDir: c.DataDir, PanelURL: c.PanelURL, EnrolToken: c.EnrolToken, Runtime: rt, Logger: log, Version: Version,
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
