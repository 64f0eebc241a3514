package access

import (
	"context"
	"fmt"

	"entgo.io/ent"
	"entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/sqljson"

	model "github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/alert"
	"github.com/catalyst-panel/catalyst/ent/allocation"
	"github.com/catalyst-panel/catalyst/ent/apikey"
	"github.com/catalyst-panel/catalyst/ent/auditlog"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/ent/invite"
	"github.com/catalyst-panel/catalyst/ent/predicate"
	"github.com/catalyst-panel/catalyst/ent/role"
	"github.com/catalyst-panel/catalyst/ent/scheduledtask"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/ent/serverlog"
	"github.com/catalyst-panel/catalyst/ent/servermetrics"
	"github.com/catalyst-panel/catalyst/ent/session"
	"github.com/catalyst-panel/catalyst/ent/sshkey"
	"github.com/catalyst-panel/catalyst/ent/taskrun"
	"github.com/catalyst-panel/catalyst/ent/transfer"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Scope narrows a query to the rows that the viewer in ctx may see: the table of visibility. Catalyst itself sees
// everything, an anonymous viewer gets UNAUTHENTICATED. An entity without a row in the table is seen by nobody else.
func Scope(ctx context.Context, q ent.Query) error {
	v := viewer.FromContext(ctx)
	if v == nil {
		return anonymous()
	}
	if v.IsSystem() {
		return nil
	}
	return scope(v, q)
}

func scope(v *viewer.Viewer, query ent.Query) error {
	switch q := query.(type) {
	// Servers, and what belongs to one: by a role, by owning it, or by an access that lists the permission.
	case *model.ServerQuery:
		q.Where(servers(v, ServerRead))
	case *model.ServerLogQuery:
		q.Where(serverlog.HasServerWith(servers(v, ConsoleRead)))
	case *model.ServerMetricsQuery:
		q.Where(servermetrics.HasServerWith(servers(v, ServerRead)))
	case *model.BackupQuery:
		q.Where(backup.DeletedAtIsNil(), backup.HasServerWith(servers(v, BackupRead)))
	case *model.ScheduledTaskQuery:
		q.Where(scheduledtask.HasServerWith(servers(v, TaskRead)))
	case *model.TaskRunQuery:
		q.Where(taskrun.HasTaskWith(scheduledtask.HasServerWith(servers(v, TaskRead))))
	case *model.TransferQuery:
		q.Where(transfer.HasServerWith(servers(v, ServerRead)))
	case *model.InviteQuery:
		q.Where(invite.HasServerWith(servers(v, ServerAccess)))
	case *model.ServerAccessQuery: // one's own, too
		q.Where(serveraccess.Or(
			serveraccess.HasServerWith(servers(v, ServerAccess)),
			serveraccess.And(serveraccess.UserID(v.UserID), serveraccess.HasServerWith(servers(v, ServerRead))),
		))
	case *model.AllocationQuery: // all of a node, or those of a server
		if !Grants(v, NodeRead) {
			q.Where(allocation.HasServerWith(servers(v, ServerRead)))
		}
	case *model.AlertQuery: // those of servers, and for a role those of nodes
		of := alert.HasServerWith(servers(v, AlertRead))
		if Grants(v, AlertRead) {
			of = alert.Or(alert.ServerIDIsNil(), of)
		}
		q.Where(of)
	case *model.AuditLogQuery: // everything, or what concerns one's own servers
		if !Grants(v, AuditRead) {
			q.Where(ownAudit(v))
		}

	// Accounts: all by a role, else oneself and one's roles.
	case *model.UserQuery:
		if !Grants(v, UserRead) {
			q.Where(user.ID(v.UserID))
		}
	case *model.RoleQuery:
		if !Grants(v, RoleRead) {
			q.Where(role.HasUsersWith(user.ID(v.UserID)))
		}

	// Credentials: one's own, and not with a credential that is limited.
	case *model.ApiKeyQuery:
		q.Where(apikey.UserID(v.UserID), predicate.ApiKey(onlyIf(v.Limit == nil)))
	case *model.SshKeyQuery:
		q.Where(sshkey.UserID(v.UserID), predicate.SshKey(onlyIf(v.Limit == nil)))
	case *model.SessionQuery:
		q.Where(session.UserID(v.UserID), predicate.Session(onlyIf(v.Limit == nil)))

	// Everything else by a role alone.
	case *model.LocationQuery:
		q.Where(predicate.Location(onlyIf(Grants(v, LocationRead))))
	case *model.NodeQuery:
		q.Where(predicate.Node(onlyIf(Grants(v, NodeRead))))
	case *model.NodeMetricsQuery:
		q.Where(predicate.NodeMetrics(onlyIf(Grants(v, NodeRead))))
	case *model.EnrolmentTokenQuery:
		q.Where(predicate.EnrolmentToken(onlyIf(Grants(v, NodeRead))))
	case *model.TemplateQuery:
		q.Where(predicate.Template(onlyIf(Grants(v, TemplateRead) || Grants(v, ServerCreate))))
	case *model.BackupStorageQuery:
		q.Where(predicate.BackupStorage(onlyIf(Grants(v, BackupRead))))
	case *model.AlertRuleQuery:
		q.Where(predicate.AlertRule(onlyIf(Grants(v, AlertRuleRead))))
	case *model.WebhookQuery:
		q.Where(predicate.Webhook(onlyIf(Grants(v, WebhookRead))))
	case *model.WebhookDeliveryQuery:
		q.Where(predicate.WebhookDelivery(onlyIf(Grants(v, WebhookRead))))
	case *model.SettingQuery:
		q.Where(predicate.Setting(onlyIf(Grants(v, AdminRead))))

	// Catalyst's own: nobody else sees them.
	case *model.RecoveryCodeQuery:
		q.Where(predicate.RecoveryCode(onlyIf(false)))
	case *model.PasswordResetQuery:
		q.Where(predicate.PasswordReset(onlyIf(false)))
	case *model.TemplateRevisionQuery:
		q.Where(predicate.TemplateRevision(onlyIf(false)))
	case *model.OutboxQuery:
		q.Where(predicate.Outbox(onlyIf(false)))
	default:
		return fmt.Errorf("no rule of visibility for %T", query)
	}
	return nil
}

// servers selects the servers on which the viewer has p. Deleted ones are hidden even while their node has not removed
// them yet.
func servers(v *viewer.Viewer, p Permission) predicate.Server {
	if Grants(v, p) {
		return server.DeletedAtIsNil()
	}
	if !within(v, p) {
		return onlyIf(false)
	}
	return server.And(server.DeletedAtIsNil(), serverOf(v, p))
}

// serverOf selects the servers that the viewer owns or has an access to that lists p.
func serverOf(v *viewer.Viewer, p Permission) predicate.Server {
	return server.Or(
		server.OwnerID(v.UserID),
		server.HasAccessesWith(serveraccess.UserID(v.UserID), listed(p)),
	)
}

// listed selects the accesses whose permissions list p.
func listed(p Permission) predicate.ServerAccess {
	return func(s *sql.Selector) {
		s.Where(sqljson.ValueContains(s.C(serveraccess.FieldPermissions), string(p)))
	}
}

// ownAudit selects the entries that concern servers which the viewer owns.
func ownAudit(v *viewer.Viewer) predicate.AuditLog {
	if !within(v, AuditRead) {
		return onlyIf(false)
	}
	return func(s *sql.Selector) {
		t := sql.Table(server.Table)
		own := sql.Select(t.C(server.FieldID)).From(t).
			Where(sql.And(sql.EQ(t.C(server.FieldOwnerID), v.UserID), sql.IsNull(t.C(server.FieldDeletedAt))))
		s.Where(sql.In(s.C(auditlog.FieldServerID), own))
	}
}

// onlyIf selects everything if ok, and nothing otherwise.
func onlyIf(ok bool) func(*sql.Selector) {
	return func(s *sql.Selector) {
		if !ok {
			s.Where(sql.False())
		}
	}
}
