package handler_test

import (
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

	"golang.org/x/crypto/bcrypt"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/graph"
	"github.com/catalyst-panel/catalyst/graph/handler"
	"github.com/catalyst-panel/catalyst/graph/present"
	"github.com/catalyst-panel/catalyst/graph/stream"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/gate"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/metrics"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const password = "plum harbour 42"

// world is the whole API on a database of its own, without nodes.
type world struct {
	t        *testing.T
	store    *store.Store
	accounts *accounts.Service
	console  *console.Service
	tokens   *token.Signer
	handler  *handler.Handler
	url      string
	log      *bytes.Buffer
	shutdown context.CancelCauseFunc
}

// offline is a link to no node at all.
type offline struct{}

func (offline) Dirty(context.Context, string, string) {}

func (offline) Client(string) (protocol.AgentServiceClient, error) {
	return nil, fault.New(fault.NodeOffline, "The node is offline.")
}

func newWorld(t *testing.T, change func(*handler.Config)) *world {
	t.Helper()
	return worldOn(t, testkit.Store(t, testkit.Dialects()[0]), change)
}

func worldOn(t *testing.T, s *store.Store, change func(*handler.Config)) *world {
	t.Helper()
	w := &world{t: t, store: s, log: &bytes.Buffer{}}
	log := slog.New(request.LogHandler(slog.NewJSONHandler(w.log, nil)))
	_, key, err := ed25519.GenerateKey(rand.Reader)
	w.must(err)
	w.tokens, err = token.New(key, nil)
	w.must(err)
	b, err := bus.Open(t.Context(), bus.Config{})
	w.must(err)
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	s.Client.Use(changes.Hook(b, log))
	w.accounts, err = accounts.New(accounts.Config{
		Client: s.Client, Tokens: w.tokens, Bus: b, Logger: log, AllowRegistration: true, PasswordCost: bcrypt.MinCost,
	})
	w.must(err)
	keeper := gate.New(gate.Config{Client: s.Client, Bus: b, Accounts: w.accounts})
	hosts := nodes.New(nodes.Config{Client: s.Client, Bus: b, Logger: log, PublicURL: "http://panel.test"})
	measured := metrics.New(t.Context(), metrics.Config{Client: s.Client, Link: offline{}, Gate: keeper, Logger: log})
	t.Cleanup(measured.Close)
	w.console = console.New(console.Config{Client: s.Client, Dialect: s.Dialect, Bus: b, Gate: keeper, Logger: log})
	presenter := present.New(log)
	streams := stream.NewRunner(presenter)
	c := handler.Config{
		Schema: graph.NewSchema(graph.Config{
			Client: s.Client, Accounts: w.accounts, Nodes: hosts, Console: w.console, Metrics: measured, Streams: streams,
			Changes:   &changes.Feed{Client: s.Client, Bus: b, Accounts: w.accounts},
			Templates: templates.New(templates.Config{Client: s.Client, Logger: log}),
			Servers: servers.New(servers.Config{
				Client: s.Client, Bus: b, Link: offline{}, Gate: keeper, Nodes: hosts, Logger: log,
			}),
		}),
		Accounts: w.accounts, Presenter: presenter, Logger: log,
	}
	if change != nil {
		change(&c)
	}
	w.handler = handler.New(c)
	w.serve(streams)
	return w
}

// serve puts the handler on a server that can be told to shut down, as the edge does.
func (w *world) serve(streams *stream.Runner) {
	base, shutdown := context.WithCancelCause(context.WithoutCancel(w.t.Context()))
	w.shutdown = shutdown
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		defer context.AfterFunc(base, func() { cancel(context.Cause(base)) })()
		info := request.Info{ID: "req-1", UserAgent: "test/1"}
		w.handler.ServeHTTP(rw, r.WithContext(request.NewContext(ctx, info)))
	}))
	w.url = server.URL
	w.t.Cleanup(func() {
		shutdown(request.ErrShutdown)
		server.Close()
		streams.Wait()
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// write changes the database as the system.
func (w *world) write(f func(ctx context.Context, t *ent.Tx) error) {
	w.t.Helper()
	w.must(tx.Do(viewer.System(context.WithoutCancel(w.t.Context()), nil, "test"), w.store.Client, f))
}

// person registers somebody with permissions everywhere.
func (w *world) person(name string, permissions ...string) *accounts.Credentials {
	w.t.Helper()
	c, err := w.accounts.Register(w.t.Context(), accounts.RegisterInput{
		Email: name + "@example.com", Username: name, Password: password,
	})
	w.must(err)
	if len(permissions) == 0 {
		return c
	}
	w.write(func(ctx context.Context, t *ent.Tx) error {
		r, err := t.Role.Create().SetName("role of " + name).SetPermissions(permissions).Save(ctx)
		if err != nil {
			return err
		}
		return t.User.UpdateOneID(c.User.ID).AddRoles(r).Exec(ctx)
	})
	w.accounts.Announce(w.t.Context(), accounts.AccessChange{UserID: c.User.ID})
	return c
}

// server makes a server, with everything around it that it needs.
func (w *world) server(name string, owner *accounts.Credentials) *ent.Server {
	w.t.Helper()
	var made *ent.Server
	w.write(func(ctx context.Context, t *ent.Tx) error {
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

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	text   string
	Data   map[string]any `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
	Extensions map[string]any `json:"extensions"`
}

func (r *reply) code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	code, _ := r.Errors[0].Extensions["code"].(string)
	return code
}

// post sends an operation.
func (w *world) post(as *accounts.Credentials, query string, variables map[string]any) *reply {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	w.must(err)
	header := map[string]string{"Content-Type": "application/json"}
	if as != nil {
		header["Authorization"] = "Bearer " + as.AccessToken
	}
	return w.send(http.MethodPost, "", header, string(body))
}

func (w *world) send(method, query string, header map[string]string, body string) *reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+query, strings.NewReader(body))
	w.must(err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	w.must(err)
	r := &reply{status: res.StatusCode, header: res.Header, text: string(text)}
	_ = json.Unmarshal(text, r)
	return r
}

// eventually waits for something that other goroutines bring about.
func eventually(t *testing.T, what string, f func() bool) {
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
