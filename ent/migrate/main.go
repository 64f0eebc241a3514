//go:build ignore

// The generator of versioned migrations, for both dialects. Run it from the root of the repository after ent was
// generated, with the URL of an empty PostgreSQL database that it may fill:
//
//	CATALYST_TEST_POSTGRES_URL=postgres://… go run -mod=mod ./ent/migrate/main.go add_user_nickname
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/catalyst-panel/catalyst/ent/migrate/plan"
)

func main() {
	postgres := flag.String("postgres", os.Getenv("CATALYST_TEST_POSTGRES_URL"), "URL of an empty PostgreSQL database")
	flag.Parse()
	if flag.NArg() != 1 || *postgres == "" {
		log.Fatal("usage: main.go [-postgres URL] NAME")
	}
	if err := run(context.Background(), *postgres, flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, postgres, name string) error {
	scratch, err := os.MkdirTemp("", "migrate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	for _, db := range []struct{ dialect, driver, dsn string }{
		{dialect.SQLite, "sqlite", "file:" + filepath.Join(scratch, "scratch.db") + "?_pragma=foreign_keys(1)"},
		{dialect.Postgres, "postgres", postgres},
	} {
		handle, err := sql.Open(db.driver, db.dsn)
		if err != nil {
			return fmt.Errorf("open %s: %w", db.dialect, err)
		}
		folder := map[string]string{dialect.SQLite: "sqlite", dialect.Postgres: "postgres"}[db.dialect]
		wrote, err := plan.Diff(ctx, entsql.OpenDB(db.dialect, handle), filepath.Join("ent/migrate/migrations", folder), name)
		if err != nil {
			return fmt.Errorf("%s: %w", db.dialect, err)
		}
		if err := handle.Close(); err != nil {
			return fmt.Errorf("close %s: %w", db.dialect, err)
		}
		fmt.Printf("%s: new migration: %t\n", db.dialect, wrote)
	}
	return nil
}
