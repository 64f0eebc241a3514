// Package apitest is the whole API in the test's process: a database of its own, every service, the GraphQL handler behind
// a real HTTP server, and no nodes. Tests of the API as clients see it stand on it.
package apitest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"golang.org/x/crypto/bcrypt"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/graph"
	"github.com/catalyst-panel/catalyst/graph/handler"
	"github.com/catalyst-panel/catalyst/graph/present"
	"github.com/catalyst-panel/catalyst/graph/stream"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/administration"
	"github.com/catalyst-panel/catalyst/internal/alerts"
	"github.com/catalyst-panel/catalyst/internal/backups"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/egress"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/filehttp"
	"github.com/catalyst-panel/catalyst/internal/files"
	"github.com/catalyst-panel/catalyst/internal/gate"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/metrics"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/schedules"
	"github.com/catalyst-panel/catalyst/internal/seal"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
	"github.com/catalyst-panel/catalyst/internal/webhooks"
)

// Password is everybody's.
const Password = "plum harbour 42"

// World is the whole API on a database of its own, without nodes.
type World struct {
	T        testing.TB
	Store    *store.Store
	Accounts *accounts.Service
	Console  *console.Service
	Files    *files.Service
	Tokens   *token.Signer
	Handler  *handler.Handler
	// Schema is the executable schema, as NewSchema returns it.
	Schema graphql.ExecutableSchema
	// URL is where the API answers.
	URL string
	// Log is what was logged, as JSON lines.
	Log  *bytes.Buffer
	disk disk

	backups *backups.Service
	// Shutdown does what the edge does when the process ends.
	Shutdown context.CancelCauseFunc
}

// offline is a link to no node at all.
type offline struct{}

func (offline) Dirty(context.Context, string, string) {}

func (offline) Client(string) (protocol.AgentServiceClient, error) {
	return nil, fault.New(fault.NodeOffline, "The node is offline.")
}

func (offline) Backups(string) (protocol.BackupServiceClient, error) {
	return nil, fault.New(fault.NodeOffline, "The node is offline.")
}

func (offline) Send(string, *http.Request) (*http.Response, error) {
	return nil, fault.New(fault.NodeOffline, "The node is offline.")
}

// New returns the API on SQLite. change, when not nil, changes the handler's configuration.
func New(t testing.TB, change func(*handler.Config)) *World {
	t.Helper()
	return On(t, testkit.Store(t, testkit.Dialects()[0]), change)
}

