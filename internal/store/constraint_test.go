package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serverlog"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
)

// makeServer makes a server with its owner, node and template.
func makeServer(t *testing.T, s *store.Store) *ent.Server {
	t.Helper()
	var made *ent.Server
	err := tx.Do(testkit.System(t.Context()), s.Client, func(ctx context.Context, x *ent.Tx) error {
		owner := x.User.Create().SetEmail("o@example.org").SetUsername("O").SetUsernameKey("o").SetPasswordHash("x").SaveX(ctx)
		place := x.Location.Create().SetName("here").SaveX(ctx)
		node := x.Node.Create().SetName("n").SetLocation(place).SetPublicAddress("192.0.2.1").
			SetMemoryLimit(1).SetCPULimit(1).SetDiskLimit(1).SaveX(ctx)
		template := x.Template.Create().SetName("t").SaveX(ctx)
		made = x.Server.Create().SetName("s").SetOwner(owner).SetNode(node).SetTemplate(template).
			SetEnvironment(map[string]string{"A": "b"}).SaveX(ctx).Unwrap()
		x.Allocation.Create().SetNode(node).SetServer(made).SetIP("192.0.2.1").SetPort(25565).SaveX(ctx)
		x.Backup.Create().SetServer(made).SetName("b").SaveX(ctx)
		x.AuditLog.Create().SetActor(owner).SetAction("server.create").SetOutcome(kind.AuditOutcomeSucceeded).SaveX(ctx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestConstraints(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		srv := makeServer(t, s)
		for name, write := range map[string]func(context.Context, *ent.Tx) error{
			"an address twice": func(ctx context.Context, x *ent.Tx) error {
				return x.User.Create().SetEmail("o@example.org").SetUsername("P").SetUsernameKey("p").SetPasswordHash("x").Exec(ctx)
			},
			"an allocation twice": func(ctx context.Context, x *ent.Tx) error {
				return x.Allocation.Create().SetNodeID(srv.NodeID).SetIP("192.0.2.1").SetPort(25565).Exec(ctx)
			},
			"an owner goes": func(ctx context.Context, x *ent.Tx) error {
				return x.User.DeleteOneID(srv.OwnerID).Exec(ctx)
			},
			"a node goes": func(ctx context.Context, x *ent.Tx) error {
				return x.Node.DeleteOneID(srv.NodeID).Exec(ctx)
			},
			"a template goes": func(ctx context.Context, x *ent.Tx) error {
				return x.Template.DeleteOneID(srv.TemplateID).Exec(ctx)
			},
			"a child of nobody": func(ctx context.Context, x *ent.Tx) error {
				return x.Backup.Create().SetServerID("srv_none").SetName("b").Exec(ctx)
			},
		} {
			if err := tx.Do(testkit.System(t.Context()), s.Client, write); !ent.IsConstraintError(err) {
				t.Errorf("%s: %v, want a constraint error", name, err)
			}
		}
		err := tx.Do(testkit.System(t.Context()), s.Client, func(ctx context.Context, x *ent.Tx) error {
			return x.Allocation.Create().SetNodeID(srv.NodeID).SetIP("192.0.2.1").SetPort(0).Exec(ctx)
		})
		if !ent.IsValidationError(err) {
			t.Errorf("port 0: %v, want a validation error", err)
		}
	})
}

func TestDeletion(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		ctx := testkit.System(t.Context())
		srv := makeServer(t, s)
		err := tx.Do(ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
			if err := x.Server.DeleteOneID(srv.ID).Exec(ctx); err != nil {
				return err
			}
			return x.User.DeleteOneID(srv.OwnerID).Exec(ctx)
		})
		if err != nil {
			t.Fatalf("delete the server and its owner: %v", err)
		}
		if n := s.Client.Backup.Query().CountX(ctx); n != 0 {
			t.Errorf("backups of the deleted server = %d, want 0", n)
		}
		if a := s.Client.Allocation.Query().OnlyX(ctx); a.ServerID != nil {
			t.Errorf("the allocation is still in use by %s", *a.ServerID)
		}
		if entry := s.Client.AuditLog.Query().OnlyX(ctx); entry.ActorID != nil {
			t.Errorf("the audit entry still names the actor %s", *entry.ActorID)
		}
	})
}

// A batch of console lines may be delivered twice: the second time changes nothing.
func TestConsoleBatchesAreIdempotent(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		srv := makeServer(t, s)
		ctx := testkit.System(t.Context())
		insert := func(from, to int64, text string) {
			err := tx.Do(ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
				var rows []*ent.ServerLogCreate
				for seq := from; seq <= to; seq++ {
					rows = append(rows, x.ServerLog.Create().SetServerID(srv.ID).SetSeq(seq).
						SetAt(time.Now()).SetStream(kind.StreamStdout).SetText(text))
				}
				return x.ServerLog.CreateBulk(rows...).
					OnConflict(sql.ConflictColumns(serverlog.FieldServerID, serverlog.FieldSeq), sql.ResolveWithIgnore()).
					Exec(ctx)
			})
			if err != nil {
				t.Fatalf("insert %d to %d: %v", from, to, err)
			}
		}
		insert(1, 10, "first")
		insert(1, 10, "again")
		insert(6, 20, "overlap")
		if n := s.Client.ServerLog.Query().CountX(ctx); n != 20 {
			t.Errorf("lines = %d, want 20", n)
		}
		if n := s.Client.ServerLog.Query().Where(serverlog.Text("first")).CountX(ctx); n != 10 {
			t.Errorf("lines as they were first written = %d, want 10", n)
		}
	})
}

// What is written is read back as it was, to the microsecond and in UTC.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		made := makeServer(t, s)
		got := s.Client.Server.Query().Where(server.ID(made.ID)).OnlyX(testkit.System(t.Context()))
		if !got.CreatedAt.Equal(made.CreatedAt) || !got.StateChangedAt.Equal(made.StateChangedAt) {
			t.Errorf("times read = %v, %v; want %v, %v", got.CreatedAt, got.StateChangedAt, made.CreatedAt, made.StateChangedAt)
		}
		if _, offset := got.CreatedAt.Zone(); offset != 0 {
			t.Errorf("time read = %v, want UTC", got.CreatedAt)
		}
		if got.Environment["A"] != "b" || got.State != kind.ServerStateStopped || got.Power != kind.PowerStop || got.DeletedAt != nil {
			t.Errorf("server read = %+v, want the defaults", got)
		}
		if strings.Contains(got.String(), "A:b") {
			t.Errorf("%s shows the environment, which may hold secrets", got)
		}
	})
}

func TestNodeType(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t, "sqlite3")
	srv := makeServer(t, s)
	ctx := testkit.System(t.Context())
	for id, want := range map[string]string{srv.ID: "Server", srv.NodeID: "Node", srv.OwnerID: "User", srv.TemplateID: "Template"} {
		n, err := s.Client.Noder(ctx, id, ent.WithNodeType(store.NodeType))
		if err != nil {
			t.Errorf("Noder(%s %s): %v", want, id, err)
			continue
		}
		if _, ok := n.(interface{ IsNode() }); !ok {
			t.Errorf("Noder(%s) = %T", id, n)
		}
	}
	for _, id := range []string{"", "nonsense", "recovery_1", "outbox_1", "srv"} {
		if _, err := store.NodeType(ctx, id); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("NodeType(%q) = %v, want NOT_FOUND", id, err)
		}
	}
}
