package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/test/apitest"
)

// door says who an operation is for.
type door int

const (
	// everybody may call it, signed in or not.
	everybody door = iota
	// self acts on what is the caller's own.
	self
	// list answers with what the caller may see.
	list
	// entity acts on one entity, named by the row's id.
	entity
	// area acts on nothing that exists yet, and needs a permission.
	area
)

// row is one operation of the matrix.
type row struct {
	door door
	// id names the entity in tenancy.ids, in arguments as "$id"; "$Name" stands for others.
	id string
	// arguments of the field.
	arguments map[string]any
	// sub says that the subuser, who may see the server, is FORBIDDEN instead of being told that there is nothing;
	// allowed that the subuser may do it.
	sub, allowed bool
}

func input(pairs ...any) map[string]any {
	in := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		in[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return map[string]any{"input": in}
}

// byID is the row of an operation that takes nothing but an identifier.
func byID(kind string) row {
	return row{door: entity, id: kind, arguments: map[string]any{"id": "$id"}}
}

func verb(kind string) row { return row{door: entity, id: kind, arguments: input("id", "$id")} }

// onServer is a verb of servers, which the subuser sees but may not do.
func onServer(pairs ...any) row {
	return row{door: entity, id: "Server", arguments: input(pairs...), sub: true}
}

// operations has every operation of the schema.
var operations = map[string]row{
	"Query.alert": byID("Alert"), "Query.alertRule": byID("AlertRule"), "Query.apiKey": byID("ApiKey"),
	"Query.allocation": {door: entity, id: "Allocation", arguments: map[string]any{"id": "$id"}, allowed: true},
	"Query.auditLog":   byID("AuditLog"), "Query.backup": byID("Backup"), "Query.backupStorage": byID("BackupStorage"),
	"Query.enrolmentToken": byID("EnrolmentToken"), "Query.hostNode": byID("HostNode"), "Query.invite": byID("Invite"),
	"Query.location": byID("Location"), "Query.role": byID("Role"),
	"Query.server":       {door: entity, id: "Server", arguments: map[string]any{"id": "$id"}, allowed: true},
	"Query.serverAccess": {door: entity, id: "ServerAccess", arguments: map[string]any{"id": "$id"}, allowed: true},
	"Query.session":      byID("Session"), "Query.setting": byID("Setting"), "Query.sshKey": byID("SshKey"),
	"Query.task": byID("Task"), "Query.taskRun": byID("TaskRun"), "Query.template": byID("Template"),
	"Query.transfer": {door: entity, id: "Transfer", arguments: map[string]any{"id": "$id"}, allowed: true},
	"Query.user":     byID("User"), "Query.webhook": byID("Webhook"), "Query.webhookDelivery": byID("WebhookDelivery"),
	"Query.node": {door: self, arguments: map[string]any{"id": "$Webhook"}}, "Query.nodes": {door: self, arguments: map[string]any{"ids": []any{"$Webhook"}}},
	"Query.permissions": {door: self}, "Query.viewer": {door: self},
	"Query.alerts": {door: list}, "Query.alertRules": {door: list}, "Query.allocations": {door: list, allowed: true}, "Query.apiKeys": {door: list},
	"Query.auditLogs": {door: list}, "Query.backups": {door: list}, "Query.backupStorages": {door: list},
	"Query.enrolmentTokens": {door: list}, "Query.hostNodes": {door: list}, "Query.invites": {door: list},
	"Query.locations": {door: list}, "Query.roles": {door: list}, "Query.servers": {door: list, allowed: true},
	"Query.serverAccesses": {door: list, allowed: true}, "Query.sessions": {door: list}, "Query.settings": {door: list},
	"Query.sshKeys": {door: list}, "Query.tasks": {door: list}, "Query.taskRuns": {door: list},
	"Query.templates": {door: list}, "Query.transfers": {door: list, allowed: true}, "Query.users": {door: list},
	"Query.webhooks": {door: list}, "Query.webhookDeliveries": {door: list},

	"Mutation.login":          {door: everybody, arguments: input("login", "nobody", "password", "wrong password")},
	"Mutation.register":       {door: everybody, arguments: input("email", "no address", "username", "x", "password", "x")},
	"Mutation.refreshSession": {door: everybody, arguments: input("refreshToken", "nonsense")},
	"Mutation.resetPassword":  {door: everybody, arguments: input("token", "nonsense", "newPassword", "plum harbour 42")},

	"Mutation.acceptInvite":   {door: self, arguments: input("token", "nonsense")},
	"Mutation.addSshKey":      {door: self, arguments: input("name", "", "publicKey", "nonsense")},
	"Mutation.changePassword": {door: self, arguments: input("currentPassword", "wrong", "newPassword", "plum harbour 43")},
	"Mutation.createApiKey":   {door: self, arguments: input("name", "", "permissions", []any{})},
	"Mutation.logout":         {door: self}, "Mutation.updateProfile": {door: self, arguments: input("username", "")},
	"Mutation.enableTotp": {door: self, arguments: input("password", "wrong")}, "Mutation.confirmTotp": {door: self, arguments: input("code", "1")},
	"Mutation.disableTotp":  {door: self, arguments: input("password", "wrong", "code", "1")},
	"Mutation.deleteApiKey": verb("ApiKey"), "Mutation.deleteSshKey": verb("SshKey"), "Mutation.revokeSession": verb("Session"),

	"Mutation.createUser":          {door: area, arguments: input("email", "n@example.com", "username", "newcomer", "password", "plum harbour 42")},
	"Mutation.createPasswordReset": {door: entity, id: "User", arguments: input("userId", "$id")},
	"Mutation.updateUser":          verb("User"), "Mutation.deleteUser": verb("User"), "Mutation.suspendUser": verb("User"),
	"Mutation.unsuspendUser": verb("User"), "Mutation.setUserRoles": {door: entity, id: "User", arguments: input("id", "$id", "roleIds", []any{})},
	"Mutation.createRole": {door: area, arguments: input("name", "r", "permissions", []any{})},
	"Mutation.updateRole": verb("Role"), "Mutation.deleteRole": verb("Role"),

	"Mutation.grantServerAccess":       onServer("serverId", "$id", "email", "n@example.com", "permissions", []any{"server.read"}),
	"Mutation.updateServerAccess":      onServer("serverId", "$id", "userId", "$Sub", "permissions", []any{"server.read"}),
	"Mutation.revokeServerAccess":      onServer("serverId", "$id", "userId", "$User"),
	"Mutation.transferServerOwnership": onServer("serverId", "$id", "userId", "$User"),
	"Mutation.deleteInvite":            verb("Invite"),

	"Query.alertStats": {door: self}, "Query.adminStats": {door: area}, "Query.systemHealth": {door: area},
	"Mutation.createTask": onServer("serverId", "$id", "name", "t", "schedule", "@daily", "steps", []any{map[string]any{"action": "START"}}),
	"Mutation.updateTask": verb("Task"), "Mutation.deleteTask": verb("Task"), "Mutation.executeTask": verb("Task"),
	"Mutation.createAlertRule": {door: area, arguments: input("name", "r", "type", "NODE_OFFLINE", "severity", "INFO")},
	"Mutation.updateAlertRule": verb("AlertRule"), "Mutation.deleteAlertRule": verb("AlertRule"),
	"Mutation.resolveAlert": verb("Alert"), "Mutation.resolveAlerts": {door: entity, id: "Alert", arguments: input("ids", []any{"$id"})},
	"Mutation.createWebhook": {door: area, arguments: input("name", "h", "url", "https://example.com/", "events", []any{"*"})},
	"Mutation.updateWebhook": verb("Webhook"), "Mutation.deleteWebhook": verb("Webhook"), "Mutation.testWebhook": verb("Webhook"),
	"Mutation.redeliverWebhook": {door: entity, id: "WebhookDelivery", arguments: input("deliveryId", "$id")},

	"Mutation.createBackup": onServer("serverId", "$id"), "Mutation.setBackupPolicy": onServer("serverId", "$id", "backupKeep", 1),
	"Mutation.updateBackup": verb("Backup"), "Mutation.deleteBackup": verb("Backup"), "Mutation.cancelBackup": verb("Backup"),
	"Mutation.restoreBackup": verb("Backup"), "Mutation.createBackupDownload": verb("Backup"),
	"Mutation.createBackupStorage": {door: area, arguments: input("name", "s", "type", "LOCAL")},
	"Mutation.updateBackupStorage": verb("BackupStorage"), "Mutation.deleteBackupStorage": verb("BackupStorage"),
	"Subscription.backupProgress": {door: entity, id: "Server", arguments: map[string]any{"serverId": "$id"}, sub: true},

	"Mutation.createLocation": {door: area, arguments: input("name", "l")},
	"Mutation.updateLocation": verb("Location"), "Mutation.deleteLocation": verb("Location"),
	"Mutation.createNode": {door: area, arguments: input("name", "n", "locationId", "$Location", "publicAddress", "::1", "memoryLimit", 0, "cpuLimit", 0, "diskLimit", 0)},
	"Mutation.updateNode": verb("HostNode"), "Mutation.deleteNode": verb("HostNode"),
	"Mutation.createEnrolmentToken":  {door: entity, id: "HostNode", arguments: input("nodeId", "$id")},
	"Mutation.createAllocations":     {door: entity, id: "HostNode", arguments: input("nodeId", "$id", "ip", "::1", "ports", []any{"1"})},
	"Mutation.deleteAllocations":     {door: entity, id: "Free", arguments: input("ids", []any{"$id"})},
	"Mutation.assignAllocation":      {door: entity, id: "Free", arguments: input("allocationId", "$id", "serverId", "$Server"), sub: true},
	"Mutation.unassignAllocation":    {door: entity, id: "Allocation", arguments: input("allocationId", "$id"), sub: true},
	"Mutation.setPrimaryAllocation":  {door: entity, id: "Allocation", arguments: input("allocationId", "$id"), sub: true},
	"Mutation.createTemplate":        {door: area, arguments: input("name", "t", "startup", "true")},
	"Mutation.importTemplate":        {door: area, arguments: input("document", "{}")},
	"Mutation.importTemplateFromUrl": {door: area, arguments: input("url", "http://127.0.0.1/")},
	"Mutation.exportTemplate":        verb("Template"),
	"Mutation.updateTemplate":        verb("Template"), "Mutation.deleteTemplate": verb("Template"),

	"Mutation.createServer": {door: area, arguments: input("name", "s", "templateId", "$Template")},
	"Mutation.updateServer": onServer("id", "$id"), "Mutation.deleteServer": onServer("id", "$id"),
	"Mutation.startServer": onServer("id", "$id"), "Mutation.stopServer": onServer("id", "$id"),
	"Mutation.restartServer": onServer("id", "$id"), "Mutation.killServer": onServer("id", "$id"),
	"Mutation.suspendServer": onServer("id", "$id"), "Mutation.unsuspendServer": onServer("id", "$id"),
	"Mutation.installServer":   onServer("id", "$id"),
	"Mutation.cloneServer":     onServer("id", "$id", "name", "c"),
	"Mutation.resetCrashCount": onServer("id", "$id"), "Mutation.applyTemplate": onServer("serverId", "$id"),
	"Mutation.answerServerPrompt": onServer("serverId", "$id", "feature", "eula"),
	"Mutation.executeCommand":     onServer("serverId", "$id", "command", "x"),
	"Mutation.sendCommand":        onServer("serverId", "$id", "command", "x"),
	"Mutation.createLogDownload":  onServer("serverId", "$id"),

	"Mutation.createDirectory":          onServer("serverId", "$id", "path", "d"),
	"Mutation.uploadFiles":              onServer("serverId", "$id", "path", "f", "files", []any{}),
	"Mutation.writeFile":                onServer("serverId", "$id", "path", "f", "text", "x"),
	"Mutation.renameFiles":              onServer("serverId", "$id", "files", []any{map[string]any{"from": "a", "to": "b"}}),
	"Mutation.copyFiles":                onServer("serverId", "$id", "files", []any{map[string]any{"from": "a", "to": "b"}}),
	"Mutation.chmodFiles":               onServer("serverId", "$id", "files", []any{map[string]any{"path": "a", "mode": "0644"}}),
	"Mutation.compressFiles":            onServer("serverId", "$id", "paths", []any{"a"}, "archive", "a.zip"),
	"Mutation.decompressFile":           onServer("serverId", "$id", "archive", "a.zip"),
	"Mutation.pullFile":                 onServer("serverId", "$id", "url", "https://example.com/a", "path", "a"),
	"Mutation.cancelFileTransfer":       onServer("serverId", "$id", "id", "x"),
	"Subscription.fileTransferProgress": {door: entity, id: "Server", arguments: map[string]any{"serverId": "$id"}, sub: true},
	"Mutation.createUpload":             onServer("serverId", "$id", "path", "a", "size", 1),
	"Mutation.createSftpToken":          onServer("serverId", "$id"),
	"Mutation.createDownload":           onServer("serverId", "$id", "paths", []any{"a"}),
	"Mutation.deleteFiles":              onServer("serverId", "$id", "paths", []any{"a"}),

	"Subscription.alertChanged": byID("Alert"), "Subscription.alertRuleChanged": byID("AlertRule"),
	"Subscription.allocationChanged": byID("Free"), "Subscription.auditLogAdded": byID("AuditLog"),
	"Subscription.backupChanged": byID("Backup"), "Subscription.locationChanged": byID("Location"),
	"Subscription.nodeChanged": byID("HostNode"), "Subscription.roleChanged": byID("Role"),
	"Subscription.serverChanged":       {door: entity, id: "Server", arguments: map[string]any{"id": "$id"}, allowed: true},
	"Subscription.serverAccessChanged": {door: entity, id: "ServerAccess", arguments: map[string]any{"id": "$id"}, allowed: true},
	"Subscription.taskChanged":         byID("Task"), "Subscription.taskRunChanged": byID("TaskRun"),
	"Subscription.templateChanged": byID("Template"),
	"Subscription.transferChanged": {door: entity, id: "Transfer", arguments: map[string]any{"id": "$id"}, allowed: true},
	"Subscription.userChanged":     byID("User"), "Subscription.webhookChanged": byID("Webhook"),
	"Subscription.console":            {door: entity, id: "Server", arguments: map[string]any{"serverId": "$id"}, sub: true},
	"Subscription.installProgress":    {door: entity, id: "Server", arguments: map[string]any{"serverId": "$id"}, sub: true},
	"Subscription.serverStateChanged": {door: entity, id: "Server", arguments: map[string]any{"serverId": "$id"}, allowed: true},
	"Subscription.serverStats":        {door: entity, id: "Server", arguments: map[string]any{"serverId": "$id"}, allowed: true},
	"Subscription.nodeStats":          {door: entity, id: "HostNode", arguments: map[string]any{"nodeId": "$id"}},
}

// caller is one voice of the matrix.
type caller struct {
	name   string
	bearer string
}

// TestA1Matrix has everybody who should not try every operation: what may not be read looks as if it were not there, and
// nothing is changed.
func TestA1Matrix(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newTenancy(t, s)
		schema := w.Schema.Schema()
		for _, part := range []struct {
			operation ast.Operation
			def       *ast.Definition
		}{{ast.Query, schema.Query}, {ast.Mutation, schema.Mutation}, {ast.Subscription, schema.Subscription}} {
			for _, f := range part.def.Fields {
				if strings.HasPrefix(f.Name, "__") {
					continue
				}
				name := part.def.Name + "." + f.Name
				r, ok := operations[name]
				if !ok {
					t.Errorf("%s has no row in the matrix", name)
					continue
				}
				query := document(schema, part.operation, f, r.arguments)
				w.anonymous(t, name, query, r)
				w.outsiders(t, name, query, r)
				w.insider(t, name, query, r)
			}
		}
		for name := range operations {
			part, field, _ := strings.Cut(name, ".")
			if schema.Types[part].Fields.ForName(field) == nil {
				t.Errorf("%s is in the matrix and not in the schema", name)
			}
		}
		w.untouched(t)
	})
}

