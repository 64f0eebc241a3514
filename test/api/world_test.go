package api_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/test/apitest"
)

// tenancy is a world with one entity of every kind, all of them of one owner.
type tenancy struct {
	*apitest.World
	// ids has an entity of every kind, by its name in GraphQL; Free is an allocation that nobody has.
	ids map[string]string
	// owner has the server and all permissions, stranger has none, and subuser may see the server.
	owner, stranger, subuser *accounts.Credentials
	// key is one of the owner's API keys, for locations alone; enrolment is a node's token.
	key, enrolment string
}

func newTenancy(t *testing.T, s *store.Store) *tenancy {
	t.Helper()
	w := &tenancy{World: apitest.On(t, s, nil), ids: map[string]string{}}
	w.owner, w.stranger, w.subuser = w.Person("olga", "*"), w.Person("sam"), w.Person("uma")
	sv := w.Server("castle", w.owner)
	w.Write(func(ctx context.Context, x *ent.Tx) error { w.fill(ctx, x, sv); return nil })
	w.credentials()
	return w
}

// fill makes the entities.
func (w *tenancy) fill(ctx context.Context, x *ent.Tx, sv *ent.Server) {
	later := time.Now().Add(time.Hour)
	ports := x.Allocation.Query().Limit(2).IDsX(ctx)
	w.ids["Allocation"], w.ids["Free"] = ports[0], ports[1]
	x.Allocation.UpdateOneID(ports[0]).SetServerID(sv.ID).SetPrimary(true).ExecX(ctx)
	w.ids["Server"], w.ids["HostNode"], w.ids["Template"], w.ids["User"] = sv.ID, sv.NodeID, sv.TemplateID, w.owner.User.ID
	w.ids["Location"] = x.Location.Query().OnlyIDX(ctx)
	w.ids["Role"] = x.Role.Create().SetName("spare").SetPermissions([]string{"user.read"}).SaveX(ctx).ID
	w.ids["Backup"] = x.Backup.Create().SetServerID(sv.ID).SetName("b").SaveX(ctx).ID
	w.ids["BackupStorage"] = x.BackupStorage.Create().SetName("b").SetType(kind.StorageTypeLocal).SaveX(ctx).ID
	task := x.ScheduledTask.Create().SetServerID(sv.ID).SetName("t").SetSchedule("0 4 * * *").SaveX(ctx)
	w.ids["Task"] = task.ID
	w.ids["TaskRun"] = x.TaskRun.Create().SetTask(task).SetScheduledAt(later).SaveX(ctx).ID
	w.ids["Transfer"] = x.Transfer.Create().SetServerID(sv.ID).SaveX(ctx).ID
	w.ids["AlertRule"] = x.AlertRule.Create().SetName("r").SetType(kind.AlertTypeServerCrashed).SaveX(ctx).ID
	w.ids["Alert"] = x.Alert.Create().SetServerID(sv.ID).SetTitle("a").SetType(kind.AlertTypeServerCrashed).SetSeverity(kind.AlertSeverityInfo).SaveX(ctx).ID
	hook := x.Webhook.Create().SetName("h").SetURL("https://example.com").SaveX(ctx)
	w.ids["Webhook"] = hook.ID
	w.ids["WebhookDelivery"] = x.WebhookDelivery.Create().SetWebhook(hook).SetEvent("e").SetPayload(map[string]any{}).SaveX(ctx).ID
	w.ids["Setting"] = x.Setting.Create().SetKey("k").SetValue(json.RawMessage("1")).SaveX(ctx).ID
	w.ids["Invite"] = x.Invite.Create().SetServerID(sv.ID).SetEmail("i@example.com").SetTokenHash("i").SetExpiresAt(later).SaveX(ctx).ID
	w.ids["SshKey"] = x.SshKey.Create().SetUserID(w.owner.User.ID).SetName("k").SetPublicKey("k").SetFingerprint("f").SaveX(ctx).ID
	w.ids["ServerAccess"] = x.ServerAccess.Create().SetServerID(sv.ID).SetUserID(w.subuser.User.ID).SetPermissions([]string{"server.read"}).SaveX(ctx).ID
}

// credentials makes the keys and tokens that are not to get in where they do not belong.
func (w *tenancy) credentials() {
	w.T.Helper()
	key := w.Post(w.owner, `mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { id } } }`,
		map[string]any{"input": map[string]any{"name": "k", "permissions": []string{"location.read"}}})
	made, _ := key.Data["createApiKey"].(map[string]any)
	w.key, _ = made["key"].(string)
	w.ids["ApiKey"], _ = made["apiKey"].(map[string]any)["id"].(string)
	token := w.Post(w.owner, `mutation($input: CreateEnrolmentTokenInput!) { createEnrolmentToken(input: $input) { enrolment { token } } }`,
		map[string]any{"input": map[string]any{"nodeId": w.ids["HostNode"]}})
	enrolment, _ := token.Data["createEnrolmentToken"].(map[string]any)["enrolment"].(map[string]any)
	w.enrolment, _ = enrolment["token"].(string)
	w.Write(func(ctx context.Context, x *ent.Tx) error {
		w.ids["EnrolmentToken"] = x.EnrolmentToken.Query().OnlyIDX(ctx)
		w.ids["AuditLog"] = x.AuditLog.Query().FirstIDX(ctx)
		for _, s := range x.Session.Query().AllX(ctx) {
			if s.UserID == w.owner.User.ID {
				w.ids["Session"] = s.ID
			}
		}
		return nil
	})
}

// online makes the server's node look connected, so that servers can be put on it.
func (w *tenancy) online() {
	w.T.Helper()
	w.Write(func(ctx context.Context, x *ent.Tx) error {
		return x.Node.UpdateOneID(w.ids["HostNode"]).SetOnline(true).Exec(ctx)
	})
}

// absent returns an identifier of the same kind as id of which there is nothing.
func absent(id string) string {
	prefix, _, _ := strings.Cut(id, "_")
	return prefix + "_01h455vb4pex5vsknk084sn02q"
}

// document writes an operation that calls one root field with its arguments as variables, and selects little.
func document(schema *ast.Schema, operation ast.Operation, f *ast.FieldDefinition, arguments map[string]any) string {
	var declared, passed []string
	for _, a := range f.Arguments {
		if _, ok := arguments[a.Name]; ok {
			declared = append(declared, "$"+a.Name+": "+a.Type.String())
			passed = append(passed, a.Name+": $"+a.Name)
		}
	}
	var b strings.Builder
	b.WriteString(string(operation))
	if len(declared) > 0 {
		b.WriteString("(" + strings.Join(declared, ", ") + ")")
	}
	b.WriteString(" { " + f.Name)
	if len(passed) > 0 {
		b.WriteString("(" + strings.Join(passed, ", ") + ")")
	}
	switch def := schema.Types[f.Type.Name()]; {
	case def.Kind == ast.Scalar || def.Kind == ast.Enum:
	case strings.HasSuffix(def.Name, "Connection"):
		b.WriteString(" { totalCount edges { node { id } } }")
	default:
		b.WriteString(" { __typename }")
	}
	b.WriteString(" }")
	return b.String()
}
