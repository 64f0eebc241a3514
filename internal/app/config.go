package app

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/catalyst-panel/catalyst/agent/runtime/containerd"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// switchedOff is the value of a setting that switches something off.
const switchedOff = "off"

// environmentPrefix begins the name of every setting's environment variable.
const environmentPrefix = "CATALYST_"

// Config is every setting. A flag wins over its environment variable, which wins over the configuration file; all
// three have the same name: --http-addr, CATALYST_HTTP_ADDR, http_addr.
type Config struct {
	// File is the YAML file that is read.
	File string
	// HTTPAddr is where the panel listens.
	HTTPAddr string
	// SFTPAddr is where SFTP is served, or "off"; SFTPPublicAddr is where clients reach it, when that is somewhere else.
	SFTPAddr, SFTPPublicAddr string
	// PublicURL is the panel's address as users and nodes reach it.
	PublicURL string
	// DataDir holds the database, keys, node state and server files.
	DataDir string
	// DatabaseURL is sqlite://<file> or postgres://….
	DatabaseURL string
	// NATSURL is empty for the embedded bus.
	NATSURL string
	// AdminEmail and AdminPassword are the first administrator's, on an empty database.
	AdminEmail, AdminPassword string
	// Registration lets anybody make an account: "on" or "off".
	Registration string
	// TokenKeyFile holds the key that signs access tokens, the same for every instance of a panel.
	TokenKeyFile string
	// SecretKeyFile holds the key that secrets in the database are encrypted with, the same for every instance of a panel.
	SecretKeyFile string
	// MetricsAddr is where an agent shows its metrics, or empty; the panel shows its own at HTTPAddr.
	MetricsAddr string
	// BackupReadRate is how many MiB of files the backups of a node read in a second; 0 is as fast as it goes.
	BackupReadRate int
	// MetricsToken has to be sent to see /metrics; without one, only this machine sees it.
	MetricsToken string
	// EgressAllow are networks that webhooks and imported templates may be in although they are not public.
	EgressAllow []string
	// Runtime is how the node runs servers: auto, containerd or process.
	Runtime string
	// ContainerdAddress is containerd's socket.
	ContainerdAddress string
	// RegistryAuthFile holds credentials of image registries, as docker login writes them.
	RegistryAuthFile string
	// PanelURL and EnrolToken are for the first start of an agent.
	PanelURL, EnrolToken string
	// RateLimit is "on" or "off"; off is for loopback only.
	RateLimit string
	// DebugAddr is a loopback address for profiles, or empty.
	DebugAddr string
	// TrustedProxies are networks whose forwarded addresses are believed; AllowedOrigins may use the API from a page.
	TrustedProxies, AllowedOrigins []string
	// GraphiQL is "on", "signed-in" or "off".
	GraphiQL string
	// LogLevel is debug, info, warn or error; LogFormat is text or json.
	LogLevel, LogFormat string
}

// role is one way to run the binary, with the defaults that differ.
type role struct {
	httpAddr, sftpAddr, registration, logFormat, graphiql string
}

// The roles.
var (
	devRole   = role{httpAddr: "127.0.0.1:8080", sftpAddr: "127.0.0.1:2022", registration: "on", logFormat: "text", graphiql: "on"}
	serveRole = role{httpAddr: ":8080", sftpAddr: ":2022", registration: "off", logFormat: "json", graphiql: "signed-in"}
	agentRole = role{logFormat: "json"}
)

// secrets are the settings whose values are never shown.
var secrets = []string{"admin-password", "enrol-token", "database-url", "nats-url", "metrics-token"}