// anonymous, and holders of what is no credential here, get no further than the door.
func (w *tenancy) anonymous(t *testing.T, name, query string, r row) {
	t.Helper()
	for _, c := range []caller{
		{"nobody", ""}, {"a node's enrolment token", w.enrolment}, {"a refresh token", w.owner.RefreshToken},
	} {
		got := w.as(c, query, w.values(r, w.ids[r.id]))
		open := r.door == everybody && c.bearer == ""
		if (got.Code() == "UNAUTHENTICATED") == open && name != "Mutation.refreshSession" && name != "Mutation.login" {
			t.Errorf("%s by %s: %s", name, c.name, got.Text)
		}
		if got.Code() == "" || got.Code() == "INTERNAL" {
			t.Errorf("%s by %s: %s", name, c.name, got.Text)
		}
	}
}

// outsiders are another tenant, and an API key of the owner's that is for something else.
func (w *tenancy) outsiders(t *testing.T, name, query string, r row) {
	t.Helper()
	for _, c := range []caller{{"a stranger", w.stranger.AccessToken}, {"a key without the scope", w.key}} {
		if c.bearer == w.key && strings.Contains(strings.ToLower(name), "location") {
			continue // what the key is for
		}
		if c.bearer == w.key && r.id == "User" { // its own account, which it may see and not change
			if got := w.as(c, query, w.values(r, w.ids[r.id])); strings.HasPrefix(query, "mutation") && got.Code() != "FORBIDDEN" {
				t.Errorf("%s by %s: %s", name, c.name, got.Text)
			}
			continue
		}
		switch r.door {
		case everybody, self:
		case list:
			w.seesNothing(t, name, c, query)
		case entity:
			got, none := w.as(c, query, w.values(r, w.ids[r.id])), w.as(c, query, w.values(r, absent(w.ids[r.id])))
			hidden := got.Code() == "NOT_FOUND" || c.bearer == w.key && r.own()
			if !hidden || got.Text != none.Text {
				t.Errorf("%s by %s:\n%s\nand where there is nothing:\n%s", name, c.name, got.Text, none.Text)
			}
		case area:
			if got := w.as(c, query, w.values(r, "")); got.Code() != "FORBIDDEN" {
				t.Errorf("%s by %s: %s", name, c.name, got.Text)
			}
		}
	}
}

