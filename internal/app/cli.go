package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/catalyst-panel/catalyst/agent/doctor"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/store"
)

// Version is the version of the build; the linker sets it.
var Version = "0.0.0-dev"

// Process is what a run of the binary is given.
type Process struct {
	Args           []string
	Environment    []string
	Stdout, Stderr io.Writer
}

// Run carries out one command line and returns when it is done or ctx has ended and everything is released. The error
// is for the person at the terminal.
func Run(ctx context.Context, p Process) error {
	root := &cobra.Command{
		Use:           "catalyst",
		Short:         "Catalyst hosts game servers: a panel with a GraphQL API and node agents that run the servers",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       Version,
	}
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.AddCommand(p.dev(), p.serve(), p.agent(), p.migrate(), p.admin(), p.template(), p.version()) //nolint:contextcheck // cobra hands the context to each command when it runs
	return root.ExecuteContext(ctx)
}

// command is a sub-command with settings: bind declares them, run gets them loaded.
func (p Process) command(use, short string, bind func(*Config, *pflag.FlagSet), run func(context.Context, *Config, *slog.Logger, []string) error) *cobra.Command {
	var c Config
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	bind(&c, cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.load(cmd.Flags(), p.Environment); err != nil {
			return err
		}
		log := p.logger(&c)
		log.DebugContext(cmd.Context(), "settings", settings(cmd.Flags())...)
		return run(cmd.Context(), &c, log, args)
	}
	return cmd
}

// settings returns the settings in effect, without secrets.
func settings(flags *pflag.FlagSet) []any {
	var out []any
	flags.VisitAll(func(f *pflag.Flag) {
		value := f.Value.String()
		if slices.Contains(secrets, f.Name) && value != "" {
			value = "(hidden)"
		}
		out = append(out, slog.String(f.Name, value))
	})
	return out
}

// logger makes the logger that everything is given.
func (p Process) logger(c *Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(p.Stderr, options)
	if c.LogFormat == "text" {
		handler = slog.NewTextHandler(p.Stderr, options)
	}
	return slog.New(request.LogHandler(handler))
}

func (p Process) dev() *cobra.Command {
	return p.command("dev", "Run everything in one process, for a first look and for development",
		func(c *Config, f *pflag.FlagSet) { c.bind(f, devRole, true, true) },
		func(ctx context.Context, c *Config, log *slog.Logger, _ []string) error {
			return runDev(ctx, c, log, p.Stdout)
		})
}

func (p Process) serve() *cobra.Command {
	return p.command("serve", "Run the panel",
		func(c *Config, f *pflag.FlagSet) { c.bind(f, serveRole, true, false) },
		func(ctx context.Context, c *Config, log *slog.Logger, _ []string) error {
			return runServe(ctx, c, log, p.Stdout)
		})
}

func (p Process) agent() *cobra.Command {
	bind := func(c *Config, f *pflag.FlagSet) { c.bind(f, agentRole, false, true) }
	cmd := p.command("agent", "Run the node agent", bind, func(ctx context.Context, c *Config, log *slog.Logger, _ []string) error {
		return runAgent(ctx, c, log)
	})
	cmd.AddCommand(p.command("doctor", "Say what this machine lacks to run servers in containers", bind,
		func(ctx context.Context, c *Config, _ *slog.Logger, _ []string) error {
			return doctor.Report(p.Stdout, doctor.Examine(ctx, c.ContainerdAddress, c.DataDir))
		}))
	return cmd
}

func (p Process) migrate() *cobra.Command {
	return p.command("migrate", "Bring the database's schema up to date",
		bindMaintenance,
		func(ctx context.Context, c *Config, log *slog.Logger, _ []string) error {
			if err := c.makeDataDir(); err != nil {
				return err
			}
			return store.Migrate(ctx, store.Config{URL: c.DatabaseURL, Logger: log})
		})
}

// bindMaintenance declares the settings of commands that only touch the database.
func bindMaintenance(c *Config, f *pflag.FlagSet) {
	c.bind(f, role{logFormat: "text"}, false, false)
	bindDatabase(f, c)
}

func (p Process) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			body, err := json.Marshal(map[string]string{"version": Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
			if err != nil {
				return fmt.Errorf("encode version: %w", err)
			}
			_, err = fmt.Fprintln(p.Stdout, string(body))
			return err
		},
	}
}
