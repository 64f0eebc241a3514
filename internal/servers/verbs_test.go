package servers_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/allocation"
	"github.com/catalyst-panel/catalyst/ent/auditlog"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// deeds returns what the audit trail says was done to a server, in order.
func (w *world) deeds(id string) []string {
	return w.store.Client.AuditLog.Query().Where(auditlog.ServerID(id)).Order(auditlog.ByCreatedAt(), auditlog.ByID()).
		Select(auditlog.FieldAction).StringsX(w.ctx)
}

func TestSuspend(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv := w.create(t)
		_, err := w.Start(w.ctx, sv.ID)
		wantCode(t, "start", err, "")
		w.report(t, sv, protocol.State_STATE_RUNNING, 2, 0)
		got, err := w.Suspend(w.ctx, sv.ID)
		if err != nil || !got.Suspended || got.State != kind.ServerStateStopping || got.Power != kind.PowerStop {
			t.Fatalf("suspended: %v, %v", got, err)
		}
		w.report(t, sv, protocol.State_STATE_STOPPED, got.Generation, 1)
		_, err = w.Start(w.ctx, sv.ID)
		wantCode(t, "start of a suspended server", err, fault.Conflict)
		again, err := w.Suspend(w.ctx, sv.ID)
		if err != nil || again.Generation != got.Generation {
			t.Errorf("suspended twice: %v, %v", again, err)
		}
		if got, err = w.Unsuspend(w.ctx, sv.ID); err != nil || got.Suspended || got.State != kind.ServerStateStopped {
			t.Errorf("unsuspended: %v, %v", got, err)
		}
		_, err = w.Start(w.ctx, sv.ID)
		wantCode(t, "start after that", err, "")
		want := []string{"server.create", "server.start", "server.suspend", "server.suspend", "server.unsuspend", "server.start"}
		if got := w.deeds(sv.ID); !slices.Equal(got, want) {
			t.Errorf("the trail says %v, want %v", got, want)
		}
	})
}

func TestClone(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv := w.create(t)
		w.do(t, func(ctx context.Context, x *ent.Tx) {
			// A variable without a default that has to have a value: the copy has the original's.
			x.Template.UpdateOneID(w.templateID).SetVariables([]kind.TemplateVariable{
				{Name: "Secret", Key: "SECRET", Type: kind.VariableTypeString, Rules: []string{"required"}, Secret: true},
			}).ExecX(ctx)
			x.Server.UpdateOneID(sv.ID).SetEnvironment(map[string]string{"SECRET": "hunter2"}).SetDescription("d").SetMemory(5 << 20).
				SetCrashMaxRestarts(9).SetCrashPolicy(kind.CrashPolicyAlways).ExecX(ctx)
		})
		got, err := w.Clone(w.ctx, servers.CloneInput{ID: sv.ID, Name: "copy", OwnerID: &w.userID})
		if err != nil {
			t.Fatal(err)
		}
		if got.ID == sv.ID || got.Name != "copy" || got.Environment["SECRET"] != "hunter2" || got.Description != "d" ||
			got.Memory != 5<<20 || got.CrashMaxRestarts != 9 || got.CrashPolicy != kind.CrashPolicyAlways || got.State != kind.ServerStateStopped {
			t.Errorf("the copy is %v", got)
		}
		if n := s.Client.Allocation.Query().Where(allocation.ServerID(got.ID), allocation.Primary(true)).CountX(w.ctx); n != 1 {
			t.Errorf("the copy has %d primary allocations", n)
		}
		for name, tt := range map[string]struct {
			in   servers.CloneInput
			code fault.Code
		}{
			"no name":   {servers.CloneInput{ID: sv.ID, OwnerID: &w.userID}, fault.BadUserInput},
			"no server": {servers.CloneInput{ID: "srv_01h455vb4pex5vsknk084sn02q", Name: "x"}, fault.NotFound},
			"a node":    {servers.CloneInput{ID: w.nodeID, Name: "x"}, fault.NotFound},
		} {
			_, err := w.Clone(w.ctx, tt.in)
			wantCode(t, name, err, tt.code)
		}
	})
}

