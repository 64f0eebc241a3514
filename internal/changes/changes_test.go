package changes_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// steady are accounts whose rights never change.
type steady struct{}

// Refresh returns the viewer as it is.
func (steady) Refresh(ctx context.Context) (*viewer.Viewer, error) {
	return viewer.FromContext(ctx), nil
}

// Changes returns a channel on which nothing comes.
func (steady) Changes(context.Context, string) (<-chan struct{}, error) { return nil, nil }

type world struct {
	t      *testing.T
	store  *store.Store
	bus    *bus.Bus
	feed   *changes.Feed
	log    *slog.Logger
	server *ent.Server
	// The people: the server's owner, one with an access to its backups, and a stranger.
	owner, guest, stranger string
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.WithoutCancel(t.Context())) })
	w := &world{t: t, store: s, log: slog.New(slog.DiscardHandler), bus: b, feed: changes.NewFeed(s.Client, b, steady{})}
	s.Client.Use(changes.Hook(b, w.log))
	w.write(func(ctx context.Context, x *ent.Tx) {
		person := func(name string) string {
			return x.User.Create().SetEmail(name + "@example.com").SetUsername(name).SetUsernameKey(name).SetPasswordHash("-").SaveX(ctx).ID
		}
		w.owner, w.guest, w.stranger = person("o"), person("g"), person("s")
		place := x.Location.Create().SetName("here").SaveX(ctx)
		node := x.Node.Create().SetName("n").SetLocation(place).SetPublicAddress("::1").
			SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0).SaveX(ctx)
		game := x.Template.Create().SetName("t").SaveX(ctx)
		w.server = x.Server.Create().SetName("s").SetOwnerID(w.owner).SetNode(node).SetTemplate(game).SaveX(ctx).Unwrap()
		x.ServerAccess.Create().SetServerID(w.server.ID).SetUserID(w.guest).SetPermissions([]string{"server.read", "backup.read"}).ExecX(ctx)
	})
	return w
}

func (w *world) write(f func(context.Context, *ent.Tx)) {
	w.t.Helper()
	err := tx.Do(testkit.System(w.t.Context()), w.store.Client, func(ctx context.Context, x *ent.Tx) error { f(ctx, x); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

// heard is what somebody who follows changes was told.
type heard struct {
	operations chan kind.Operation
	done       chan error
	cancel     context.CancelFunc
}

// listen follows the changes of one entity, or of all of a kind, as somebody, until the test ends.
func listen[E any](w *world, as *viewer.Viewer, k changes.Kind[E], id string) *heard {
	ctx, cancel := context.WithCancel(viewer.NewContext(w.t.Context(), as))
	h := &heard{operations: make(chan kind.Operation, 64), done: make(chan error, 1), cancel: cancel}
	started := make(chan struct{})
	go func() {
		close(started)
		h.done <- changes.Follow(ctx, w.feed, k, id, func(e changes.Event, row *E) error {
			if (row == nil) != (e.Operation == kind.OperationDeleted) {
				w.t.Errorf("%s with the row %v", e.Operation, row)
			}
			h.operations <- e.Operation
			return nil
		})
	}()
	<-started
	w.t.Cleanup(func() { cancel(); <-h.done })
	return h
}

// wants waits for the operations, and that no other comes.
func (h *heard) wants(t *testing.T, who string, want ...kind.Operation) {
	t.Helper()
	var got []kind.Operation
	timer := time.NewTimer(5 * time.Second)
	defer timer.Stop()
	for len(got) < len(want) {
		select {
		case op := <-h.operations:
			got = append(got, op)
		case <-timer.C:
			t.Errorf("%s heard %v, want %v", who, got, want)
			return
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", who, diff)
	}
}

// TestWhoIsTold has people follow all backups while one of a server is made, changed and deleted.
func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		told := map[string]*heard{
			"an administrator": listen(w, &viewer.Viewer{UserID: w.stranger, Permissions: []string{"*"}}, changes.Backup, ""),
			"the owner":        listen(w, &viewer.Viewer{UserID: w.owner}, changes.Backup, ""),
			"a guest":          listen(w, &viewer.Viewer{UserID: w.guest}, changes.Backup, ""),
		}
		stranger := listen(w, &viewer.Viewer{UserID: w.stranger}, changes.Backup, "")
		scoped := listen(w, &viewer.Viewer{UserID: w.owner, Limit: []string{"server.read"}}, changes.Backup, "")
		settle(t, w, told)

		var id string
		w.write(func(ctx context.Context, x *ent.Tx) {
			id = x.Backup.Create().SetServerID(w.server.ID).SetName("b").SaveX(ctx).ID
		})
		for who, h := range told {
			h.wants(t, who, kind.OperationCreated)
		}
		w.write(func(ctx context.Context, x *ent.Tx) { x.Backup.UpdateOneID(id).SetName("c").ExecX(ctx) })
		for who, h := range told { // before the deletion: what is gone when it is looked at is passed over
			h.wants(t, who, kind.OperationUpdated)
		}
		w.write(func(ctx context.Context, x *ent.Tx) { x.Backup.DeleteOneID(id).ExecX(ctx) })
		for who, h := range told {
			h.wants(t, who, kind.OperationDeleted)
		}
		if len(stranger.operations)+len(scoped.operations) > 0 {
			t.Error("a stranger, or a key for something else, was told of a backup")
		}
	})
}

// settle makes changes until everybody hears them: a subscription that is not in place yet misses what came before it.
func settle(t *testing.T, w *world, told map[string]*heard) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var id string
	w.write(func(ctx context.Context, x *ent.Tx) {
		id = x.Backup.Create().SetServerID(w.server.ID).SetName("mark").SaveX(ctx).ID
	})
	waiting := maps.Clone(told)
	for len(waiting) > 0 {
		w.write(func(ctx context.Context, x *ent.Tx) { x.Backup.UpdateOneID(id).SetName("mark").ExecX(ctx) })
		<-tick.C
		for who, h := range waiting {
			if len(h.operations) > 0 {
				delete(waiting, who)
			}
		}
	}
	w.write(func(ctx context.Context, x *ent.Tx) { x.Backup.DeleteOneID(id).ExecX(ctx) })
	for _, h := range told {
		for op := range h.operations {
			if op == kind.OperationDeleted {
				break
			}
		}
	}
}

