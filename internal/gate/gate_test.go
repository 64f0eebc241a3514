package gate_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"entgo.io/ent/dialect"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/gate"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// people is an Accounts that knows one person, whose rights a test takes away.
type people struct {
	changed chan struct{}

	mu  sync.Mutex
	now *viewer.Viewer
	err error
}

// Refresh returns the person as they are now.
func (p *people) Refresh(context.Context) (*viewer.Viewer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, p.err
}

// Changes returns the channel that become writes to.
func (p *people) Changes(context.Context, string) (<-chan struct{}, error) { return p.changed, nil }

// become announces the change to the gate behind open, unless that has shut before: it may have seen the new rights on an
// announcement that came earlier.
func (p *people) become(open context.Context, v *viewer.Viewer, err error) {
	p.mu.Lock()
	p.now, p.err = v, err
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	case <-open.Done():
	}
}

type world struct {
	*gate.Keeper
	store    *store.Store
	people   *people
	serverID string
	ctx      context.Context // of a person who may read every server
}

// reader may see every server and read its console.
func reader() *viewer.Viewer {
	return &viewer.Viewer{UserID: "user_x", Permissions: []string{"server.read", "console.read"}}
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.WithoutCancel(t.Context())) })
	s.Client.Use(changes.Hook(b, slog.New(slog.DiscardHandler)))
	w := &world{store: s, people: &people{changed: make(chan struct{}), now: reader()}}
	w.Keeper = gate.New(gate.Config{Client: s.Client, Bus: b, Accounts: w.people})
	w.ctx = viewer.NewContext(t.Context(), reader())
	w.write(t, func(ctx context.Context, x *ent.Tx) error {
		owner := x.User.Create().SetEmail("a@example.com").SetUsername("a").SetUsernameKey("a").SetPasswordHash("-").SaveX(ctx)
		place := x.Location.Create().SetName("here").SaveX(ctx)
		node := x.Node.Create().SetName("n").SetLocation(place).SetPublicAddress("::1").
			SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0).SaveX(ctx)
		game := x.Template.Create().SetName("t").SaveX(ctx)
		w.serverID = x.Server.Create().SetName("s").SetOwnerID(owner.ID).SetNode(node).SetTemplate(game).SaveX(ctx).ID
		return nil
	})
	return w
}

func (w *world) write(t *testing.T, f func(context.Context, *ent.Tx) error) {
	t.Helper()
	if err := tx.Do(testkit.System(t.Context()), w.store.Client, f); err != nil {
		t.Fatal(err)
	}
}

// open opens the gate to the server's console and closes it with the test.
func (w *world) open(t *testing.T) context.Context {
	t.Helper()
	ctx, closeGate, err := w.Open(w.ctx, access.ConsoleRead, access.On(w.serverID))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeGate)
	return ctx
}

// shut waits for the gate to shut, and returns why it did.
func shut(ctx context.Context, t *testing.T) error {
	t.Helper()
	deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-deadline.Done():
		t.Fatal("the gate stays open")
		return nil
	}
}

func TestOpenChecks(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		tests := []struct {
			name string
			who  *viewer.Viewer
			want fault.Code
		}{
			{"a guest", nil, fault.Unauthenticated},
			{"a stranger", &viewer.Viewer{UserID: "user_y"}, fault.NotFound},
			{"one who may only see it", &viewer.Viewer{UserID: "user_z", Permissions: []string{"server.read"}}, fault.Forbidden},
		}
		for _, tt := range tests {
			ctx := t.Context()
			if tt.who != nil {
				ctx = viewer.NewContext(ctx, tt.who)
			}
			if _, _, err := w.Open(ctx, access.ConsoleRead, access.On(w.serverID)); fault.CodeOf(err) != tt.want {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	})
}

func TestLostRightShuts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		now  *viewer.Viewer
		err  error
		want fault.Code
	}{
		{"the permission is taken", &viewer.Viewer{UserID: "user_x", Permissions: []string{"server.read"}}, nil, fault.Forbidden},
		{"the server is out of sight", &viewer.Viewer{UserID: "user_x"}, nil, fault.NotFound},
		{"the sign-in has ended", nil, fault.New(fault.Unauthenticated, "Sign in again."), fault.Unauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testkit.Store(t, dialect.SQLite))
			ctx := w.open(t)
			w.people.become(ctx, reader(), nil) // a change that takes nothing away
			if ctx.Err() != nil {
				t.Fatalf("shut without a reason: %v", context.Cause(ctx))
			}
			w.people.become(ctx, tt.now, tt.err)
			if got := shut(ctx, t); fault.CodeOf(got) != tt.want {
				t.Errorf("shut with %v", got)
			}
		})
	}
}

// TestDatabaseAway has the rights unanswered for a moment, and for too long.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, dialect.SQLite))
	ctx := w.open(t)
	away := errors.New("the database is away")
	w.people.become(ctx, reader(), away)
	w.people.become(ctx, reader(), nil) // is taken once the gate has found out that nothing is lost
	if ctx.Err() != nil {
		t.Fatalf("shut for a moment without the database: %v", context.Cause(ctx))
	}
	w.people.become(ctx, reader(), away)
	if got := shut(ctx, t); !errors.Is(got, away) {
		t.Errorf("shut with %v", got)
	}
}

func TestDeletionShuts(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		ctx := w.open(t)
		w.write(t, func(ctx context.Context, x *ent.Tx) error {
			return x.Server.UpdateOneID(w.serverID).SetDescription("a change that deletes nothing").Exec(ctx)
		})
		w.write(t, func(ctx context.Context, x *ent.Tx) error { return x.Server.DeleteOneID(w.serverID).Exec(ctx) })
		if got := shut(ctx, t); fault.CodeOf(got) != fault.NotFound {
			t.Errorf("shut with %v", got)
		}
	})
}

func TestCloseAndCallersEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, dialect.SQLite))
	ctx, closeGate, err := w.Open(w.ctx, access.ConsoleRead, access.On(w.serverID))
	if err != nil {
		t.Fatal(err)
	}
	closeGate()
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		t.Errorf("closed with %v", context.Cause(ctx))
	}

	gone := errors.New("the caller has gone")
	caller, leave := context.WithCancelCause(w.ctx)
	ctx, closeGate, err = w.Open(caller, access.ConsoleRead, access.On(w.serverID))
	if err != nil {
		t.Fatal(err)
	}
	defer closeGate()
	leave(gone)
	if got := shut(ctx, t); !errors.Is(got, gone) {
		t.Errorf("ended with %v", got)
	}

	ctx, closeGate, err = w.Open(testkit.System(t.Context()), access.ConsoleRead, access.On(w.serverID))
	if err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Error("the system's gate is shut")
	}
	closeGate()
}