// insider is the subuser, who may see the server and nothing else.
func (w *tenancy) insider(t *testing.T, name, query string, r row) {
	t.Helper()
	c := caller{"a subuser", w.subuser.AccessToken}
	switch {
	case r.allowed || r.door == everybody || r.door == self:
	case r.door == list:
		w.seesNothing(t, name, c, query)
	case r.door == area || r.sub:
		if got := w.as(c, query, w.values(r, w.ids[r.id])); got.Code() != "FORBIDDEN" {
			t.Errorf("%s by %s: %s", name, c.name, got.Text)
		}
	default:
		got, none := w.as(c, query, w.values(r, w.ids[r.id])), w.as(c, query, w.values(r, absent(w.ids[r.id])))
		if got.Code() != "NOT_FOUND" || got.Text != none.Text {
			t.Errorf("%s by %s:\n%s\nand where there is nothing:\n%s", name, c.name, got.Text, none.Text)
		}
	}
}

// own reports whether the row's entity belongs to the account itself, which no API key may change.
func (r row) own() bool { return r.id == "ApiKey" || r.id == "SshKey" || r.id == "Session" }

// seesNothing checks that a list has none of the owner's.
func (w *tenancy) seesNothing(t *testing.T, name string, c caller, query string) {
	t.Helper()
	got := w.as(c, query, nil)
	if got.Code() != "" {
		t.Errorf("%s by %s: %s", name, c.name, got.Text)
	}
	for what, id := range w.ids {
		itself := c.bearer == w.key && what == "User"
		if strings.Contains(got.Text, id) && !itself {
			t.Errorf("%s shows %s the owner's %s", name, c.name, what)
		}
	}
}

