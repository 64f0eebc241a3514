package api_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"entgo.io/ent/dialect"
	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

var update = flag.Bool("update", false, "write the lists of statements anew")

// recorder is a driver that notes the statements that go through it.
type recorder struct {
	dialect.Driver

	mu   sync.Mutex
	list []string
}

// Query notes a query.
func (r *recorder) Query(ctx context.Context, query string, args, v any) error {
	r.note(query)
	return r.Driver.Query(ctx, query, args, v)
}

// Exec notes a write outside of a transaction.
func (r *recorder) Exec(ctx context.Context, query string, args, v any) error {
	r.note(query)
	return r.Driver.Exec(ctx, query, args, v)
}

var placeholder = regexp.MustCompile(`\$\d+`)

// note keeps a statement in a form that both databases share.
func (r *recorder) note(query string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	query = placeholder.ReplaceAllString(query, "?")
	r.list = append(r.list, strings.NewReplacer("`", "", `"`, "").Replace(query))
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// frontend is what the pages of a frontend ask for, and how many statements each may cost at most.
var frontend = []struct {
	name   string
	budget int
	query  string
}{
	{"viewer", 2, `{ viewer { user { id username email } permissions } }`},
	{"viewer_credentials", 5, `{ viewer { apiKeys { edges { node { id name } } } sessions { edges { node { id } } } sshKeys { edges { node { id } } } } }`},
	{"dashboard", 10, `{ servers(first: 100) { edges { node { id name state owner { username } node { name } template { name }
		allocations(first: 5) { edges { node { ip port primary } } } backups(last: 1) { edges { node { id state } } } } } } }`},
	{"servers_page", 3, `{ servers(first: 25) { totalCount pageInfo { hasNextPage endCursor } edges { node { id name state } } } }`},
	{"servers_names", 1, `{ servers(first: 25) { edges { node { id name } } } }`},
	{"servers_of_a_state", 1, `{ servers(where: {state: RUNNING}, orderBy: {field: NAME, direction: ASC}) { edges { node { id } } } }`},
	{"server", 6, `{ server(id: "$Server") { id name state memory cpu disk owner { username } node { name online } template { name }
		allocations { edges { node { ip port } } } } }`},
	{"server_environment", 4, `{ server(id: "$Server") { environment { key value } } }`},
	{"server_accesses", 3, `{ server(id: "$Server") { accesses { edges { node { permissions user { username } } } } } }`},
	{"server_backups", 2, `{ server(id: "$Server") { backups(first: 10) { edges { node { id name state } } } } }`},
	{"server_tasks", 3, `{ server(id: "$Server") { tasks { edges { node { id name runs(last: 1) { edges { node { state } } } } } } } }`},
	{"server_alerts", 2, `{ server(id: "$Server") { alerts(first: 10) { edges { node { id title } } } } }`},
	{"nodes", 3, `{ hostNodes { edges { node { id name online location { name } usage { cpuPercent } } } } }`},
	{"nodes_allocated", 4, `{ hostNodes { edges { node { id allocated { memory cpu disk } } } } }`},
	{"node", 3, `{ hostNode(id: "$HostNode") { name system { os arch } servers(first: 10) { edges { node { id name } } } } }`},
	{"allocations", 2, `{ allocations(first: 50) { edges { node { ip port server { name } } } } }`},
	{"templates", 1, `{ templates { edges { node { id name variables { key } } } } }`},
	{"users", 2, `{ users { edges { node { id username roles { edges { node { name } } } } } } }`},
	{"roles", 1, `{ roles { edges { node { id name permissions } } } }`},
	{"audit", 2, `{ auditLogs(first: 50) { edges { node { action actorName createdAt actor { username } } } } }`},
	{"relay_node", 2, `{ node(id: "$Server") { id ... on Server { name } } }`},
}

// TestStatements is abuse case G8: it holds each operation to the list of statements in testdata, and to its budget, however many rows there
// are.
func TestStatements(t *testing.T) {
	t.Parallel()
	for _, d := range testkit.Dialects() {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			r := &recorder{}
			db := testkit.Open(t, store.Config{URL: testkit.URL(t, d), Driver: func(driver dialect.Driver) dialect.Driver {
				r.Driver = driver
				return r
			}})
			w := newTenancy(t, db)
			w.crowd(100)
			for _, page := range frontend {
				w.statements(t, r, page.name, page.budget, page.query)
			}
		})
	}
}

// TestBatches holds what is no column to a budget, whatever number of servers it is asked of: how many of them come
// together depends on how busy the machine is, so there is no exact list.
func TestBatches(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	db := testkit.Open(t, store.Config{URL: testkit.URL(t, testkit.Dialects()[0]), Driver: func(driver dialect.Driver) dialect.Driver {
		r.Driver = driver
		return r
	}})
	w := newTenancy(t, db)
	w.crowd(100)
	const query = `{ servers(first: 100) { edges { node { id environment { key value } templateOutdated stats { cpuPercent } } } } }`
	for range 2 { // the first one fills what is remembered of the caller
		r.take()
		if got := w.Post(w.owner, query, nil); got.Code() != "" || strings.Count(got.Text, `"stats"`) != 100 {
			t.Fatal(got.Text)
		}
	}
	if list := r.take(); len(list) > 15 {
		t.Errorf("%d statements for 100 servers:\n%s", len(list), strings.Join(list, "\n"))
	}
}

// crowd adds servers like the owner's.
func (w *tenancy) crowd(n int) {
	w.Write(func(ctx context.Context, x *ent.Tx) error {
		for i := range n {
			sv := x.Server.Create().SetName(fmt.Sprint("server ", i)).SetOwnerID(w.owner.User.ID).SetNodeID(w.ids["HostNode"]).
				SetTemplateID(w.ids["Template"]).SetState(kind.ServerStateRunning).SaveX(ctx)
			x.Allocation.Create().SetIP("192.0.2.2").SetPort(20000 + i).SetNodeID(w.ids["HostNode"]).SetServer(sv).SetPrimary(true).ExecX(ctx)
			x.Backup.Create().SetServer(sv).SetName("b").ExecX(ctx)
		}
		return nil
	})
}

func (w *tenancy) statements(t *testing.T, r *recorder, name string, budget int, query string) {
	t.Helper()
	for kind, id := range w.ids {
		query = strings.ReplaceAll(query, `"$`+kind+`"`, `"`+id+`"`)
	}
	for range 2 { // the first one fills what is remembered of the caller
		r.take()
		if got := w.Post(w.owner, query, nil); got.Code() != "" {
			t.Errorf("%s: %s", name, got.Text)
			return
		}
	}
	list := r.take()
	if len(list) > budget {
		t.Errorf("%s took %d statements, want %d at the most:\n%s", name, len(list), budget, strings.Join(list, "\n"))
	}
	path := filepath.Join("testdata", "statements", name+".sql")
	text := strings.Join(list, ";\n") + ";\n"
	if *update {
		w.Must(os.WriteFile(path, []byte(text), 0o600))
		return
	}
	want, err := os.ReadFile(path)
	w.Must(err)
	if diff := cmp.Diff(sorted(string(want)), sorted(text)); diff != "" {
		t.Errorf("%s: the statements have changed; if that is meant, run go test ./test/api -run TestStatements -update (-want +got):\n%s", name, diff)
	}
}

// sorted splits a list into its statements, in an order that does not depend on which of two ran first.
func sorted(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return lines
}
