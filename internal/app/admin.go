package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/seal"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// admin is the family of commands for emergencies, on the database itself.
func (p Process) admin() *cobra.Command {
	parent := &cobra.Command{Use: "admin", Short: "Emergencies: work on the accounts without signing in"}
	var password string
	withPassword := func(c *Config, f *pflag.FlagSet) {
		bindMaintenance(c, f)
		f.StringVar(&c.NATSURL, "nats-url", "", "NATS server of a running panel, so that it ends open connections at once")
		f.StringVar(&password, "password", "", "the password; a random one is printed when empty")
	}
	first := p.command("create", "Make the first administrator in an empty database",
		func(c *Config, f *pflag.FlagSet) {
			withPassword(c, f)
			f.StringVar(&c.AdminEmail, "admin-email", "admin@localhost.localdomain", "e-mail address of the administrator")
		},
		func(ctx context.Context, c *Config, log *slog.Logger, _ []string) error {
			return withAccounts(ctx, c, log, func(ctx context.Context, a *accounts.Service) error {
				created, used, err := a.FirstAdmin(ctx, c.AdminEmail, password)
				if err != nil {
					return err
				}
				if !created {
					return fault.New(fault.Conflict, "There are accounts already: use catalyst admin reset-password, or createUser.")
				}
				_, err = fmt.Fprintf(p.Stdout, "login     admin\npassword  %s\n", used)
				return err
			})
		})
	reset := p.command("reset-password LOGIN", "Give an account a new password and end its sessions", withPassword,
		func(ctx context.Context, c *Config, log *slog.Logger, args []string) error {
			return withAccounts(ctx, c, log, func(ctx context.Context, a *accounts.Service) error {
				used, err := a.ResetPassword(ctx, args[0], password)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(p.Stdout, "login     %s\npassword  %s\n", args[0], used)
				return err
			})
		})
	reset.Args = cobra.ExactArgs(1)
	clearing := p.command("disable-totp LOGIN", "Switch the second factor of an account off", bindMaintenance,
		func(ctx context.Context, c *Config, log *slog.Logger, args []string) error {
			return withAccounts(ctx, c, log, func(ctx context.Context, a *accounts.Service) error { return a.ClearTOTP(ctx, args[0]) })
		})
	clearing.Args = cobra.ExactArgs(1)
	parent.AddCommand(first, reset, clearing)
	return parent
}

// withAccounts runs f as Catalyst itself on the configured database.
func withAccounts(ctx context.Context, c *Config, log *slog.Logger, f func(context.Context, *accounts.Service) error) (err error) {
	if err := c.makeDataDir(); err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Config{URL: c.DatabaseURL, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Seed(ctx, log); err != nil {
		return err
	}
	b, err := bus.Open(ctx, bus.Config{URL: c.NATSURL, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close(context.WithoutCancel(ctx))) }()
	key, err := token.LoadOrCreateKey(c.TokenKeyFile)
	if err != nil {
		return err
	}
	signer, err := token.New(key, nil)
	if err != nil {
		return err
	}
	secrets, err := seal.LoadOrCreate(c.SecretKeyFile)
	if err != nil {
		return err
	}
	a, err := accounts.New(accounts.Config{Client: s.Client, Tokens: signer, Bus: b, Secrets: secrets, Logger: log})
	if err != nil {
		return err
	}
	return f(viewer.System(ctx, log, "work on accounts from the command line"), a)
}
