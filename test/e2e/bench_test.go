package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the yardstick reads a database, too

	"github.com/catalyst-panel/catalyst/test/harness"
)

// BenchmarkCommand measures from sending a command to the program's answer on the subscription.
func BenchmarkCommand(b *testing.B) {
	w, id := benchWorld(b)
	lines := w.admin.Console(id, "0")
	lines.Await(soon, "STDOUT", "ready")
	n := 0
	measure(b, func() {
		n++
		w.command(id, fmt.Sprint("say ", n))
		lines.Await(soon, "STDOUT", fmt.Sprint("you said: ", n))
	})
}

// BenchmarkQuery measures what a frontend asks most, beside a bare handler that reads one row.
func BenchmarkQuery(b *testing.B) {
	w, id := benchWorld(b)
	for name, query := range map[string]string{
		"viewer":  `{ viewer { user { id username } roles { edges { node { name } } } permissions } }`,
		"server":  `{ server(id: "` + id + `") { id name state crashCount node { name } template { name } } }`,
		"servers": `{ servers(first: 25) { totalCount edges { node { id name state } } } }`,
	} {
		b.Run(name, func(b *testing.B) {
			measure(b, func() { w.admin.Run(query, nil, nil) })
		})
	}
	b.Run("yardstick", func(b *testing.B) {
		url := yardstick(b)
		measure(b, func() {
			resp, err := http.Get(url)
			if err != nil {
				b.Fatal(err)
			}
			if err := resp.Body.Close(); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// benchWorld is an all-in-one with one running server.
func benchWorld(b *testing.B) (*world, string) {
	b.Helper()
	w := &world{tb: b, dir: harness.DataDir(b, nil), addr: harness.FreeAddr(b)}
	w.nodeDir = w.dir
	w.startDev()
	w.admin = w.panel.Admin()
	w.awaitOnline(true)
	return w, w.running("measured")
}

// measure reports the median and the 99th percentile of f.
func measure(b *testing.B, f func()) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		f()
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// yardstick serves one row of an SQLite file by hand.
func yardstick(b *testing.B) string {
	b.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "y.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(b.Context(), `CREATE TABLE t (id TEXT, name TEXT); INSERT INTO t VALUES ('1', 'one')`); err != nil {
		b.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var row struct{ ID, Name string }
		if err := db.QueryRowContext(r.Context(), `SELECT id, name FROM t`).Scan(&row.ID, &row.Name); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(row)
	}))
	b.Cleanup(s.Close)
	return s.URL
}