// TestOneIsFollowedToItsEnd follows one entity: deleted, its followers are told and the stream ends.
func TestOneIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		for name, tt := range map[string]struct {
			as   *viewer.Viewer
			want fault.Code
		}{
			"a stranger": {&viewer.Viewer{UserID: w.stranger}, fault.NotFound},
			"nobody":     {nil, fault.Unauthenticated},
		} {
			err := changes.Follow(viewer.NewContext(t.Context(), tt.as), w.feed, changes.Server, w.server.ID, func(changes.Event, *ent.Server) error { return nil })
			if fault.CodeOf(err) != tt.want {
				t.Errorf("%s: %v", name, err)
			}
		}
		guest := listen(w, &viewer.Viewer{UserID: w.guest}, changes.Server, w.server.ID)
		all := listen(w, &viewer.Viewer{UserID: w.guest}, changes.Server, "")
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for len(guest.operations) == 0 || len(all.operations) == 0 {
			w.write(func(ctx context.Context, x *ent.Tx) { x.Server.UpdateOneID(w.server.ID).SetDescription("x").ExecX(ctx) })
			<-tick.C
		}
		w.write(func(ctx context.Context, x *ent.Tx) {
			readers, err := access.Readers(ctx, x.Client(), w.server.ID, access.ServerRead)
			if err != nil || !cmp.Equal(readers, []string{w.guest}) {
				t.Errorf("readers %v, %v", readers, err)
			}
			x.Server.UpdateOneID(w.server.ID).SetDeletedAt(time.Now()).ExecX(ctx)
			changes.Deleted(ctx, w.bus, w.log, ent.TypeServer, w.server.ID, access.Had{OwnerID: w.owner, Readers: readers})
		})
		if err := <-guest.done; err != nil {
			t.Errorf("the stream of the deleted server ended with %v", err)
		}
		guest.done <- nil // for the clean-up
		for _, h := range []*heard{guest, all} {
			last := kind.OperationUpdated
			for last != kind.OperationDeleted {
				last = <-h.operations
			}
		}
		// The row goes later, which is no second deletion for anybody.
		w.write(func(ctx context.Context, x *ent.Tx) { x.Server.DeleteOneID(w.server.ID).ExecX(ctx) })
		w.write(func(ctx context.Context, x *ent.Tx) {
			x.Server.Create().SetName("next").SetOwnerID(w.owner).SetNodeID(w.server.NodeID).SetTemplateID(w.server.TemplateID).ExecX(ctx)
		})
		if len(all.operations) > 0 {
			t.Errorf("after the deletion came %s", <-all.operations)
		}
	})
}

// TestManyAtOnce makes more changes than anybody reads at that moment: either all are told, or that some are missing.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		ctx, cancel := context.WithCancel(viewer.NewContext(t.Context(), &viewer.Viewer{UserID: w.owner}))
		defer cancel()
		var wanted atomic.Int64
		reading := make(chan struct{})
		var told int64
		done := make(chan error, 1)
		go func() {
			done <- changes.Follow(ctx, w.feed, changes.Backup, "", func(e changes.Event, _ *ent.Backup) error {
				<-reading
				if told++; e.Operation == kind.OperationCreated && wanted.Load() == told {
					cancel()
				}
				return nil
			})
		}()
		make1 := func(n int) {
			w.write(func(ctx context.Context, x *ent.Tx) {
				for range n {
					x.Backup.Create().SetServerID(w.server.ID).SetName("b").ExecX(ctx)
				}
			})
		}
		waitForReaders(t, w)
		wanted.Store(1000)
		make1(1000)
		close(reading)
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatalf("told of %d of 1,000: %v", told, err)
		}

		blocked := make(chan struct{})
		go func() {
			done <- changes.Follow(viewer.NewContext(t.Context(), &viewer.Viewer{UserID: w.owner}), w.feed, changes.Backup, "",
				func(changes.Event, *ent.Backup) error { <-blocked; return nil })
		}()
		waitForReaders(t, w)
		make1(3000)
		close(blocked)
		if err := <-done; fault.CodeOf(err) != fault.RateLimited {
			t.Errorf("with events missing: %v", err)
		}
	})
}

// waitForReaders waits until a subscription is in place.
func waitForReaders(t *testing.T, w *world) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for w.bus.Stats().Upstreams == 0 {
		<-tick.C
	}
}
