package app

import (
	"context"
	"log/slog"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/catalyst-panel/catalyst/agent"
	"github.com/catalyst-panel/catalyst/agent/procfs"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/agent/runtime/process"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// runAgent runs the node agent until ctx ends. The servers go on.
func runAgent(ctx context.Context, c *Config, log *slog.Logger) error {
	if err := c.makeDataDir(); err != nil {
		return err
	}
	rt, err := chooseRuntime(c, log, false)
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

// chooseRuntime makes the runtime that is asked for. Running programs without isolation must be asked for by name,
// except for a first look.
func chooseRuntime(c *Config, log *slog.Logger, firstLook bool) (runtime.Runtime, error) {
	switch {
	case c.Runtime == process.Name, c.Runtime == "auto" && firstLook:
		return process.New(process.Config{Logger: log})
	case c.Runtime == "auto":
		return nil, fault.New(fault.BadUserInput, "Say how servers run: --runtime process runs them as programs of this user, without isolation.")
	}
	return nil, fault.New(fault.BadUserInput, "This build cannot run servers in containerd: use --runtime process.")
}
