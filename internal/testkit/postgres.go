package testkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq" // the driver "postgres"

	"github.com/catalyst-panel/catalyst/internal/store"
)

// template is the database that holds the current schema and that each test's database is a copy of.
const template = "catalyst_template"

// cluster is the PostgreSQL of this test process.
type cluster struct {
	dir string
	// stdin is held for as long as the process lives: its end makes the cluster's shell stop PostgreSQL and remove
	// the directory, even when the tests are killed.
	stdin *os.File
	next  atomic.Int64
}

var shared = sync.OnceValues(startCluster)

// Postgres returns the URL of an empty database on a private PostgreSQL that has the current schema. It is dropped
// with the test.
func Postgres(t testing.TB) string {
	t.Helper()
	return database(t, template)
}

// EmptyPostgres returns the URL of a database without any schema. It is dropped with the test.
func EmptyPostgres(t testing.TB) string {
	t.Helper()
	return database(t, "template0")
}

func database(t testing.TB, from string) string {
	t.Helper()
	c, err := shared()
	if errors.Is(err, exec.ErrNotFound) {
		Missing(t, "PostgreSQL is not installed (no initdb on the path or below /usr/lib/postgresql)")
	}
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("test_%d", c.next.Add(1))
	if err := c.exec(t.Context(), fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY file_copy", name, from)); err != nil {
		t.Fatalf("make a test's database: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if err := c.exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return c.url(name)
}

// startCluster makes and starts the cluster and fills the template.
func startCluster() (*cluster, error) {
	initdb, err := binary("initdb")
	if err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "catalyst-pg")
	if err != nil {
		return nil, err
	}
	if account != nil {
		if err := os.Chown(dir, int(account.Uid), int(account.Gid)); err != nil {
			return nil, err
		}
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	const script = `set -e
cd "$2"
"$1/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync >initdb.log 2>&1
set +e
"$1/postgres" -D data -k "$2" -c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
  -c max_connections=200 -c max_wal_size=256MB >postgres.log 2>&1 &
read -r _
kill -INT $!
wait $!
cd /
rm -rf "$2"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", filepath.Dir(initdb), dir) //nolint:noctx // lives as long as the process
	cmd.Stdin = read
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: account}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := read.Close(); err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, stdin: write}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.await(ctx); err != nil {
		return nil, err
	}
	if err := c.exec(ctx, "CREATE DATABASE "+template); err != nil {
		return nil, err
	}
	return c, store.Migrate(ctx, store.Config{URL: c.url(template), Logger: quiet()})
}

// await returns once the cluster takes connections.
func (c *cluster) await(ctx context.Context) error {
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		err := c.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			initdb, _ := os.ReadFile(filepath.Join(c.dir, "initdb.log"))
			server, _ := os.ReadFile(filepath.Join(c.dir, "postgres.log"))
			return fmt.Errorf("the cluster does not answer: %w\n%s\n%s", err, initdb, server)
		case <-retry.C:
		}
	}
}

// exec runs one statement in the cluster's own database.
func (c *cluster) exec(ctx context.Context, statement string) (err error) {
	db, err := sql.Open("postgres", c.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, statement)
	return err
}

func (c *cluster) url(name string) string {
	return "postgres://postgres@/" + name + "?host=" + c.dir + "&sslmode=disable"
}

// binary finds a program of PostgreSQL, which Debian keeps off the path.
func binary(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", exec.ErrNotFound
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}

// unprivileged returns the account that PostgreSQL runs as when the tests run as root, which it refuses to.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
