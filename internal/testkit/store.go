package testkit

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"entgo.io/ent/dialect"

	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Dialects are the databases that the panel runs on.
func Dialects() []string { return []string{dialect.SQLite, dialect.Postgres} }

// Store returns an open, seeded store of a dialect that nothing else uses. It is closed with the test.
func Store(t testing.TB, d string) *store.Store {
	t.Helper()
	return Open(t, store.Config{URL: URL(t, d)})
}

// Open opens and seeds a store. It is closed with the test. A missing logger is a silent one.
func Open(t testing.TB, c store.Config) *store.Store {
	t.Helper()
	if c.Logger == nil {
		c.Logger = quiet()
	}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	if err := s.Seed(t.Context(), c.Logger); err != nil {
		t.Fatalf("seed store: %v", err)
	}
	return s
}

// URL returns the URL of a database of a dialect that has the current schema and that nothing else uses.
func URL(t testing.TB, d string) string {
	t.Helper()
	if d == dialect.Postgres {
		return Postgres(t)
	}
	image, err := sqliteImage()
	if err != nil {
		t.Fatalf("make a SQLite database: %v", err)
	}
	path := filepath.Join(t.TempDir(), "catalyst.db")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatalf("make a SQLite database: %v", err)
	}
	return "sqlite://" + path
}

// EachDialect runs f as a parallel subtest on each database.
func EachDialect(t *testing.T, f func(t *testing.T, s *store.Store)) {
	t.Helper()
	for _, d := range Dialects() {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			f(t, Store(t, d))
		})
	}
}

// System returns a context in which Catalyst itself is the viewer, to set up what a test needs.
func System(ctx context.Context) context.Context {
	return viewer.System(ctx, nil, "set up a test")
}

// sqliteImage is a SQLite file with the current schema, made once for each test process.
var sqliteImage = sync.OnceValues(func() (image []byte, err error) {
	dir, err := os.MkdirTemp("", "catalyst-sqlite")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "catalyst.db")
	if err := store.Migrate(context.Background(), store.Config{URL: "sqlite://" + path, Logger: quiet()}); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
