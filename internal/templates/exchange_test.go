package templates_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/templaterevision"
	"github.com/catalyst-panel/catalyst/internal/egress"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/egg"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
)

// TestImportAndExport takes an egg in, and out again in every form.
func TestImportAndExport(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("egg/testdata/eggs/egg-paper.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := egg.Import(text)
	if err != nil {
		t.Fatal(err)
	}
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		svc, ctx := service(s), testkit.System(t.Context())
		row, report, err := svc.Import(ctx, string(text))
		if err != nil || report.Format != "PLCN_v3" || report.Count(egg.Unknown) > 0 {
			t.Fatalf("%+v, %v", report, err)
		}
		if diff := cmp.Diff(want, templates.Document(s.Client.Template.GetX(ctx, row.ID)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("what is stored (-want +got):\n%s", diff)
		}
		for _, format := range []kind.TemplateFormat{kind.TemplateFormatYAML, kind.TemplateFormatJSON, kind.TemplateFormatEgg} {
			out, lost, err := svc.Export(ctx, templates.ExportInput{ID: row.ID, Format: format})
			if err != nil {
				t.Fatal(err)
			}
			again, _, err := svc.Import(ctx, out)
			if err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			ignored := cmpopts.IgnoreFields(document.Template{}, append(lostFields(lost), "Format")...)
			if diff := cmp.Diff(want, templates.Document(again), cmpopts.EquateEmpty(), ignored); diff != "" {
				t.Errorf("%s (-want +got):\n%s", format, diff)
			}
		}
		if _, _, err := svc.Import(ctx, "a: 1"); fault.CodeOf(err) != fault.BadUserInput {
			t.Errorf("a document of no known format: %v", err)
		}
		if _, _, err := svc.Export(ctx, templates.ExportInput{ID: "tmpl_01h455vb4pex5vsknk084sn02q"}); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("export of nothing: %v", err)
		}
	})
}

// lostFields are the names of Go's fields that an export has lost.
func lostFields(lost []string) []string {
	var out []string
	for _, name := range lost {
		out = append(out, strings.ToUpper(name[:1])+name[1:])
	}
	return out
}

// TestSlugsAreUnique imports the same document twice, and asks for a slug that is taken.
func TestSlugsAreUnique(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		svc, ctx := service(s), testkit.System(t.Context())
		const text = "format: catalyst-template/1\nname: a\nslug: a\nstartup: {shell: a}\n"
		first, _, err := svc.Import(ctx, text)
		if err != nil || first.Slug == nil || *first.Slug != "a" {
			t.Fatalf("%v, %v", first, err)
		}
		second, report, err := svc.Import(ctx, text)
		if err != nil || second.Slug != nil || report.Entries[len(report.Entries)-1].Outcome != egg.Ignored {
			t.Errorf("%v, %+v, %v", second, report, err)
		}
		if _, err := svc.Update(ctx, second.ID, templates.Fields{Slug: new("a")}); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("a slug that is taken: %v", err)
		}
	})
}

// TestF7ImportURL fetches documents, and tries addresses that must not be reached.
func TestF7ImportURL(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t, "sqlite3")
	mux := http.NewServeMux()
	mux.HandleFunc("/template", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "format: catalyst-template/1\nname: fetched\nstartup: {shell: a}\n")
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/template", http.StatusFound) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/inside", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://[::1]:1/", http.StatusFound)
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		for range 2 << 10 {
			fmt.Fprint(w, strings.Repeat("a", 1<<10))
		}
	})
	here := httptest.NewServer(mux)
	t.Cleanup(here.Close)
	fetching := func(allowed ...netip.Prefix) *templates.Service {
		return templates.New(templates.Config{
			Client: s.Client, Logger: slog.New(slog.DiscardHandler), HTTP: egress.Policy{Allowed: allowed}.Client(5 * time.Second),
		})
	}
	ctx := testkit.System(t.Context())
	allowed := fetching(netip.MustParsePrefix("127.0.0.0/8"))
	for _, path := range []string{"/template", "/moved"} {
		if row, _, err := allowed.ImportURL(ctx, here.URL+path); err != nil || row.Name != "fetched" {
			t.Errorf("%s: %v, %v", path, row, err)
		}
	}
	for _, path := range []string{"/loop", "/inside", "/file", "/long", "/none"} {
		if _, _, err := allowed.ImportURL(ctx, here.URL+path); fault.CodeOf(err) != fault.BadUserInput {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, url := range []string{here.URL + "/template", "http://localhost/", "ftp://example.com/", "http://u:p@example.com/", "x"} {
		if _, _, err := fetching().ImportURL(ctx, url); fault.CodeOf(err) != fault.BadUserInput {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestRevisions changes a template with and without a server that runs by it.
func TestRevisions(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		svc, ctx := service(s), testkit.System(t.Context())
		row, err := svc.Create(ctx, templates.Fields{Name: new("game"), Startup: new("./one")})
		if err != nil {
			t.Fatal(err)
		}
		change := func(in templates.Fields) *ent.Template {
			t.Helper()
			changed, err := svc.Update(ctx, row.ID, in)
			if err != nil {
				t.Fatal(err)
			}
			return changed
		}
		if got := change(templates.Fields{Name: new("Game"), Memory: new(int64(5))}); got.Revision != 1 {
			t.Errorf("a new name begins revision %d", got.Revision)
		}
		if got := change(templates.Fields{Startup: new("./two")}); got.Revision != 2 {
			t.Errorf("a new startup begins revision %d", got.Revision)
		}
		if got := change(templates.Fields{Startup: new("./two")}); got.Revision != 2 {
			t.Errorf("the same startup begins revision %d", got.Revision)
		}
		newest := s.Client.Template.GetX(ctx, row.ID)
		for revision, want := range map[int]string{1: "./one", 2: "./two"} {
			sv := &ent.Server{TemplateID: row.ID, TemplateRevision: revision}
			sv.Edges.Template = newest
			recipes, err := templates.ReadRecipes(ctx, s.Client, sv)
			if err != nil {
				t.Fatal(err)
			}
			if got := recipes.Of(sv).Startup.Shell; got != want || templates.Outdated(sv) != (revision == 1) {
				t.Errorf("revision %d starts %s, want %s", revision, got, want)
			}
		}
		// What nobody runs by is forgotten after a day.
		err = tx.Do(ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
			return x.TemplateRevision.Create().SetTemplateID(row.ID).SetRevision(100).SetDocument([]byte("{}")).
				SetReplacedAt(time.Now().Add(-48 * time.Hour)).Exec(ctx)
		})
		if err != nil {
			t.Fatal(err)
		}
		change(templates.Fields{Startup: new("./three")})
		kept := s.Client.TemplateRevision.Query().Order(templaterevision.ByRevision()).Select(templaterevision.FieldRevision).IntsX(ctx)
		if diff := cmp.Diff([]int{1, 2}, kept); diff != "" {
			t.Errorf("revisions kept (-want +got):\n%s", diff)
		}
	})
}
