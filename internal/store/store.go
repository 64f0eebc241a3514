package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	_ "github.com/lib/pq"  // the driver "postgres"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/rule"
	_ "github.com/catalyst-panel/catalyst/ent/runtime" // the entities' defaults and policies
	"github.com/catalyst-panel/catalyst/internal/access"
)

// Config says which database to open.
type Config struct {
	// URL is sqlite://<path of a file> or postgres://….
	URL string
	// Logger is told of migrations.
	Logger *slog.Logger
	// MaxConns is the largest number of connections; 0 chooses one that suits the machine.
	MaxConns int
	// Driver, when not nil, wraps the driver that the client uses, so that a test can record statements.
	Driver func(dialect.Driver) dialect.Driver
}

// Store is an open database whose schema is up to date.
type Store struct {
	// Client is the way to the data. Its queries see what the viewer may see, its writes need a unit of work.
	Client *ent.Client
	// DB is the pool below the client, for what ent has no words for: bulk inserts, health checks, statistics.
	DB *sql.DB
	// Dialect is dialect.SQLite or dialect.Postgres.
	Dialect string
}

// Open brings the schema up to date and opens the database. The caller closes the store.
func Open(ctx context.Context, c Config) (*Store, error) {
	src, err := parse(c.URL)
	if err != nil {
		return nil, err
	}
	if err := src.prepare(); err != nil {
		return nil, err
	}
	if err := migrate(ctx, src, c.Logger); err != nil {
		return nil, err
	}
	db, err := sql.Open(src.driver, src.dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	conns := c.MaxConns
	if conns == 0 {
		conns = max(8, 4*runtime.GOMAXPROCS(0))
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("reach database: %w", err), db.Close())
	}
	rule.Install(access.Scope)
	var driver dialect.Driver = entsql.OpenDB(src.dialect, db)
	if c.Driver != nil {
		driver = c.Driver(driver)
	}
	return &Store{Client: ent.NewClient(ent.Driver(driver)), DB: db, Dialect: src.dialect}, nil
}

// Migrate brings the schema up to date without opening the database for use.
func Migrate(ctx context.Context, c Config) error {
	src, err := parse(c.URL)
	if err != nil {
		return err
	}
	if err := src.prepare(); err != nil {
		return err
	}
	return migrate(ctx, src, c.Logger)
}

// Close ends all connections.
func (s *Store) Close() error {
	if err := s.DB.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// source is a database that a URL names.
type source struct {
	dialect, driver, dsn string
	// file is the path of the database, with SQLite only.
	file string
}

// parse reads the URL of a database. Errors never repeat it, since it may hold a password.
func parse(raw string) (source, error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	switch scheme {
	case "sqlite":
		if rest == "" || rest == ":memory:" {
			return source{}, errors.New("the database URL names no file: write sqlite://<path>")
		}
		return source{
			dialect: dialect.SQLite, driver: "sqlite", file: rest,
			dsn: sqliteDSN(rest, "foreign_keys(1)"),
		}, nil
	case "postgres", "postgresql":
		u, err := url.Parse(raw)
		if err != nil {
			return source{}, errors.New("the database URL is malformed: write postgres://user:password@host/database")
		}
		q := u.Query()
		if !q.Has("timezone") {
			q.Set("timezone", "UTC")
			u.RawQuery = q.Encode()
		}
		return source{dialect: dialect.Postgres, driver: "postgres", dsn: u.String()}, nil
	default:
		return source{}, errors.New("the database URL must begin with sqlite:// or postgres://")
	}
}

// sqliteDSN returns the data source name of a SQLite file. Transactions take the write lock when they begin, so that
// writers queue instead of failing half-way. With WAL, NORMAL loses at most the last transactions in a power cut and
// never corrupts.
func sqliteDSN(path string, pragmas ...string) string {
	q := url.Values{"_txlock": {"immediate"}, "_time_format": {"sqlite"}}
	for _, p := range append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"}, pragmas...) {
		q.Add("_pragma", p)
	}
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return "file:" + escaped + "?" + q.Encode()
}

// prepare makes a SQLite file, and its directory, that nobody else may read.
func (s source) prepare() error {
	if s.file == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.file), 0o700); err != nil {
		return fmt.Errorf("make the database's directory: %w", err)
	}
	f, err := os.OpenFile(s.file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("make the database's file: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("make the database's file: %w", err)
	}
	return nil
}
