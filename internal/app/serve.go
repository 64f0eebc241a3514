package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/catalyst-panel/catalyst/internal/httpd"
)

// runServe runs the panel until ctx ends.
func runServe(ctx context.Context, c *Config, log *slog.Logger, out io.Writer) (err error) {
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
	if err := p.greet(out, listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.http.Serve(ctx, listener) })
	group.Go(func() error { return serveSFTP(ctx) })
	group.Go(func() error { return p.endLinks(ctx) })
	group.Go(func() error { return serveDebug(ctx, c, log) })
	return group.Wait()
}

// endLinks tells the agents to come back when the panel stops: the HTTP server waits for their connections.
func (p *panel) endLinks(ctx context.Context) error {
	<-ctx.Done()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return p.link.Close(bounded)
}

// greet says where the panel is, and the first administrator's password, once.
func (p *panel) greet(out io.Writer, addr net.Addr) error {
	text := fmt.Sprintf("Catalyst %s\n  GraphiQL  %s/\n  GraphQL   %s/graphql\n", Version, p.config.PublicURL, p.config.PublicURL)
	if p.config.GraphiQL == "off" {
		text = fmt.Sprintf("Catalyst %s\n  GraphQL   %s/graphql\n", Version, p.config.PublicURL)
	}
	text += fmt.Sprintf("  Listening on %s, data in %s\n", addr, p.config.DataDir)
	if at := p.config.sftpAddress(); at.Host != "" {
		text += fmt.Sprintf("  SFTP      %s\n", net.JoinHostPort(at.Host, strconv.Itoa(at.Port)))
	}
	if p.firstPassword != "" {
		text += fmt.Sprintf("\n  First administrator (shown once)\n    login     admin\n    password  %s\n", p.firstPassword)
	}
	_, err := io.WriteString(out, text+"\n")
	return err
}

// serveDebug serves profiles when they are switched on.
func serveDebug(ctx context.Context, c *Config, log *slog.Logger) error {
	if c.DebugAddr == "" {
		return nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", c.DebugAddr)
	if err != nil {
		return fmt.Errorf("listen on debug-addr: %w", err)
	}
	return httpd.ServeDebug(ctx, listener, log)
}

// tuneCollector trades memory, which is cheap up to a point, for processor time: the heap may grow to five times what
// is live, but the collector works harder when the process nears 400 MiB. GOGC and GOMEMLIMIT win when they are set.
func tuneCollector() {
	if debug.SetGCPercent(100) == 100 {
		debug.SetGCPercent(200)
	}
}
