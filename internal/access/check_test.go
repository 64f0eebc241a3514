package access_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		ctx := t.Context()
		const ok fault.Code = ""
		for _, tt := range []struct {
			name   string
			ctx    context.Context
			p      access.Permission
			target access.Target
			want   fault.Code
		}{
			{"anonymous", ctx, access.ServerStart, access.On(w.server.ID), fault.Unauthenticated},
			{"anonymous, nothing there", ctx, access.ServerStart, access.On(kind.NewID(kind.PrefixServer)), fault.Unauthenticated},
			{"system", testkit.System(ctx), access.ServerDelete, access.On(w.server.ID), ok},
			{"owner starts", as(ctx, w.owner), access.ServerStart, access.On(w.server.ID), ok},
			{"owner may not suspend", as(ctx, w.owner), access.ServerSuspend, access.On(w.server.ID), fault.Forbidden},
			{"owner may not move", as(ctx, w.owner), access.ServerTransfer, access.On(w.server.ID), fault.Forbidden},
			{"owner restores", as(ctx, w.owner), access.BackupRestore, access.On(w.backup.ID), ok},
			{"owner runs a task", as(ctx, w.owner), access.TaskExecute, access.On(w.task.ID), ok},
			{"owner resolves an alert", as(ctx, w.owner), access.AlertResolve, access.On(w.alert.ID), ok},
			{"owner and a node's alert", as(ctx, w.owner), access.AlertResolve, access.On(w.nodeAlert.ID), fault.NotFound},
			{"owner may not create", as(ctx, w.owner), access.ServerCreate, access.Anywhere, fault.Forbidden},
			{"owner and the node", as(ctx, w.owner), access.NodeUpdate, access.On(w.node.ID), fault.NotFound},
			{"owner of a deleted server", as(ctx, w.owner), access.ServerStart, access.On(w.deleted.ID), fault.NotFound},
			{"owner with a limit", limited(as(ctx, w.owner), "server.read"), access.ServerStart, access.On(w.server.ID), fault.Forbidden},
			{"owner with a limit that hides", limited(as(ctx, w.owner), "server.start"), access.ServerStart, access.On(w.server.ID), fault.NotFound},
			{"guest reads the console", as(ctx, w.guest), access.ConsoleRead, access.On(w.server.ID), ok},
			{"guest may not write it", as(ctx, w.guest), access.ConsoleWrite, access.On(w.server.ID), fault.Forbidden},
			{"guest sees the backup", as(ctx, w.guest), access.BackupDelete, access.On(w.backup.ID), fault.Forbidden},
			{"guest does not see the task", as(ctx, w.guest), access.TaskDelete, access.On(w.task.ID), fault.NotFound},
			{"guest does not see the run", as(ctx, w.guest), access.TaskRead, access.On(w.run.ID), fault.NotFound},
			{"guest may not change the access", as(ctx, w.guest), access.ServerAccess, access.On(w.access.ID), fault.Forbidden},
			{"stranger", as(ctx, w.stranger), access.ServerStart, access.On(w.server.ID), fault.NotFound},
			{"nothing there", as(ctx, w.owner), access.ServerStart, access.On(kind.NewID(kind.PrefixServer)), fault.NotFound},
			{"no identifier", as(ctx, w.owner), access.ServerStart, access.On("nonsense"), fault.NotFound},
			{"no such kind", as(ctx, w.owner, "*"), access.ServerStart, access.On("planet_1"), fault.NotFound},
			{"reader may not start", as(ctx, w.stranger, "server.read"), access.ServerStart, access.On(w.server.ID), fault.Forbidden},
			{"operator", as(ctx, w.stranger, "server.*"), access.ServerTransfer, access.On(w.server.ID), ok},
			{"administrator", as(ctx, w.stranger, "*"), access.NodeDelete, access.On(w.node.ID), ok},
			{"administrator, limited", limited(as(ctx, w.stranger, "*"), "node.read"), access.NodeDelete, access.On(w.node.ID), fault.Forbidden},
			{"a limit gives nothing", limited(as(ctx, w.stranger), "*"), access.ServerStart, access.On(w.server.ID), fault.NotFound},
			{"every kind: template", as(ctx, w.stranger, "*"), access.TemplateUpdate, access.On(w.template.ID), ok},
			{"every kind: location", as(ctx, w.stranger, "*"), access.LocationUpdate, access.On(w.location.ID), ok},
			{"every kind: storage", as(ctx, w.stranger, "*"), access.AdminWrite, access.On(w.storage.ID), ok},
			{"every kind: user", as(ctx, w.stranger, "*"), access.UserUpdate, access.On(w.owner.ID), ok},
			{"every kind: allocation", as(ctx, w.stranger, "*"), access.NodeUpdate, access.On(w.free.ID), ok},
			{"owner's allocation", as(ctx, w.owner), access.ServerUpdate, access.On(w.allocation.ID), ok},
		} {
			t.Run(tt.name, func(t *testing.T) {
				err := access.Check(tt.ctx, s.Client, tt.p, tt.target)
				if got := fault.CodeOf(err); got != tt.want {
					t.Fatalf("Check(%s) = %v, want %q", tt.p, err, tt.want)
				}
				if tt.want == fault.Forbidden && !strings.Contains(err.Error(), string(tt.p)) {
					t.Errorf("the refusal %q does not name %s", err, tt.p)
				}
			})
		}
	})
}

