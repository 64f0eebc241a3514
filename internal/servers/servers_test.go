package servers_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/allocation"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// link notes which servers a node is told of.
type link struct {
	agent protocol.AgentServiceClient // nil for a node that is offline

	mu    sync.Mutex
	dirty []string
}

// Dirty notes the server.
func (l *link) Dirty(_ context.Context, _, serverID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = append(l.dirty, serverID)
}

// Client returns the agent, if there is one.
func (l *link) Client(string) (protocol.AgentServiceClient, error) {
	if l.agent != nil {
		return l.agent, nil
	}
	return nil, fault.New(fault.NodeOffline, "The node is offline.")
}

// open lets everybody through: rights are the gate's own tests'.
type open struct{}

// Open returns the context as it is.
func (open) Open(ctx context.Context, _ access.Permission, _ access.Target) (context.Context, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	return ctx, cancel, nil
}

type world struct {
	*servers.Service
	bus                        *bus.Bus
	store                      *store.Store
	link                       *link
	console                    *console.Service
	files                      *notes
	ctx                        context.Context
	nodeID, templateID, userID string
}

// archives has no backups.
type archives struct{}

func (archives) Restoration(_ context.Context, sv *ent.Server) (*protocol.RestoreSpec, error) {
	if sv.State != kind.ServerStateRestoring {
		return nil, nil
	}
	return &protocol.RestoreSpec{BackupId: *sv.RestoreBackupID, Truncate: sv.RestoreTruncate}, nil
}

func (archives) Forget(context.Context, string) error { return nil }

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b, err := bus.Open(t.Context(), bus.Config{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	w := &world{store: s, bus: b, link: &link{}, files: &notes{}, ctx: testkit.System(t.Context())}
	w.console = console.New(console.Config{Client: s.Client, Dialect: s.Dialect, Bus: b, Gate: open{}, Logger: log})
	w.Service = servers.New(servers.Config{
		Client: s.Client, Bus: b, Link: w.link, Gate: open{}, Logger: log,
		Nodes:   nodes.New(nodes.Config{Client: s.Client, Bus: b, Logger: log}),
		Console: w.console,
		Files:   w.files,
		Backups: archives{},
	})
	w.do(t, func(ctx context.Context, x *ent.Tx) {
		w.userID = x.User.Create().SetEmail("a@example.com").SetUsername("a").SetUsernameKey("a").SetPasswordHash("-").SaveX(ctx).ID
		place := x.Location.Create().SetName("here").SaveX(ctx)
		node := x.Node.Create().SetName("n").SetPublicAddress("::1").SetLocation(place).SetOnline(true).SetRuntime("process").
			SetMemoryLimit(1 << 30).SetCPULimit(0).SetDiskLimit(0).SaveX(ctx)
		tmpl := x.Template.Create().SetName("t").SetStartup("run").SetMemory(256 << 20).SetPortsWanted(1).SaveX(ctx)
		for port := range 3 {
			x.Allocation.Create().SetNode(node).SetIP("127.0.0.1").SetPort(5000 + port).ExecX(ctx)
		}
		w.nodeID, w.templateID = node.ID, tmpl.ID
	})
	return w
}

func (w *world) do(t *testing.T, f func(ctx context.Context, x *ent.Tx)) {
	t.Helper()
	err := tx.Do(w.ctx, w.store.Client, func(ctx context.Context, x *ent.Tx) error { f(ctx, x); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) create(t *testing.T) *ent.Server {
	t.Helper()
	sv, err := w.Create(w.ctx, servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID})
	if err != nil {
		t.Fatal(err)
	}
	return sv
}

// running makes a server that its node says runs.
func (w *world) running(t *testing.T) *ent.Server {
	t.Helper()
	sv, err := w.Start(w.ctx, w.create(t).ID)
	if err != nil {
		t.Fatal(err)
	}
	w.report(t, sv, protocol.State_STATE_RUNNING, sv.Generation, 0)
	return sv
}

// report is the node's word on a server.
func (w *world) report(t *testing.T, sv *ent.Server, state protocol.State, generation int64, at int) {
	t.Helper()
	err := w.Observed(w.ctx, w.nodeID, []*protocol.Observed{{
		ServerId: sv.ID, State: state, Generation: uint64(generation), AtUs: time.Now().UnixMicro() + int64(at),
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) state(sv *ent.Server) kind.ServerState {
	return w.store.Client.Server.GetX(w.ctx, sv.ID).State
}

func wantCode(t *testing.T, what string, err error, want fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func TestCreateTakesRoomAndPortsOnce(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		var wg sync.WaitGroup
		results := make(chan error, 12)
		for range cap(results) {
			wg.Go(func() {
				_, err := w.Create(w.ctx, servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID})
				results <- err
			})
		}
		wg.Wait()
		close(results)
		made := 0
		for err := range results {
			if err == nil {
				made++
				continue
			}
			wantCode(t, "a server too many", err, fault.Conflict)
		}
		if made != 3 { // as many as there are ports
			t.Errorf("%d servers were made, want 3", made)
		}
		if n := s.Client.Server.Query().CountX(w.ctx); n != 3 {
			t.Errorf("%d servers are stored, want 3", n)
		}
		if n := s.Client.Allocation.Query().Where(allocation.ServerIDNotNil(), allocation.Primary(true)).CountX(w.ctx); n != 3 {
			t.Errorf("%d allocations are in use, want 3", n)
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		for name, tt := range map[string]struct {
			in    servers.CreateInput
			code  fault.Code
			field string
		}{
			"no name":          {servers.CreateInput{TemplateID: w.templateID}, fault.BadUserInput, "name"},
			"two lines":        {servers.CreateInput{Name: "a\nb", TemplateID: w.templateID}, fault.BadUserInput, "name"},
			"a long text":      {servers.CreateInput{Name: "s", TemplateID: w.templateID, Description: new(strings.Repeat("x", 5000))}, fault.BadUserInput, "description"},
			"a long image":     {servers.CreateInput{Name: "s", TemplateID: w.templateID, Image: new(strings.Repeat("x", 600))}, fault.BadUserInput, "image"},
			"unknown template": {servers.CreateInput{Name: "s", TemplateID: "tmpl_x"}, fault.NotFound, ""},
			"unknown owner":    {servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: new("user_x")}, fault.NotFound, ""},
			"no owner":         {servers.CreateInput{Name: "s", TemplateID: w.templateID}, fault.BadUserInput, "ownerId"},
			"unknown node":     {servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID, NodeID: new("node_x")}, fault.NotFound, ""},
			"no room":          {servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID, Memory: new(int64(2 << 30))}, fault.Conflict, ""},
			"negative":         {servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID, Disk: new(int64(-1))}, fault.BadUserInput, "disk"},
			"a variable":       {servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID, Environment: []kind.EnvVar{{Key: "X"}}}, fault.BadUserInput, "environment.X"},
			"an allocation":    {servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID, NodeID: &w.nodeID, AllocationIDs: []string{"alloc_x"}}, fault.Conflict, ""},
		} {
			_, err := w.Create(w.ctx, tt.in)
			wantCode(t, name, err, tt.code)
			if f, ok := errors.AsType[*fault.Error](err); !ok || f.Field != tt.field || len(f.Message) < 10 {
				t.Errorf("%s: %+v, want the field %q and a sentence", name, err, tt.field)
			}
		}
		if n := s.Client.Server.Query().CountX(w.ctx); n != 0 {
			t.Errorf("%d servers were half-made", n)
		}
		if len(w.link.dirty) != 0 {
			t.Errorf("the node was told of %v", w.link.dirty)
		}
	})
}

