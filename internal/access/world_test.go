package access_test

import (
	"context"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// world is one server with one of everything that belongs to it, on one node, and the people around it.
type world struct {
	owner, guest, stranger *ent.User
	server, deleted        *ent.Server
	node                   *ent.Node
	template               *ent.Template
	location               *ent.Location
	backup                 *ent.Backup
	storage                *ent.BackupStorage
	task                   *ent.ScheduledTask
	run                    *ent.TaskRun
	alert, nodeAlert       *ent.Alert
	access                 *ent.ServerAccess
	allocation, free       *ent.Allocation
}

// guestPermissions is what the guest was let into the server with.
var guestPermissions = []string{"server.read", "console.read", "backup.read"}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	w := &world{}
	err := tx.Do(testkit.System(t.Context()), s.Client, func(ctx context.Context, x *ent.Tx) error {
		w.people(ctx, x)
		w.machines(ctx, x)
		w.belongings(ctx, x)
		return nil
	})
	if err != nil {
		t.Fatalf("make the world: %v", err)
	}
	return w
}

func (w *world) people(ctx context.Context, x *ent.Tx) {
	person := func(name string) *ent.User {
		u := x.User.Create().SetEmail(name + "@example.org").SetUsername(name).SetUsernameKey(name).SetPasswordHash("").SaveX(ctx)
		x.ApiKey.Create().SetUser(u).SetName("key").SetPrefix("cat_").SetKeyHash("hash of " + name).SaveX(ctx)
		x.SshKey.Create().SetUser(u).SetName("key").SetPublicKey("ssh-ed25519 A").SetFingerprint("f").SaveX(ctx)
		x.Session.Create().SetUser(u).SetRefreshHash("refresh of " + name).SetExpiresAt(time.Now()).SaveX(ctx)
		x.RecoveryCode.Create().SetUser(u).SetCodeHash("c").SaveX(ctx)
		x.PasswordReset.Create().SetUser(u).SetTokenHash("reset of " + name).SetExpiresAt(time.Now()).SaveX(ctx)
		return u
	}
	w.owner, w.guest, w.stranger = person("owner"), person("guest"), person("stranger")
}

func (w *world) machines(ctx context.Context, x *ent.Tx) {
	w.location = x.Location.Create().SetName("here").SaveX(ctx)
	w.node = x.Node.Create().SetName("one").SetLocation(w.location).SetPublicAddress("192.0.2.1").
		SetMemoryLimit(1).SetCPULimit(1).SetDiskLimit(1).SaveX(ctx)
	x.EnrolmentToken.Create().SetNode(w.node).SetTokenHash("enrol").SetExpiresAt(time.Now()).SaveX(ctx)
	w.template = x.Template.Create().SetName("game").SaveX(ctx)
	w.storage = x.BackupStorage.Create().SetName("disk").SetType(kind.StorageTypeLocal).SaveX(ctx)
	x.Setting.Create().SetKey("k").SetValue([]byte("1")).SaveX(ctx)
	hook := x.Webhook.Create().SetName("hook").SetURL("https://example.org").SetOwner(w.owner).SaveX(ctx)
	x.WebhookDelivery.Create().SetWebhook(hook).SetEvent("e").SetPayload(map[string]any{}).SaveX(ctx)
	x.Outbox.Create().SetTopic("t").SetPayload([]byte("{}")).SaveX(ctx)
}