// What is hidden and what does not exist are refused by the same words.
func TestMissingTellsNothing(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		ctx := as(t.Context(), w.stranger)
		for hidden, p := range map[string]kind.Prefix{
			w.server.ID: kind.PrefixServer, w.backup.ID: kind.PrefixBackup, w.node.ID: kind.PrefixNode, w.owner.ID: kind.PrefixUser,
		} {
			a := access.Check(ctx, s.Client, access.ServerRead, access.On(hidden))
			b := access.Check(ctx, s.Client, access.ServerRead, access.On(kind.NewID(p)))
			if a == nil || b == nil || a.Error() != b.Error() {
				t.Errorf("%s: hidden %v, missing %v; want the same", p, a, b)
			}
		}
	})
}

func TestOnServer(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		ctx := t.Context()
		for _, tt := range []struct {
			name string
			ctx  context.Context
			want []access.Permission
		}{
			{"stranger", as(ctx, w.stranger), nil},
			{"owner", as(ctx, w.owner), access.ServerLevel()},
			{"guest", as(ctx, w.guest), []access.Permission{access.ServerRead, access.ConsoleRead, access.BackupRead}},
			{"owner, limited", limited(as(ctx, w.owner), "server.read", "file.*"), []access.Permission{
				access.ServerRead, access.FileRead, access.FileWrite, access.FileDelete,
			}},
		} {
			got, err := access.OnServer(tt.ctx, s.Client, w.server.ID)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
	})
}

func TestGrants(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		permissions []string
		limit       []string
		p           access.Permission
		want        bool
	}{
		{"nothing", nil, nil, access.ServerRead, false},
		{"literally", []string{"server.read"}, nil, access.ServerRead, true},
		{"by area", []string{"server.*"}, nil, access.ServerKill, true},
		{"another area", []string{"server.*"}, nil, access.FileRead, false},
		{"areas are whole words", []string{"alert.*"}, nil, access.AlertRuleRead, false},
		{"everything", []string{"*"}, nil, access.AdminWrite, true},
		{"everything contains areas", []string{"*"}, nil, "server.*", true},
		{"an area contains itself", []string{"server.*"}, nil, "server.*", true},
		{"a member is not the area", []string{"server.read"}, nil, "server.*", false},
		{"an area is not everything", []string{"server.*"}, nil, "*", false},
		{"limited away", []string{"*"}, []string{"file.read"}, access.ServerRead, false},
		{"within the limit", []string{"*"}, []string{"file.*"}, access.FileRead, true},
		{"a limit gives nothing", []string{"file.read"}, []string{"*"}, access.ServerRead, false},
		{"an empty limit leaves nothing", []string{"*"}, []string{}, access.ServerRead, false},
	} {
		v := &viewer.Viewer{UserID: "user_x", Permissions: tt.permissions, Limit: tt.limit}
		if got := access.Grants(v, tt.p); got != tt.want {
			t.Errorf("%s: Grants(%v within %v, %s) = %t, want %t", tt.name, tt.permissions, tt.limit, tt.p, got, tt.want)
		}
	}
	if access.Grants(nil, access.ServerRead) {
		t.Error("an anonymous viewer is granted something")
	}
}

func TestPermissionStrings(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"*", "server.*", "file.write", "alertrule.read"} {
		if err := access.Validate("permissions", []string{s}); err != nil {
			t.Errorf("Validate(%q) = %v", s, err)
		}
	}
	for _, s := range []string{"", "server", "server.fly", "planet.*", "*.read", "SERVER.READ", "server.**"} {
		if err := access.Validate("permissions", []string{s}); fault.CodeOf(err) != fault.BadUserInput {
			t.Errorf("Validate(%q) = %v, want BAD_USER_INPUT", s, err)
		}
	}
	got, err := access.ExpandServer("permissions", []string{"file.*", "file.read"})
	if diff := cmp.Diff([]string{"file.delete", "file.read", "file.write", "server.read"}, got); err != nil || diff != "" {
		t.Errorf("ExpandServer: %v (-want +got):\n%s", err, diff)
	}
	if all, err := access.ExpandServer("permissions", []string{"*"}); err != nil || len(all) != len(access.ServerLevel()) {
		t.Errorf("ExpandServer(*) = %v, %v; want every server-level permission", all, err)
	}
	for _, s := range []string{"node.read", "server.create", "planet.*", ""} {
		if _, err := access.ExpandServer("permissions", []string{s}); fault.CodeOf(err) != fault.BadUserInput {
			t.Errorf("ExpandServer(%q) = %v, want BAD_USER_INPUT", s, err)
		}
	}
}

// The catalogue is part of the API.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	verbs := map[string]string{}
	for _, e := range access.Catalogue() {
		area, verb, _ := strings.Cut(string(e.Permission), ".")
		verbs[area] = strings.TrimPrefix(verbs[area]+","+verb, ",")
		if !strings.HasSuffix(e.Description, ".") {
			t.Errorf("%s: description %q is no sentence", e.Permission, e.Description)
		}
	}
	const crud = "read,create,update,delete"
	want := map[string]string{
		"admin": "read,write", "user": crud, "role": crud, "location": crud, "template": crud, "node": crud,
		"server":  crudServer,
		"console": "read,write", "file": "read,write,delete", "backup": "read,create,restore,delete",
		"task": crud + ",execute", "alert": "read,resolve", "alertrule": crud, "webhook": crud, "audit": "read",
	}
	if diff := cmp.Diff(want, verbs); diff != "" {
		t.Errorf("catalogue (-want +got):\n%s", diff)
	}
}

const crudServer = "read,create,update,delete,start,stop,restart,kill,install,suspend,transfer,access"
