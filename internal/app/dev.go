package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/catalyst-panel/catalyst/agent"
	"github.com/catalyst-panel/catalyst/agent/identity"
	"github.com/catalyst-panel/catalyst/agent/system"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// The names of what dev makes for itself.
const (
	devLocation = "Here"
	devNode     = "local"
)

// runDev runs a panel and one agent in one process until ctx ends. The agent speaks with the panel over loopback as
// any other would, and its servers end with it.
func runDev(ctx context.Context, c *Config, log *slog.Logger, out io.Writer) (err error) {
	tuneCollector()
	p, err := newPanel(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close(ctx)) }()
	listener, err := listen(ctx, c.HTTPAddr, "http-addr")
	if err != nil {
		return err
	}
	serveSFTP, err := p.listenSFTP(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	a, err := p.devAgent(ctx, listener.Addr())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := p.greet(out, listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	// The agent ends before the panel, so that what its servers do last is still recorded.
	group, ctx := errgroup.WithContext(ctx)
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { defer stopServing(); return a.Run(ctx) })
	group.Go(func() error { return p.http.Serve(serving, listener) })
	group.Go(func() error { return serveSFTP(ctx) })
	group.Go(func() error { return p.endLinks(serving) })
	group.Go(func() error { return serveDebug(ctx, c, log) })
	return group.Wait()
}

// devAgent makes the agent, and on the first start the node that it enrols as.
func (p *panel) devAgent(ctx context.Context, addr net.Addr) (*agent.Agent, error) {
	rt, err := chooseRuntime(ctx, p.config, p.log, true)
	if err != nil {
		return nil, err
	}
	token, err := p.devNode(ctx)
	if err != nil {
		return nil, errors.Join(err, rt.Close())
	}
	return agent.New(agent.Config{
		DataDir: p.config.DataDir, PanelURL: "http://" + reachable(addr), EnrolToken: token, Runtime: rt,
		Logger: p.log.With(slog.String("role", "agent")), StopServersOnExit: true, Version: Version,
		BackupRate: int64(p.config.BackupReadRate) << 20,
	})
}

// reachable is where this machine itself reaches a listener.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// devNode returns an enrolment token for this machine, or none when it is enrolled as a node that still exists. The
// node's limits are the machine's.
func (p *panel) devNode(ctx context.Context) (string, error) {
	ctx = viewer.System(ctx, p.log, "make the node of dev")
	existing, err := p.store.Client.Node.Query().Where(node.Name(devNode)).Only(ctx)
	if err == nil {
		if _, err := identity.Load(filepath.Join(p.config.DataDir, "agent")); err == nil {
			return "", nil
		}
		_, enrolment, err := p.nodes.CreateEnrolmentToken(ctx, existing.ID)
		if err != nil {
			return "", fmt.Errorf("enrol this machine again: %w", err)
		}
		return enrolment.Token, nil
	}
	location, err := p.nodes.CreateLocation(ctx, nodes.CreateLocationInput{Name: devLocation})
	if err != nil {
		return "", fmt.Errorf("make the location of dev: %w", err)
	}
	machine := system.Info(ctx, p.config.DataDir)
	_, enrolment, err := p.nodes.Create(ctx, nodes.CreateInput{
		Name: devNode, LocationID: location.ID, PublicAddress: "127.0.0.1", MemoryLimit: machine.GetMemory(),
		CPULimit: int(machine.GetCpuCount()) * 100, DiskLimit: machine.GetDisk(),
	})
	if err != nil {
		return "", fmt.Errorf("make the node of dev: %w", err)
	}
	return enrolment.Token, nil
}
