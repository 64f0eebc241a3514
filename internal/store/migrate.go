package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"entgo.io/ent/dialect"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"golang.org/x/sys/unix"

	"github.com/catalyst-panel/catalyst/ent/migrate/migrations"
)

// migrate applies the migrations that the database lacks, on a handle of its own and under a lock.
func migrate(ctx context.Context, src source, log *slog.Logger) (err error) {
	if src.dialect == dialect.SQLite {
		unlock, lerr := lockFile(ctx, src.file+".migrate.lock")
		if lerr != nil {
			return fmt.Errorf("lock the database for migration: %w", lerr)
		}
		defer unlock()
		// Rebuilding a table drops the old one, which would cascade into its children. The pragma has no effect
		// inside goose's transactions, so the connection begins with it.
		src.dsn = sqliteDSN(src.file, "foreign_keys(0)")
	}
	db, err := sql.Open(src.driver, src.dsn)
	if err != nil {
		return fmt.Errorf("open database for migration: %w", err)
	}
	defer func() {
		if cerr := db.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("close database after migration: %w", cerr))
		}
	}()
	if src.dialect == dialect.SQLite {
		db.SetMaxOpenConns(1)
	}
	p, err := provider(src.dialect, db)
	if err != nil {
		return err
	}
	if err := refuseNewer(ctx, p); err != nil {
		return err
	}
	results, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	for _, r := range results {
		log.InfoContext(ctx, "database migrated",
			slog.String("migration", r.Source.Path), slog.Duration("duration", r.Duration))
	}
	if src.dialect == dialect.SQLite && len(results) > 0 {
		return checkForeignKeys(ctx, db)
	}
	return nil
}

// provider returns goose with the migrations of the dialect.
func provider(d string, db *sql.DB) (*goose.Provider, error) {
	var (
		gd   = goose.DialectSQLite3
		all  fs.FS
		opts []goose.ProviderOption
		err  error
	)
	switch d {
	case dialect.SQLite:
		all, err = fs.Sub(migrations.SQLite, "sqlite")
	case dialect.Postgres:
		gd = goose.DialectPostgres
		all, err = fs.Sub(migrations.Postgres, "postgres")
		if err == nil {
			var locker lock.SessionLocker
			locker, err = lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
			opts = append(opts, goose.WithSessionLocker(locker))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("prepare migrations: %w", err)
	}
	p, err := goose.NewProvider(gd, db, all, opts...)
	if err != nil {
		return nil, fmt.Errorf("prepare migrations: %w", err)
	}
	return p, nil
}

// refuseNewer fails for a database that a newer Catalyst has migrated: migrations only go forward.
func refuseNewer(ctx context.Context, p *goose.Provider) error {
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the database's version: %w", err)
	}
	sources := p.ListSources()
	if known := sources[len(sources)-1].Version; have > known {
		return fmt.Errorf("the database (version %d) was migrated by a newer Catalyst than this one (version %d): "+
			"install that version or restore a backup from before", have, known)
	}
	return nil
}

// checkForeignKeys fails when a migration left a row whose parent is gone.
func checkForeignKeys(ctx context.Context, db *sql.DB) (err error) {
	rows, err := db.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return fmt.Errorf("check foreign keys: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if rows.Next() {
		var (
			table, parent string
			rowid         sql.NullInt64
			key           int
		)
		if err := rows.Scan(&table, &rowid, &parent, &key); err != nil {
			return fmt.Errorf("check foreign keys: %w", err)
		}
		return fmt.Errorf("the migration left rows of %s without their %s", table, parent)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("check foreign keys: %w", err)
	}
	return nil
}

// lockFile takes an exclusive lock on a file and waits for it as long as ctx allows. The lock ends with the process,
// however that ends.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing gives the lock back; nothing was written
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-retry.C:
		}
	}
}
