package templates_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/auditlog"
	"github.com/catalyst-panel/catalyst/ent/template"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

func service(s *store.Store) *templates.Service {
	return templates.New(templates.Config{Client: s.Client, Logger: slog.New(slog.DiscardHandler)})
}

// TestChangesAreOnRecord makes, changes and deletes a template, and tries what must not be.
func TestChangesAreOnRecord(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		svc, ctx := service(s), testkit.System(t.Context())
		made, err := svc.Create(ctx, templates.Fields{Name: new("game"), Startup: new("./game")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := svc.Update(ctx, made.ID, templates.Fields{StopGrace: new(20)}); err != nil {
			t.Error(err)
		}
		for name, tt := range map[string]struct {
			err  error
			want fault.Code
		}{
			"no startup left": {second(svc.Update(ctx, made.ID, templates.Fields{Startup: new(" ")})), fault.BadUserInput},
			"no name left":    {second(svc.Update(ctx, made.ID, templates.Fields{Name: new("")})), fault.BadUserInput},
			"no name":         {second(svc.Create(ctx, templates.Fields{Startup: new("x")})), fault.BadUserInput},
			"no startup":      {second(svc.Create(ctx, templates.Fields{Name: new("x")})), fault.BadUserInput},
			"unknown":         {second(svc.Update(ctx, "tmpl_01h455vb4pex5vsknk084sn02q", templates.Fields{})), fault.NotFound},
		} {
			if fault.CodeOf(tt.err) != tt.want {
				t.Errorf("%s: %v", name, tt.err)
			}
		}
		if got := s.Client.Template.GetX(ctx, made.ID); got.Startup != "./game" || got.Name != "game" || got.StopGrace != 20 {
			t.Errorf("the template is %v", got)
		}
		var reading string
		err = tx.Do(ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
			reading = x.User.Create().SetEmail("r@example.com").SetUsername("r").SetUsernameKey("r").SetPasswordHash("-").SaveX(ctx).ID
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		reader := viewer.NewContext(t.Context(), &viewer.Viewer{UserID: reading, Permissions: []string{"template.read"}})
		if err := svc.Delete(reader, made.ID); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("deleted without the permission: %v", err)
		}
		if err := svc.Delete(ctx, made.ID); err != nil {
			t.Error(err)
		}
		deeds := s.Client.AuditLog.Query().Where(auditlog.TargetID(made.ID)).Order(auditlog.ByCreatedAt(), auditlog.ByID()).
			Select(auditlog.FieldAction).StringsX(ctx)
		want := []string{"template.create", "template.update", "template.delete", "template.delete"}
		if !slices.Equal(deeds, want) {
			t.Errorf("the trail says %v, want %v", deeds, want)
		}
	})
}

func second(_ *ent.Template, err error) error { return err }

// TestOneDemo starts several instances on a new database at once.
func TestOneDemo(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := service(s).EnsureStarters(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := s.Client.Template.Query().Where(template.Name("Demo")).CountX(testkit.System(t.Context())); n != 1 {
			t.Errorf("%d Demo templates", n)
		}
		sys := testkit.System(t.Context())
		if n := s.Client.Template.Query().CountX(sys); n != 4 {
			t.Errorf("%d templates, want 4", n)
		}
		for _, row := range s.Client.Template.Query().AllX(sys) {
			if err := templates.Document(row).Validate(); err != nil {
				t.Errorf("%s: %v", row.Name, err)
			}
			if row.Name == "Freeciv" {
				if err := service(s).Delete(sys, row.ID); err != nil {
					t.Error(err)
				}
			}
		}
		if err := service(s).EnsureStarters(t.Context()); err != nil {
			t.Error(err)
		}
		if n := s.Client.Template.Query().CountX(sys); n != 3 {
			t.Errorf("%d templates after one was deleted, want 3", n)
		}
	})
}