// bind declares the settings of the panel, the agent, or both.
func (c *Config) bind(flags *pflag.FlagSet, r role, panel, agent bool) {
	flags.StringVar(&c.File, "config", "", "YAML file with settings")
	flags.StringVar(&c.DataDir, "data-dir", "./data", "directory of the database, keys, node state and server files")
	flags.StringVar(&c.DebugAddr, "debug-addr", "", "loopback address for profiles; empty switches them off")
	flags.StringVar(&c.LogLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&c.LogFormat, "log-format", r.logFormat, "text or json")
	if agent {
		flags.StringVar(&c.Runtime, "runtime", "auto", "how servers run: auto, containerd or process")
		flags.StringVar(&c.ContainerdAddress, "containerd-address", containerd.DefaultAddress, "containerd's socket")
		flags.IntVar(&c.BackupReadRate, "backup-read-rate", 0, "MiB of files that backups read in a second; 0 is as fast as it goes")
		flags.StringVar(&c.RegistryAuthFile, "registry-auth-file", "", "credentials of image registries, as docker login writes them in config.json")
	}
	if !panel {
		flags.StringVar(&c.PanelURL, "panel-url", "", "address of the panel, for the first start")
		flags.StringVar(&c.EnrolToken, "enrol-token", "", "one-time token of the first start, from createNode or createEnrolmentToken")
		flags.StringVar(&c.MetricsAddr, "metrics-addr", "", "address of the agent's /metrics; empty switches it off")
		flags.StringVar(&c.MetricsToken, "metrics-token", "", "bearer token of /metrics; without one, metrics-addr must be a loopback address")
		return
	}
	flags.StringVar(&c.HTTPAddr, "http-addr", r.httpAddr, "address of the API")
	flags.StringVar(&c.SFTPAddr, "sftp-addr", r.sftpAddr, "address of the SFTP server; off switches it off")
	flags.StringVar(&c.SFTPPublicAddr, "sftp-public-addr", "", "host:port at which clients reach SFTP (default: the host of public-url and the port of sftp-addr)")
	flags.StringVar(&c.PublicURL, "public-url", "", "address of the panel as users and nodes reach it (default: the API's)")
	flags.StringVar(&c.NATSURL, "nats-url", "", "NATS server shared by several instances; empty: one inside the process")
	flags.StringVar(&c.AdminEmail, "admin-email", "admin@localhost.localdomain", "first administrator, on an empty database")
	flags.StringVar(&c.AdminPassword, "admin-password", "", "password of the first administrator; a random one is printed once when empty")
	flags.StringVar(&c.Registration, "registration", r.registration, "whether anybody may make an account: on or off")
	flags.StringVar(&c.TokenKeyFile, "token-key-file", "", "key that signs access tokens (default: keys/token.pem in the data directory, made on the first start)")
	flags.StringVar(&c.SecretKeyFile, "secret-key-file", "", "key that secrets in the database are encrypted with (default: keys/secrets.key in the data directory, made on the first start)")
	flags.StringVar(&c.MetricsToken, "metrics-token", "", "bearer token of /metrics; without one, only this machine sees it")
	flags.StringSliceVar(&c.EgressAllow, "egress-allow", nil, "networks that webhooks may reach although they are not public")
	flags.StringVar(&c.RateLimit, "rate-limit", "on", "on, or off on loopback: limits, lockout, cost budgets and connection caps")
	flags.StringSliceVar(&c.TrustedProxies, "trusted-proxies", nil, "networks whose X-Forwarded-For is believed")
	flags.StringSliceVar(&c.AllowedOrigins, "allowed-origins", nil, "foreign origins whose pages may use the API")
	flags.StringVar(&c.GraphiQL, "graphiql", r.graphiql, "who gets GraphiQL at /: on (everybody), signed-in, or off")
	bindDatabase(flags, c)
}

// bindDatabase declares the setting that every command on the database needs.
func bindDatabase(flags *pflag.FlagSet, c *Config) {
	flags.StringVar(&c.DatabaseURL, "database-url", "", "sqlite://<file> or postgres://… (default: catalyst.db in the data directory)")
}

// load fills in what no flag has set from the environment and the file, and checks the whole.
func (c *Config) load(flags *pflag.FlagSet, environment []string) error {
	env := make(map[string]string, len(environment))
	for _, entry := range environment {
		if name, value, ok := strings.Cut(entry, "="); ok && value != "" {
			env[name] = value
		}
	}
	path := c.File
	if path == "" {
		path = env[environmentPrefix+"CONFIG"]
	}
	file, err := readFile(path)
	if err != nil {
		return err
	}
	var bad []error
	known := map[string]bool{}
	flags.VisitAll(func(f *pflag.Flag) {
		key := strings.ReplaceAll(f.Name, "-", "_")
		known[key] = true
		value, from := env[environmentPrefix+strings.ToUpper(key)], environmentPrefix+strings.ToUpper(key)
		if value == "" {
			value, from = file[key], key+" in "+path
		}
		if f.Changed || value == "" {
			return
		}
		if err := f.Value.Set(value); err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", from, err))
		}
	})
	for key := range file {
		if !known[key] {
			bad = append(bad, fmt.Errorf("%s: unknown setting %q", path, key))
		}
	}
	return errors.Join(append(bad, c.complete(flags))...)
}

