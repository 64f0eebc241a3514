package nodes_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// world is the service on a database with one location.
type world struct {
	*nodes.Service
	t     *testing.T
	store *store.Store
	// admin may do everything; system writes what a test needs.
	admin, system context.Context
	locationID    string

	mu       sync.Mutex
	recheck  []string
	template *ent.Template
	owner    *ent.User
}

func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) { f(t, newWorld(t, s)) })
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{})
	must(t, err)
	t.Cleanup(func() { _ = b.Close(context.WithoutCancel(t.Context())) })
	w := &world{t: t, store: s, system: testkit.System(t.Context())}
	w.Service = nodes.New(nodes.Config{
		Client: s.Client, Bus: b, Logger: slog.New(slog.DiscardHandler), PublicURL: "https://panel.example",
		Recheck: func(_ context.Context, id string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.recheck = append(w.recheck, id)
		},
	})
	w.write(func(ctx context.Context, x *ent.Tx) error {
		w.locationID = x.Location.Create().SetName("here").SaveX(ctx).ID
		w.template = x.Template.Create().SetName("t").SaveX(ctx).Unwrap()
		w.owner = x.User.Create().SetEmail("a@example.com").SetUsername("a").SetUsernameKey("a").SetPasswordHash("-").SaveX(ctx).Unwrap()
		return nil
	})
	w.admin = viewer.NewContext(t.Context(), &viewer.Viewer{UserID: w.owner.ID, Permissions: []string{"*"}})
	return w
}

func (w *world) write(f func(context.Context, *ent.Tx) error) {
	w.t.Helper()
	must(w.t, tx.Do(w.system, w.store.Client, f))
}

// node makes a node that is online and has no limits, changed by change.
func (w *world) node(name string, change func(*ent.NodeCreate)) *ent.Node {
	w.t.Helper()
	var n *ent.Node
	w.write(func(ctx context.Context, x *ent.Tx) error {
		create := x.Node.Create().SetName(name).SetLocationID(w.locationID).SetPublicAddress("192.0.2.1").
			SetOnline(true).SetRuntime("containerd").SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0)
		if change != nil {
			change(create)
		}
		n = create.SaveX(ctx).Unwrap()
		return nil
	})
	return n
}

// server puts a server with a memory limit in bytes on a node.
func (w *world) server(n *ent.Node, memory int64) *ent.Server {
	w.t.Helper()
	var sv *ent.Server
	w.write(func(ctx context.Context, x *ent.Tx) error {
		sv = x.Server.Create().SetName("s").SetNodeID(n.ID).SetOwner(w.owner).SetTemplate(w.template).SetMemory(memory).SaveX(ctx).Unwrap()
		return nil
	})
	return sv
}

func (w *world) reload(n *ent.Node) *ent.Node {
	w.t.Helper()
	fresh, err := w.store.Client.Node.Get(w.system, n.ID)
	must(w.t, err)
	return fresh
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}