// On is New on a database that is open.
func On(t testing.TB, s *store.Store, change func(*handler.Config)) *World {
	t.Helper()
	w := &World{T: t, Store: s, Log: &bytes.Buffer{}}
	log := slog.New(request.LogHandler(slog.NewJSONHandler(w.Log, nil)))
	_, key, err := ed25519.GenerateKey(rand.Reader)
	w.Must(err)
	w.Tokens, err = token.New(key, nil)
	w.Must(err)
	b, err := bus.Open(t.Context(), bus.Config{})
	w.Must(err)
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	s.Client.Use(changes.Hook(b, log))
	// A clock that stands still keeps what is remembered of people from going stale by itself: what a test sees change
	// was announced, and what it counts does not depend on how busy the machine is.
	start := time.Now()
	secrets, err := seal.New([]byte("a key that only tests seal with"))
	w.Must(err)
	w.Accounts, err = accounts.New(accounts.Config{
		Secrets: secrets,
		Now:     func() time.Time { return start },
		Client:  s.Client, Tokens: w.Tokens, Bus: b, Logger: log, AllowRegistration: true, PasswordCost: bcrypt.MinCost,
	})
	w.Must(err)
	keeper := gate.New(gate.Config{Client: s.Client, Bus: b, Accounts: w.Accounts})
	hosts := nodes.New(nodes.Config{Client: s.Client, Bus: b, Logger: log, PublicURL: "http://panel.test"})
	measured := metrics.New(t.Context(), metrics.Config{Client: s.Client, Link: offline{}, Gate: keeper, Logger: log})
	t.Cleanup(measured.Close)
	w.Console = console.New(console.Config{Client: s.Client, Dialect: s.Dialect, Bus: b, Gate: keeper, Logger: log})
	w.Files = files.New(files.Config{
		Client: s.Client, Logs: w.Console, Link: &w.disk, Gate: keeper, Accounts: w.Accounts, Tokens: w.Tokens, PublicURL: "http://panel.test", SFTP: files.SFTPAddress{Host: "panel.test", Port: 2022}, Bus: b, Logger: log,
	})
	t.Cleanup(w.Files.Close)
	presenter := present.New(log)
	streams := stream.NewRunner(presenter)
	w.backups = backups.New(backups.Config{
		Client: s.Client, Bus: b, Link: offline{}, Gate: keeper, Addresses: w.Files, Secrets: secrets, Logger: log,
	})
	hosted := servers.New(servers.Config{
		Client: s.Client, Bus: b, Link: offline{}, Gate: keeper, Nodes: hosts, Console: w.Console, Backups: w.backups, Logger: log,
	})
	w.backups.Servers = hosted
	planned := schedules.New(context.WithoutCancel(t.Context()), schedules.Config{Client: s.Client, Servers: hosted, Backups: w.backups, Accounts: w.Accounts, Logger: log})
	t.Cleanup(planned.Close)
	w.Schema = graph.NewSchema(graph.Config{
		Admin: administration.New(administration.Config{
			Client: s.Client, Link: offline{}, Version: "test", Database: s.DB.PingContext, Bus: func(context.Context) error { return b.Healthy() },
		}),
		Alerts: alerts.New(alerts.Config{Client: s.Client, Dialect: s.Dialect, Logger: log}),
		Webhooks: webhooks.New(webhooks.Config{
			Client: s.Client, Logger: log, Secrets: secrets, HTTP: egress.Policy{}.Client(time.Second),
		}),
		Files:  w.Files,
		Client: s.Client, Accounts: w.Accounts, Nodes: hosts, Console: w.Console, Metrics: measured, Streams: streams,
		Changes:   changes.NewFeed(s.Client, b, w.Accounts),
		Templates: templates.New(templates.Config{Client: s.Client, Logger: log, HTTP: egress.Policy{}.Client(time.Second)}),
		Servers:   hosted, Schedules: planned, Backups: w.backups,
	})
	c := handler.Config{
		Schema: w.Schema, Accounts: w.Accounts, Presenter: presenter, Logger: log,
	}
	if change != nil {
		change(&c)
	}
	w.Handler = handler.New(c)
	w.serve(streams)
	return w
}

// serve puts the handler on a server that can be told to shut down, as the edge does.
func (w *World) serve(streams *stream.Runner) {
	contents, err := filehttp.New(filehttp.Config{Files: w.Files, Backups: w.backups, Logger: slog.New(slog.DiscardHandler)})
	w.Must(err)
	base, shutdown := context.WithCancelCause(context.WithoutCancel(w.T.Context()))
	w.Shutdown = shutdown
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		defer context.AfterFunc(base, func() { cancel(context.Cause(base)) })()
		info := request.Info{ID: "req-1", UserAgent: "test/1"}
		r = r.WithContext(request.NewContext(ctx, info))
		if strings.HasPrefix(r.URL.Path, "/files/") {
			contents.ServeHTTP(rw, r)
			return
		}
		w.Handler.ServeHTTP(rw, r)
	}))
	w.URL = server.URL
	w.T.Cleanup(func() {
		shutdown(request.ErrShutdown)
		server.Close()
		streams.Wait()
	})
}

// Must ends the test when there is an error.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// Write changes the database as the system.
func (w *World) Write(f func(ctx context.Context, t *ent.Tx) error) {
	w.T.Helper()
	w.Must(tx.Do(viewer.System(context.WithoutCancel(w.T.Context()), nil, "test"), w.Store.Client, f))
}