// readFile reads the settings of a YAML file; none when there is no path.
func readFile(path string) (map[string]string, error) {
	if path == "" {
		return map[string]string{}, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	out := make(map[string]string, len(raw))
	for key, value := range raw {
		if list, ok := value.([]any); ok {
			parts := make([]string, len(list))
			for i, v := range list {
				parts[i] = fmt.Sprint(v)
			}
			out[key] = strings.Join(parts, ",")
			continue
		}
		if b, ok := value.(bool); ok {
			// YAML reads a bare on or off as a truth value.
			out[key] = map[bool]string{true: "on", false: "off"}[b]
			continue
		}
		out[key] = fmt.Sprint(value)
	}
	return out, nil
}

// complete fills in what follows from other settings and refuses what cannot be meant.
func (c *Config) complete(flags *pflag.FlagSet) error {
	var bad []error
	oneOf := func(name, value string, allowed ...string) {
		if flags.Lookup(name) != nil && !slices.Contains(allowed, value) {
			bad = append(bad, fmt.Errorf("%s: %q is not one of %s", name, value, strings.Join(allowed, ", ")))
		}
	}
	oneOf("rate-limit", c.RateLimit, "on", "off")
	oneOf("registration", c.Registration, "on", "off")
	oneOf("graphiql", c.GraphiQL, "on", "signed-in", "off")
	oneOf("runtime", c.Runtime, "auto", "containerd", "process")
	oneOf("log-level", c.LogLevel, "debug", "info", "warn", "error")
	oneOf("log-format", c.LogFormat, "text", "json")
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		bad = append(bad, fmt.Errorf("data-dir: %w", err))
	}
	c.DataDir = dir
	if c.DatabaseURL == "" {
		c.DatabaseURL = "sqlite://" + filepath.Join(dir, "catalyst.db")
	}
	if c.TokenKeyFile == "" {
		c.TokenKeyFile = filepath.Join(dir, "keys", "token.pem")
	}
	if c.SecretKeyFile == "" {
		c.SecretKeyFile = filepath.Join(dir, "keys", "secrets.key")
	}
	if flags.Lookup("http-addr") != nil {
		bad = append(bad, c.completeHTTP()...)
	}
	return errors.Join(bad...)
}

// completeHTTP checks the settings of the API.
func (c *Config) completeHTTP() (bad []error) {
	host, port, err := net.SplitHostPort(c.HTTPAddr)
	if err != nil {
		return append(bad, fmt.Errorf("http-addr: %q is not host:port", c.HTTPAddr))
	}
	if c.RateLimit == "off" && !loopback(host) {
		bad = append(bad, fmt.Errorf("rate-limit: off is for a loopback http-addr only, not %q", c.HTTPAddr))
	}
	if c.PublicURL == "" {
		if host == "" || host == "0.0.0.0" || host == "::" {
			host = "localhost"
		}
		c.PublicURL = "http://" + net.JoinHostPort(host, port)
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		bad = append(bad, fmt.Errorf("public-url: %q is not an http or https address", c.PublicURL))
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if _, _, err := net.SplitHostPort(c.SFTPAddr); err != nil && c.SFTPAddr != switchedOff {
		bad = append(bad, fmt.Errorf("sftp-addr: %q is neither host:port nor off", c.SFTPAddr))
	}
	if _, _, err := net.SplitHostPort(c.SFTPPublicAddr); err != nil && c.SFTPPublicAddr != "" {
		bad = append(bad, fmt.Errorf("sftp-public-addr: %q is not host:port", c.SFTPPublicAddr))
	}
	for _, parse := range []func() ([]netip.Prefix, error){c.proxies, c.egress} {
		if _, err := parse(); err != nil {
			bad = append(bad, err)
		}
	}
	return bad
}

// proxies returns the trusted networks.
func (c *Config) proxies() ([]netip.Prefix, error) {
	return networks("trusted-proxies", c.TrustedProxies)
}

// egress returns the networks that may be reached although they are not public.
func (c *Config) egress() ([]netip.Prefix, error) { return networks("egress-allow", c.EgressAllow) }

func networks(setting string, list []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(list))
	for _, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if addr, aerr := netip.ParseAddr(text); err != nil && aerr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %q is neither an address nor a network", setting, text)
		}
		out = append(out, prefix)
	}
	return out, nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

// makeDataDir makes the data directory and that of the keys, for nobody else to read.
func (c *Config) makeDataDir() error {
	err := errors.Join(os.MkdirAll(c.DataDir, 0o700), os.MkdirAll(filepath.Dir(c.TokenKeyFile), 0o700),
		os.MkdirAll(filepath.Dir(c.SecretKeyFile), 0o700))
	if err != nil {
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			return fault.New(fault.BadUserInput, "The data directory %s cannot be made: choose another with --data-dir.", c.DataDir).Wrap(err)
		}
		return fmt.Errorf("make data directory: %w", err)
	}
	return nil
}
