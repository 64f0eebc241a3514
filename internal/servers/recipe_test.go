package servers_test

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

// TestTemplateChangesWaitForTheirOwner changes the template of a server, which goes on as before until it is given the
// change.
func TestTemplateChangesWaitForTheirOwner(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		library := templates.New(templates.Config{Client: s.Client, Logger: slog.New(slog.DiscardHandler)})
		sv, err := w.Create(w.ctx, servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID})
		if err != nil {
			t.Fatal(err)
		}
		shell := func() string {
			t.Helper()
			wanted, err := w.One(w.ctx, sv.NodeID, sv.ID)
			if err != nil {
				t.Fatal(err)
			}
			return wanted.Apply.GetSpec().GetShell()
		}
		outdated := func() bool {
			t.Helper()
			all, err := w.Outdated(w.ctx, []string{sv.ID})
			if err != nil {
				t.Fatal(err)
			}
			return all[sv.ID]
		}
		_, err = library.Update(w.ctx, w.templateID, templates.Fields{
			Startup:         new("run {{MODE}}"),
			StartupCommands: []kind.TemplateCommand{{Name: "Debug", Shell: "debug"}},
			Variables:       []kind.TemplateVariable{{Key: "MODE", Type: kind.VariableTypeString, Rules: []string{"required"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := shell(); got != "run" || !outdated() {
			t.Errorf("the server runs %q, outdated: %v", got, outdated())
		}
		if _, err := w.Update(w.ctx, servers.UpdateInput{ID: sv.ID, StartupCommand: new("Debug")}); fault.CodeOf(err) != fault.BadUserInput {
			t.Errorf("a command of the changed template: %v", err)
		}
		if _, err := w.ApplyTemplate(w.ctx, servers.ApplyTemplateInput{ServerID: sv.ID}); fault.CodeOf(err) != fault.BadUserInput {
			t.Errorf("without the new variable: %v", err)
		}
		given := servers.ApplyTemplateInput{ServerID: sv.ID, Environment: []kind.EnvVar{{Key: "MODE", Value: "fast"}}}
		if _, err := w.ApplyTemplate(w.ctx, given); err != nil {
			t.Fatal(err)
		}
		if got := shell(); got != "set -f\nrun ${MODE}" || outdated() {
			t.Errorf("the server runs %q, outdated: %v", got, outdated())
		}
		env, err := w.Environments(w.ctx, []string{sv.ID})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]kind.EnvVar{{Key: "MODE", Value: "fast"}}, env[sv.ID]); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
		if _, err := w.Update(w.ctx, servers.UpdateInput{ID: sv.ID, StartupCommand: new("Debug")}); err != nil {
			t.Error(err)
		}
		if got := shell(); got != "debug" {
			t.Errorf("the server runs %q", got)
		}
	})
}

// TestMinimum asks for less than a template needs.
func TestMinimum(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, "sqlite3"))
	library := templates.New(templates.Config{Client: w.store.Client, Logger: slog.New(slog.DiscardHandler)})
	if _, err := library.Update(w.ctx, w.templateID, templates.Fields{MinimumMemory: new(int64(100 << 20))}); err != nil {
		t.Fatal(err)
	}
	create := func(memory int64) error {
		_, err := w.Create(w.ctx, servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID, Memory: &memory})
		return err
	}
	if err := create(99 << 20); fault.CodeOf(err) != fault.BadUserInput {
		t.Errorf("too little: %v", err)
	}
	if err := create(100 << 20); err != nil {
		t.Error(err)
	}
}