// values fills the arguments in.
func (w *tenancy) values(r row, id string) map[string]any {
	var fill func(v any) any
	fill = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := map[string]any{}
			for key, value := range v {
				out[key] = fill(value)
			}
			return out
		case []any:
			out := []any{}
			for _, value := range v {
				out = append(out, fill(value))
			}
			return out
		case string:
			switch name, is := strings.CutPrefix(v, "$"); {
			case !is:
				return v
			case name == "id":
				return id
			case name == "Sub":
				return w.subuser.User.ID
			default:
				return w.ids[name]
			}
		}
		return v
	}
	out, _ := fill(r.arguments).(map[string]any)
	return out
}

// as sends an operation; subscriptions as server-sent events, of which the first one counts.
func (w *tenancy) as(c caller, query string, variables map[string]any) *apitest.Reply {
	w.T.Helper()
	if !strings.HasPrefix(query, "subscription") {
		return w.Post(credentials(c), query, variables)
	}
	return w.First(credentials(c), query, variables)
}

func credentials(c caller) *accounts.Credentials {
	if c.bearer == "" {
		return nil
	}
	return &accounts.Credentials{AccessToken: c.bearer}
}

// untouched checks that what everybody tried has left no trace but in the audit trail.
func (w *tenancy) untouched(t *testing.T) {
	t.Helper()
	got := w.Post(w.owner, `query($id: ID!) {
		server(id: $id) { name suspended state allocations { totalCount } }
		users { totalCount } roles { totalCount } locations { totalCount } hostNodes { totalCount } templates { totalCount }
		servers { totalCount } serverAccesses { totalCount } invites { totalCount } allocations { totalCount } apiKeys { totalCount }
	}`, map[string]any{"id": w.ids["Server"]})
	want := `{"server":{"name":"castle","suspended":false,"state":"STOPPED","allocations":{"totalCount":1}},` +
		`"users":{"totalCount":3},"roles":{"totalCount":4},"locations":{"totalCount":1},"hostNodes":{"totalCount":1},"templates":{"totalCount":1},` +
		`"servers":{"totalCount":1},"serverAccesses":{"totalCount":1},"invites":{"totalCount":1},"allocations":{"totalCount":30},"apiKeys":{"totalCount":1}}`
	if !strings.Contains(got.Text, want) {
		t.Errorf("got  %s\nwant %s", got.Text, want)
	}
	if got.Status != http.StatusOK {
		t.Errorf("status %d", got.Status)
	}
}