func TestReportsCountForThePresentGenerationOnly(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv := w.create(t)
		sv, err := w.Start(w.ctx, sv.ID)
		if err != nil || sv.State != kind.ServerStateStarting || sv.Run != 1 {
			t.Fatalf("start: %+v, %v", sv, err)
		}
		w.report(t, sv, protocol.State_STATE_RUNNING, sv.Generation-1, 0)
		if got := w.state(sv); got != kind.ServerStateStarting {
			t.Errorf("after an old report: %s", got)
		}
		w.report(t, sv, protocol.State_STATE_RUNNING, sv.Generation, 1_000_000)
		w.report(t, sv, protocol.State_STATE_STARTING, sv.Generation, 0) // overtaken by the one before
		if got := w.state(sv); got != kind.ServerStateRunning {
			t.Errorf("after an overtaken report: %s", got)
		}
		if err := w.Observed(w.ctx, "node_other", []*protocol.Observed{{ServerId: sv.ID, State: protocol.State_STATE_CRASHED, Generation: uint64(sv.Generation)}}); err != nil {
			t.Error(err)
		}
		if got := w.state(sv); got != kind.ServerStateRunning {
			t.Errorf("after another node's report: %s", got)
		}
		pending, err := w.Pending(w.ctx, w.nodeID)
		if err != nil || len(pending) != 0 {
			t.Errorf("pending %v, %v; want none", pending, err)
		}
	})
}