func (w *world) belongings(ctx context.Context, x *ent.Tx) {
	server := func(name string) *ent.ServerCreate {
		return x.Server.Create().SetName(name).SetOwner(w.owner).SetNode(w.node).SetTemplate(w.template)
	}
	w.server = server("alive").SaveX(ctx)
	w.deleted = server("deleted").SetDeletedAt(time.Now()).SaveX(ctx)
	for _, s := range []*ent.Server{w.server, w.deleted} {
		access := x.ServerAccess.Create().SetServer(s).SetUser(w.guest).SetPermissions(guestPermissions).SaveX(ctx)
		backup := x.Backup.Create().SetServer(s).SetName("b").SetStorage(w.storage).SaveX(ctx)
		task := x.ScheduledTask.Create().SetServer(s).SetAuthor(w.owner).SetName("t").SetSchedule("* * * * *").SaveX(ctx)
		run := x.TaskRun.Create().SetTask(task).SetScheduledAt(time.Now()).SaveX(ctx)
		alert := x.Alert.Create().SetServer(s).SetType(kind.AlertTypeServerCrashed).
			SetSeverity(kind.AlertSeverityInfo).SetTitle("a").SaveX(ctx)
		x.Invite.Create().SetServer(s).SetEmail("x@example.org").SetTokenHash("invite to " + s.ID).SetExpiresAt(time.Now()).SaveX(ctx)
		x.Transfer.Create().SetServer(s).SetSourceNode(w.node).SaveX(ctx)
		x.ServerLog.Create().SetServer(s).SetSeq(1).SetAt(time.Now()).SetStream(kind.StreamStdout).SetText("line").SaveX(ctx)
		x.ServerMetrics.Create().SetServer(s).SetResolution(kind.MetricsResolutionRaw).SetAt(time.Now()).SaveX(ctx)
		x.AuditLog.Create().SetAction("server.start").SetServerID(s.ID).SetActor(w.guest).SetOutcome(kind.AuditOutcomeSucceeded).SaveX(ctx)
		if s == w.server {
			w.access, w.backup, w.task, w.run, w.alert = access, backup, task, run, alert
		}
	}
	x.TemplateRevision.Create().SetTemplateID(w.server.TemplateID).SetRevision(1).SetDocument([]byte("{}")).SaveX(ctx)
	x.AuditLog.Create().SetAction("user.create").SetOutcome(kind.AuditOutcomeSucceeded).SaveX(ctx)
	x.AlertRule.Create().SetName("r").SetType(kind.AlertTypeNodeOffline).SaveX(ctx)
	w.nodeAlert = x.Alert.Create().SetNode(w.node).SetType(kind.AlertTypeNodeOffline).
		SetSeverity(kind.AlertSeverityInfo).SetTitle("n").SaveX(ctx)
	x.NodeMetrics.Create().SetNode(w.node).SetResolution(kind.MetricsResolutionRaw).SetAt(time.Now()).SaveX(ctx)
	w.allocation = x.Allocation.Create().SetNode(w.node).SetServer(w.server).SetIP("192.0.2.1").SetPort(1).SaveX(ctx)
	w.free = x.Allocation.Create().SetNode(w.node).SetIP("192.0.2.1").SetPort(2).SaveX(ctx)
}

// as returns a context in which a person with global permissions is the viewer.
func as(ctx context.Context, u *ent.User, permissions ...string) context.Context {
	return viewer.NewContext(ctx, &viewer.Viewer{UserID: u.ID, Username: u.Username, Permissions: permissions})
}

// limited returns a context in which the viewer uses a credential that is limited to some permissions.
func limited(ctx context.Context, limit ...string) context.Context {
	v := viewer.FromContext(ctx).Clone()
	v.Limit = append([]string{}, limit...)
	return viewer.NewContext(ctx, v)
}

// counts returns how many rows of each entity the viewer sees, without those of which there are none.
func counts(ctx context.Context, t *testing.T, c *ent.Client) map[string]int {
	t.Helper()
	out := map[string]int{}
	for name, count := range map[string]func(context.Context) (int, error){
		"Alert": c.Alert.Query().Count, "AlertRule": c.AlertRule.Query().Count, "Allocation": c.Allocation.Query().Count,
		"ApiKey": c.ApiKey.Query().Count, "AuditLog": c.AuditLog.Query().Count, "Backup": c.Backup.Query().Count,
		"BackupStorage": c.BackupStorage.Query().Count, "EnrolmentToken": c.EnrolmentToken.Query().Count,
		"Invite": c.Invite.Query().Count, "Location": c.Location.Query().Count, "Node": c.Node.Query().Count,
		"NodeMetrics": c.NodeMetrics.Query().Count, "Outbox": c.Outbox.Query().Count,
		"PasswordReset": c.PasswordReset.Query().Count, "RecoveryCode": c.RecoveryCode.Query().Count,
		"Role": c.Role.Query().Count, "ScheduledTask": c.ScheduledTask.Query().Count, "Server": c.Server.Query().Count,
		"ServerAccess": c.ServerAccess.Query().Count, "ServerLog": c.ServerLog.Query().Count,
		"ServerMetrics": c.ServerMetrics.Query().Count, "Session": c.Session.Query().Count,
		"Setting": c.Setting.Query().Count, "SshKey": c.SshKey.Query().Count, "TaskRun": c.TaskRun.Query().Count,
		"Template": c.Template.Query().Count, "TemplateRevision": c.TemplateRevision.Query().Count, "Transfer": c.Transfer.Query().Count, "User": c.User.Query().Count,
		"Webhook": c.Webhook.Query().Count, "WebhookDelivery": c.WebhookDelivery.Query().Count,
	} {
		n, err := count(ctx)
		if err != nil {
			t.Fatalf("count %s: %v", name, err)
		}
		if n > 0 {
			out[name] = n
		}
	}
	return out
}