// Person registers somebody with permissions everywhere.
func (w *World) Person(name string, permissions ...string) *accounts.Credentials {
	w.T.Helper()
	c, err := w.Accounts.Register(w.T.Context(), accounts.RegisterInput{
		Email: name + "@example.com", Username: name, Password: Password,
	})
	w.Must(err)
	if len(permissions) == 0 {
		return c
	}
	w.Write(func(ctx context.Context, t *ent.Tx) error {
		r, err := t.Role.Create().SetName("role of " + name).SetPermissions(permissions).Save(ctx)
		if err != nil {
			return err
		}
		return t.User.UpdateOneID(c.User.ID).AddRoles(r).Exec(ctx)
	})
	w.Accounts.Announce(w.T.Context(), accounts.AccessChange{UserID: c.User.ID})
	return c
}

// Server makes a server, with everything around it that it needs.
func (w *World) Server(name string, owner *accounts.Credentials) *ent.Server {
	w.T.Helper()
	var made *ent.Server
	w.Write(func(ctx context.Context, t *ent.Tx) error {
		place, err := t.Location.Create().SetName("place of " + name).Save(ctx)
		if err != nil {
			return err
		}
		host, err := t.Node.Create().SetName("node of " + name).SetPublicAddress("192.0.2.1").SetLocation(place).
			SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0).Save(ctx)
		if err != nil {
			return err
		}
		kindOf, err := t.Template.Create().SetName("template of " + name).SetStartup("true").Save(ctx)
		if err != nil {
			return err
		}
		for port := range 30 {
			if err := t.Allocation.Create().SetIP("192.0.2.1").SetPort(1000 + port).SetNode(host).Exec(ctx); err != nil {
				return err
			}
		}
		row, err := t.Server.Create().SetName(name).SetOwnerID(owner.User.ID).SetNode(host).SetTemplate(kindOf).
			SetState(kind.ServerStateStopped).Save(ctx)
		if err != nil {
			return err
		}
		made = row.Unwrap()
		return nil
	})
	return made
}

// Reply is an answer of the API.
type Reply struct {
	Status int
	Header http.Header
	// Text is the body as it came.
	Text   string
	Data   map[string]any `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
	Extensions map[string]any `json:"extensions"`
}

// Code returns the code of the first error; empty without one.
func (r *Reply) Code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	code, _ := r.Errors[0].Extensions["code"].(string)
	return code
}

// Post sends an operation.
func (w *World) Post(as *accounts.Credentials, query string, variables map[string]any) *Reply {
	w.T.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	w.Must(err)
	header := map[string]string{"Content-Type": "application/json"}
	if as != nil {
		header["Authorization"] = "Bearer " + as.AccessToken
	}
	return w.Send(http.MethodPost, "", header, string(body))
}

// Send sends a request, whose query string begins with its question mark.
func (w *World) Send(method, query string, header map[string]string, body string) *Reply {
	w.T.Helper()
	req, err := http.NewRequestWithContext(w.T.Context(), method, w.URL+query, strings.NewReader(body))
	w.Must(err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	w.Must(err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	w.Must(err)
	r := &Reply{Status: res.StatusCode, Header: res.Header, Text: string(text)}
	_ = json.Unmarshal(text, r)
	return r
}

// First starts a subscription over server-sent events and returns its first event: an answer, or the errors. It is
// empty when there is none within three seconds.
func (w *World) First(as *accounts.Credentials, query string, variables map[string]any) *Reply {
	w.T.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	w.Must(err)
	ctx, cancel := context.WithTimeout(w.T.Context(), 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	w.Must(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	if as != nil {
		req.Header.Set("Authorization", "Bearer "+as.AccessToken)
	}
	res, err := http.DefaultClient.Do(req)
	w.Must(err)
	defer func() { _ = res.Body.Close() }()
	r := &Reply{Status: res.StatusCode, Header: res.Header}
	for lines := bufio.NewScanner(res.Body); r.Text == "" && lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			r.Text = data
		} else if strings.HasPrefix(lines.Text(), "{") { // refused before the stream began
			r.Text = lines.Text()
		}
	}
	_ = json.Unmarshal([]byte(r.Text), r)
	return r
}

// Eventually waits for something that other goroutines bring about.
func Eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	for !f() {
		select {
		case <-deadline.C:
			t.Fatalf("still not: %s", what)
		case <-tick.C:
		}
	}
}
