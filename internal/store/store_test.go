package store_test

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/catalyst-panel/catalyst/ent/migrate/plan"
	"github.com/catalyst-panel/catalyst/ent/role"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

func TestOpenRefusesURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "mysql://x", "sqlite://", "sqlite://:memory:", "catalyst.db", "postgres://%zz"} {
		if _, err := store.Open(t.Context(), store.Config{URL: url, Logger: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("Open(%q) succeeded, want an error", url)
		}
	}
}

func TestSQLitePathsAndPragmas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b", "odd?name#100%.db")
	s := testkit.Open(t, store.Config{URL: "sqlite://" + path})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatalf("the file that the URL names: %v", err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode of the file = %o, want 600", got)
	}
	for pragma, want := range map[string]string{
		"foreign_keys": "1", "journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000",
	} {
		var got string
		if err := s.DB.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
			t.Fatalf("read %s: %v", pragma, err)
		}
		if got != want {
			t.Errorf("%s = %s, want %s", pragma, got, want)
		}
	}
}

// Several processes may start on one database at once; every migration is applied once.
func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	urls := map[string]func(testing.TB) string{
		dialect.SQLite:   func(t testing.TB) string { return "sqlite://" + filepath.Join(t.TempDir(), "catalyst.db") },
		dialect.Postgres: testkit.EmptyPostgres,
	}
	for d, url := range urls {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			c := store.Config{URL: url(t), Logger: slog.New(slog.DiscardHandler)}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if err := store.Migrate(t.Context(), c); err != nil {
						t.Errorf("Migrate: %v", err)
					}
				})
			}
			wg.Wait()
			s := testkit.Open(t, c)
			var twice int
			err := s.DB.QueryRowContext(t.Context(),
				"SELECT count(*) FROM (SELECT version_id FROM goose_db_version GROUP BY version_id HAVING count(*) > 1) v").Scan(&twice)
			if err != nil || twice != 0 {
				t.Errorf("migrations applied twice = %d, %v; want 0", twice, err)
			}
		})
	}
}

func TestRefusesNewerDatabase(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		if _, err := s.DB.ExecContext(t.Context(),
			"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99990101000000, true)"); err != nil {
			t.Fatal(err)
		}
		// The store of the test and the one that is opened again name the same database.
		var url string
		if s.Dialect == dialect.SQLite {
			var seq, name string
			if err := s.DB.QueryRowContext(t.Context(), "PRAGMA database_list").Scan(&seq, &name, &url); err != nil {
				t.Fatal(err)
			}
			url = "sqlite://" + url
		} else {
			var name, dir string
			if err := s.DB.QueryRowContext(t.Context(),
				"SELECT current_database(), current_setting('unix_socket_directories')").Scan(&name, &dir); err != nil {
				t.Fatal(err)
			}
			url = "postgres://postgres@/" + name + "?sslmode=disable&host=" + dir
		}
		if err := store.Migrate(t.Context(), store.Config{URL: url, Logger: slog.New(slog.DiscardHandler)}); err == nil {
			t.Error("Migrate of a newer database succeeded, want an error")
		}
	})
}

// What the migrations make is what ent declares: replaying them leaves nothing to write.
func TestMigrationsAreComplete(t *testing.T) {
	t.Parallel()
	for _, d := range []struct {
		dialect, driver, folder string
		dsn                     func(testing.TB) string
	}{
		{dialect.SQLite, "sqlite", "sqlite", func(t testing.TB) string {
			return "file:" + filepath.Join(t.TempDir(), "scratch.db") + "?_pragma=foreign_keys(1)"
		}},
		{dialect.Postgres, "postgres", "postgres", testkit.EmptyPostgres},
	} {
		t.Run(d.dialect, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "ent", "migrate", "migrations", d.folder))); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open(d.driver, d.dsn(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			more, err := plan.Diff(t.Context(), entsql.OpenDB(d.dialect, db), dir, "missing")
			if err != nil {
				t.Fatalf("compare: %v", err)
			}
			if more {
				t.Error("the schema has more than its migrations: run ent/migrate/main.go")
			}
		})
	}
}

func TestSeedIsIdempotent(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		ctx := testkit.System(t.Context())
		before := s.Client.Role.Query().Where(role.Name(store.RoleAdmin)).OnlyX(ctx)
		if err := s.Seed(t.Context(), nil); err != nil {
			t.Fatalf("Seed again: %v", err)
		}
		after := s.Client.Role.Query().Where(role.Name(store.RoleAdmin)).OnlyX(ctx)
		if after.ID != before.ID || len(after.Permissions) != 1 || after.Permissions[0] != "*" || !after.Builtin {
			t.Errorf("the role admin is %v after seeding again, want it as it was: %v", after, before)
		}
		if n := s.Client.Role.Query().CountX(ctx); n != 2 {
			t.Errorf("roles = %d, want 2", n)
		}
	})
}