func TestPower(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, "sqlite3"))
	sv := w.create(t)
	_, err := w.Stop(w.ctx, sv.ID)
	wantCode(t, "stop what is stopped", err, fault.Conflict)
	killed, err := w.Kill(w.ctx, sv.ID)
	if err != nil || killed.State != kind.ServerStateStopped {
		t.Errorf("kill what is stopped: %+v, %v", killed, err)
	}
	if _, err = w.Start(w.ctx, sv.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.Start(w.ctx, sv.ID)
	wantCode(t, "start what starts", err, fault.Conflict)
	_, err = w.Start(w.ctx, "srv_unknown")
	wantCode(t, "start what is not there", err, fault.NotFound)
	w.do(t, func(ctx context.Context, x *ent.Tx) {
		x.Node.UpdateOneID(w.nodeID).SetOnline(false).ExecX(ctx)
	})
	before := w.store.Client.Server.GetX(w.ctx, sv.ID)
	_, err = w.Restart(w.ctx, sv.ID)
	wantCode(t, "restart on a node that is offline", err, fault.NodeOffline)
	if after := w.store.Client.Server.GetX(w.ctx, sv.ID); after.Generation != before.Generation || after.State != before.State {
		t.Errorf("a refused restart left generation %d, state %s", after.Generation, after.State)
	}
}

// TestHistoryIsLinear has many callers and a node that obeys at once: each change begins where the one before ended.
func TestHistoryIsLinear(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv := w.create(t)
		ctx, cancel := context.WithCancel(w.ctx)
		changes := make(chan servers.StateChange, 1000)
		var watching sync.WaitGroup
		watching.Go(func() {
			_ = w.Follow(ctx, sv.ID, func(c servers.StateChange) error { changes <- c; return nil })
		})
		begin := time.Now()
		for len(changes) == 0 { // until the subscription is there
			if _, err := w.Kill(w.ctx, sv.ID); err != nil || time.Since(begin) > 10*time.Second {
				t.Fatal("no change is seen", err)
			}
			w.do(t, func(ctx context.Context, x *ent.Tx) {
				x.Server.UpdateOneID(sv.ID).SetState(kind.ServerStateStopped).ExecX(ctx)
			})
			started, err := w.Start(w.ctx, sv.ID)
			if err != nil {
				t.Fatal(err)
			}
			w.report(t, sv, protocol.State_STATE_STOPPED, started.Generation, 0)
		}
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				verb := []func(context.Context, string) (*ent.Server, error){w.Start, w.Stop, w.Kill, w.Restart}[i%4]
				done, err := verb(w.ctx, sv.ID)
				if err != nil {
					wantCode(t, "a call", err, fault.Conflict)
					return
				}
				end := protocol.State_STATE_STOPPED
				if done.Power == kind.PowerRun {
					end = protocol.State_STATE_STARTING
				}
				w.report(t, done, end, done.Generation, 0)
			})
		}
		wg.Wait()
		final := w.state(sv)
		deadline := time.NewTimer(5 * time.Second)
		defer deadline.Stop()
		var last kind.ServerState
		for last != final || len(changes) > 0 {
			select {
			case c := <-changes:
				if last != "" && c.Previous != last {
					t.Errorf("a change begins at %s, the one before ended at %s", c.Previous, last)
				}
				last = c.State
			case <-deadline.C:
				t.Fatalf("the history ends at %s, the server is %s", last, final)
			}
		}
		cancel()
		watching.Wait()
	})
}

func TestDeleteWaitsForTheNode(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv := w.create(t)
		var accessID string
		w.do(t, func(ctx context.Context, x *ent.Tx) {
			x.Node.UpdateOneID(w.nodeID).SetOnline(false).ExecX(ctx)
			friend := x.User.Create().SetEmail("b@example.com").SetUsername("b").SetUsernameKey("b").SetPasswordHash("-").SaveX(ctx)
			accessID = x.ServerAccess.Create().SetServerID(sv.ID).SetUser(friend).SetPermissions([]string{"server.read"}).SaveX(ctx).ID
		})
		ended, err := changes.Subscribe(t.Context(), w.bus, accessID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Delete(w.ctx, servers.DeleteInput{ID: sv.ID, KeepFiles: true}); err != nil {
			t.Fatal(err)
		}
		if e := <-ended.C(); e.Operation != kind.OperationDeleted || e.Had.OwnerID != w.userID {
			t.Errorf("of the access that goes with it is told %+v", e)
		}
		wanted, err := w.One(w.ctx, w.nodeID, sv.ID)
		if err != nil || wanted.Remove == nil || !wanted.Remove.GetKeepFiles() {
			t.Fatalf("the node is told %+v, %v; want a removal that keeps files", wanted, err)
		}
		if n := s.Client.Allocation.Query().Where(allocation.ServerIDNotNil()).CountX(w.ctx); n != 1 {
			t.Errorf("%d allocations are in use before the node has removed it, want 1", n)
		}
		if err := w.Removed(w.ctx, w.nodeID, sv.ID); err != nil {
			t.Fatal(err)
		}
		if s.Client.Server.Query().Where(server.ID(sv.ID)).ExistX(w.ctx) {
			t.Error("the server is still stored")
		}
		if n := s.Client.Allocation.Query().Where(allocation.ServerIDNotNil()).CountX(w.ctx); n != 0 {
			t.Errorf("%d allocations are in use, want none", n)
		}
	})
}

func TestUpdateAppliesAtTheNextStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, "sqlite3"))
	sv := w.create(t)
	if _, err := w.Start(w.ctx, sv.ID); err != nil {
		t.Fatal(err)
	}
	changed, err := w.Update(w.ctx, servers.UpdateInput{ID: sv.ID, Memory: new(int64(512 << 20))})
	if err != nil || !changed.PendingRestart || changed.Memory != 512<<20 {
		t.Fatalf("got %+v, %v; want a pending restart", changed, err)
	}
	_, err = w.Update(w.ctx, servers.UpdateInput{ID: sv.ID, Memory: new(int64(4 << 30))})
	wantCode(t, "more than the node has", err, fault.Conflict)
	restarted, err := w.Restart(w.ctx, sv.ID)
	if err != nil || restarted.PendingRestart {
		t.Errorf("after a restart: %+v, %v", restarted, err)
	}
	forgiving, err := w.Update(w.ctx, servers.UpdateInput{ID: sv.ID, CrashMaxRestarts: new(7)})
	if err != nil || forgiving.PendingRestart || forgiving.Generation == restarted.Generation {
		t.Errorf("a crash policy that holds at once: %+v, %v", forgiving, err)
	}
}

// TestRestoredDatabase is a panel that knows less than its node: what it wants gets a number that the node has not seen.
func TestRestoredDatabase(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv := w.running(t)
		w.report(t, sv, protocol.State_STATE_RUNNING, 40, 1)
		got := s.Client.Server.GetX(w.ctx, sv.ID)
		if got.Generation != 41 || got.ObservedGeneration >= 41 {
			t.Errorf("generation %d, observed %d; want 41 and to be sent", got.Generation, got.ObservedGeneration)
		}
		if wanted, err := w.One(w.ctx, w.nodeID, sv.ID); err != nil || wanted.Apply.GetDesired().GetGeneration() != 41 {
			t.Errorf("the node is told %+v, %v", wanted, err)
		}
		w.report(t, sv, protocol.State_STATE_RUNNING, 1<<60, 2)
		if got := s.Client.Server.GetX(w.ctx, sv.ID).Generation; got != 41 {
			t.Errorf("nonsense makes it generation %d", got)
		}
	})
}

// TestResetCrashCount works while the node is offline, which does so when it returns.
func TestResetCrashCount(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv := w.create(t)
		w.do(t, func(ctx context.Context, x *ent.Tx) { x.Server.UpdateOneID(sv.ID).SetCrashCount(7).ExecX(ctx) })
		got, err := w.ResetCrashCount(w.ctx, sv.ID)
		if err != nil || got.CrashCount != 0 || got.Generation != sv.Generation+1 {
			t.Errorf("reset: %v, %v", got, err)
		}
		if wanted, err := w.One(w.ctx, w.nodeID, sv.ID); err != nil || wanted.Apply.GetDesired().GetCrashResets() != 1 {
			t.Errorf("the node is told %+v, %v", wanted, err)
		}
	})
}

// TestImageAndSwap lets owners choose among what the template offers, and those who may change nodes anything.
func TestImageAndSwap(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		w.do(t, func(ctx context.Context, x *ent.Tx) {
			x.Template.UpdateOneID(w.templateID).SetDefaultImage("a").SetImages([]kind.TemplateImage{{Label: "A", Image: "a"}, {Label: "B", Image: "b"}}).ExecX(ctx)
		})
		person := viewer.NewContext(t.Context(), &viewer.Viewer{UserID: w.userID, Permissions: []string{"server.create", "template.read"}})
		create := func(ctx context.Context, image string, swap int64) error {
			_, err := w.Create(ctx, servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID, Image: &image, Swap: &swap})
			return err
		}
		wantCode(t, "an image that is offered", create(person, "b", 256<<20), "")
		wantCode(t, "another image", create(person, "evil", 0), fault.BadUserInput)
		wantCode(t, "more swap than memory", create(person, "a", 1<<40), fault.BadUserInput)
		wantCode(t, "both, by who may change nodes", create(w.ctx, "own", 1<<40), "")

		mine := s.Client.Server.Query().Where(server.Image("b")).OnlyX(w.ctx)
		update := func(in servers.UpdateInput) error {
			in.ID = mine.ID
			_, err := w.Update(person, in)
			return err
		}
		wantCode(t, "changed to one that is offered", update(servers.UpdateInput{Image: new("a")}), "")
		wantCode(t, "changed to another image", update(servers.UpdateInput{Image: new("evil")}), fault.BadUserInput)
		wantCode(t, "changed to more swap", update(servers.UpdateInput{Swap: new(int64(1 << 40))}), fault.BadUserInput)
	})
}
