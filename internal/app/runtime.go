package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/catalyst-panel/catalyst/agent/network"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd"
	"github.com/catalyst-panel/catalyst/agent/runtime/process"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// chooseRuntime makes the runtime that is asked for, or the better one that the machine has. Running programs without
// isolation must be asked for by name, except for a first look.
func chooseRuntime(ctx context.Context, c *Config, log *slog.Logger, firstLook bool) (runtime.Runtime, error) {
	if c.Runtime == process.Name {
		return process.New(process.Config{Logger: log})
	}
	rt, err := containers(ctx, c, log)
	switch {
	case err == nil:
		return rt, nil
	case c.Runtime == containerd.Name:
		return nil, fault.New(fault.BadUserInput, "Servers cannot run in containers: %v. `catalyst agent doctor` says what to do.", err).Wrap(err)
	case firstLook:
		log.LogAttrs(ctx, slog.LevelInfo, "servers run as programs of this user, without containers", slog.Any("reason", err))
		return process.New(process.Config{Logger: log})
	}
	return nil, fault.New(fault.BadUserInput, "Servers cannot run in containers: %v. `catalyst agent doctor` says what to do; --runtime process runs servers as programs of this user, without isolation.", err).Wrap(err)
}

// containers makes the runtime of containers.
func containers(ctx context.Context, c *Config, log *slog.Logger) (runtime.Runtime, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("they need root, and this is user %d", os.Geteuid())
	}
	if err := containerd.Answers(ctx, c.ContainerdAddress); err != nil {
		return nil, err
	}
	networks, err := network.New(ctx, network.Config{})
	if err != nil {
		return nil, err
	}
	return containerd.New(ctx, containerd.Config{
		Address: c.ContainerdAddress, Dir: filepath.Join(c.DataDir, "agent", "containers"), Networks: networks,
		Credentials: c.RegistryAuthFile, Logger: log,
	})
}