func TestAllocations(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv, other := w.create(t), w.create(t)
		port := func(n int) string {
			return s.Client.Allocation.Query().Where(allocation.Port(5000 + n)).OnlyIDX(w.ctx)
		}
		first := s.Client.Allocation.Query().Where(allocation.ServerID(sv.ID)).OnlyIDX(w.ctx)
		taken := s.Client.Allocation.Query().Where(allocation.ServerID(other.ID)).OnlyIDX(w.ctx)
		free := port(2)
		var abroad string
		w.do(t, func(ctx context.Context, x *ent.Tx) {
			place := x.Location.Create().SetName("there").SaveX(ctx)
			node := x.Node.Create().SetName("m").SetPublicAddress("::1").SetLocation(place).SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0).SaveX(ctx)
			abroad = x.Allocation.Create().SetNode(node).SetIP("127.0.0.1").SetPort(1).SaveX(ctx).ID
		})
		for what, id := range map[string]string{"another server's": taken, "another node's": abroad} {
			_, err := w.Assign(w.ctx, sv.ID, id)
			wantCode(t, what, err, fault.Conflict)
		}
		before := s.Client.Server.GetX(w.ctx, sv.ID).Generation
		for range 2 { // a repetition changes nothing
			if a, err := w.Assign(w.ctx, sv.ID, free); err != nil || *a.ServerID != sv.ID || a.Primary {
				t.Fatalf("assigned: %v, %v", a, err)
			}
		}
		_, err := w.Unassign(w.ctx, first)
		wantCode(t, "the primary one of two", err, fault.Conflict)
		if a, err := w.SetPrimary(w.ctx, free); err != nil || !a.Primary {
			t.Errorf("primary: %v, %v", a, err)
		}
		if n := s.Client.Allocation.Query().Where(allocation.ServerID(sv.ID), allocation.Primary(true)).CountX(w.ctx); n != 1 {
			t.Errorf("%d are primary", n)
		}
		for _, id := range []string{first, free} {
			if a, err := w.Unassign(w.ctx, id); err != nil || a.ServerID != nil || a.Primary {
				t.Errorf("unassigned: %v, %v", a, err)
			}
		}
		_, err = w.Unassign(w.ctx, free)
		wantCode(t, "one that nobody has", err, fault.Conflict)
		_, err = w.SetPrimary(w.ctx, w.nodeID)
		wantCode(t, "what is no allocation", err, fault.NotFound)
		if after := s.Client.Server.GetX(w.ctx, sv.ID).Generation; after <= before {
			t.Error("the node is not told")
		}
		_, err = w.Assign(viewer.NewContext(t.Context(), &viewer.Viewer{UserID: w.userID}), sv.ID, free)
		wantCode(t, "the owner without node.update", err, fault.Forbidden)
	})
}

// TestClockSetBack has a node whose clock is set back between two generations, and one that is broken altogether.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv := w.create(t)
		_, err := w.Start(w.ctx, sv.ID)
		wantCode(t, "start", err, "")
		w.report(t, sv, protocol.State_STATE_RUNNING, 2, 0)
		_, err = w.Stop(w.ctx, sv.ID)
		wantCode(t, "stop", err, "")
		const day = 24 * 60 * 60 * 1_000_000
		w.report(t, sv, protocol.State_STATE_STOPPED, 3, -400_000*day)
		if got := w.state(sv); got != kind.ServerStateStopped {
			t.Errorf("after the clock was set back the state is %s", got)
		}
		if at := s.Client.Server.GetX(w.ctx, sv.ID).StateChangedAt; time.Since(at).Abs() > time.Minute {
			t.Errorf("the state changed at %v", at)
		}
	})
}

// TestChangeWhileStarting waits for the next start, and says so.
func TestChangeWhileStarting(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv := w.create(t)
		_, err := w.Start(w.ctx, sv.ID)
		wantCode(t, "start", err, "")
		w.report(t, sv, protocol.State_STATE_STARTING, 2, 0)
		changed, err := w.Update(w.ctx, servers.UpdateInput{ID: sv.ID, Memory: new(int64(5 << 20))})
		if err != nil || !changed.PendingRestart {
			t.Fatalf("changed: %v, %v", changed, err)
		}
		w.report(t, sv, protocol.State_STATE_STARTING, changed.Generation, 1)
		if !s.Client.Server.GetX(w.ctx, sv.ID).PendingRestart {
			t.Error("a report of the same start says that the change was applied")
		}
	})
}
