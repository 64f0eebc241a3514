package access_test

import (
	"context"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/ent/migrate"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

func TestScope(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		own := func(more map[string]int) map[string]int {
			out := map[string]int{"User": 1, "ApiKey": 1, "SshKey": 1, "Session": 1}
			maps.Copy(out, more)
			return out
		}
		ctx := t.Context()
		for _, tt := range []struct {
			name string
			ctx  context.Context
			want map[string]int
		}{
			{"a stranger sees nothing but their own", as(ctx, w.stranger), own(nil)},
			{"the owner sees the server and all of it", as(ctx, w.owner), own(map[string]int{
				"Server": 1, "ServerLog": 1, "ServerMetrics": 1, "Backup": 1, "ScheduledTask": 1, "TaskRun": 1,
				"Transfer": 1, "Invite": 1, "ServerAccess": 1, "Allocation": 1, "Alert": 1, "AuditLog": 1,
			})},
			{"a guest sees what the access lists", as(ctx, w.guest), own(map[string]int{
				"Server": 1, "ServerLog": 1, "ServerMetrics": 1, "Backup": 1, "Transfer": 1, "ServerAccess": 1, "Allocation": 1,
			})},
			{"a limit narrows what the owner sees", limited(as(ctx, w.owner), "server.read", "backup.*"), map[string]int{
				"User": 1, "Server": 1, "ServerMetrics": 1, "Backup": 1, "Transfer": 1, "Allocation": 1,
			}},
			{"a limit without server.read hides servers", limited(as(ctx, w.owner), "console.read"), map[string]int{
				"User": 1, "ServerLog": 1,
			}},
			{"an empty limit leaves oneself", limited(as(ctx, w.owner, "*")), map[string]int{"User": 1}},
			{"node.read shows nodes", as(ctx, w.stranger, "node.read"), own(map[string]int{
				"Node": 1, "NodeMetrics": 1, "EnrolmentToken": 1, "Allocation": 2,
			})},
			{"server.create shows templates", as(ctx, w.stranger, "server.create"), own(map[string]int{"Template": 1})},
			{"areas are permissions", as(ctx, w.stranger, "alert.*", "alertrule.*"), own(map[string]int{"Alert": 2, "AlertRule": 1})},
			{"everything is everything but secrets and the deleted", as(ctx, w.stranger, "*"), map[string]int{
				"Alert": 2, "AlertRule": 1, "Allocation": 2, "ApiKey": 1, "AuditLog": 3, "Backup": 1, "BackupStorage": 1,
				"EnrolmentToken": 1, "Invite": 1, "Location": 1, "Node": 1, "NodeMetrics": 1, "Role": 2, "ScheduledTask": 1,
				"Server": 1, "ServerAccess": 1, "ServerLog": 1, "ServerMetrics": 1, "Session": 1, "Setting": 1, "SshKey": 1,
				"TaskRun": 1, "Template": 1, "Transfer": 1, "User": 3, "Webhook": 1, "WebhookDelivery": 1,
			}},
			{"Catalyst itself sees everything", testkit.System(ctx), map[string]int{
				"Alert": 3, "AlertRule": 1, "Allocation": 2, "ApiKey": 3, "AuditLog": 3, "Backup": 2, "BackupStorage": 1,
				"EnrolmentToken": 1, "Invite": 2, "Location": 1, "Node": 1, "NodeMetrics": 1, "Outbox": 1, "PasswordReset": 3,
				"RecoveryCode": 3, "Role": 2, "ScheduledTask": 2, "Server": 2, "ServerAccess": 2, "ServerLog": 2,
				"ServerMetrics": 2, "Session": 3, "Setting": 1, "SshKey": 3, "TaskRun": 2, "Template": 1, "TemplateRevision": 1,
				"Transfer": 2, "User": 3, "Webhook": 1, "WebhookDelivery": 1,
			}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				if diff := cmp.Diff(tt.want, counts(tt.ctx, t, s.Client)); diff != "" {
					t.Errorf("rows seen (-want +got):\n%s", diff)
				}
			})
		}
	})
}

// The counts above cover every table but the two that only join others.
func TestScopeCoversEveryEntity(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t, "sqlite3")
	newWorld(t, s)
	if got, want := len(counts(testkit.System(t.Context()), t, s.Client)), len(migrate.Tables)-2; got != want {
		t.Errorf("entities in the tests of visibility = %d, want %d: add the new one", got, want)
	}
}

func TestAnonymousIsRefused(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		if _, err := s.Client.Server.Query().All(t.Context()); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("anonymous query: %v, want UNAUTHENTICATED", err)
		}
	})
}

// Edges, loaded or walked, show no more than queries of their own would.
func TestScopeCoversEdges(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		ctx := as(t.Context(), w.guest)
		got := s.Client.Server.Query().Where(server.ID(w.server.ID)).
			WithOwner().WithNode().WithTemplate().WithBackups().WithTasks().WithAccesses().OnlyX(ctx)
		if got.Edges.Owner != nil || got.Edges.Node != nil || got.Edges.Template != nil {
			t.Errorf("a guest sees owner %v, node %v, template %v; want none", got.Edges.Owner, got.Edges.Node, got.Edges.Template)
		}
		if len(got.Edges.Backups) != 1 || len(got.Edges.Tasks) != 0 || len(got.Edges.Accesses) != 1 {
			t.Errorf("a guest sees %d backups, %d tasks, %d accesses; want 1, 0, 1",
				len(got.Edges.Backups), len(got.Edges.Tasks), len(got.Edges.Accesses))
		}
		owner, err := got.Owner(ctx)
		if owner != nil || err != nil {
			t.Errorf("the hidden owner = %v, %v; want null without an error", owner, err)
		}
		if n := got.QueryTasks().CountX(ctx); n != 0 {
			t.Errorf("tasks walked to = %d, want 0", n)
		}
	})
}
