package e2e

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	_ "github.com/lib/pq" // the yardstick reads the same database

	"github.com/catalyst-panel/catalyst/test/harness"
)

const (
	// callers are how many requests are under way at once, and measured how long each side is measured, several times in
	// turn, since the machine is not always equally fast.
	callers  = 4
	measured = 2 * time.Second
	turns    = 4
)

// BenchmarkThroughput compares the API with what is written by hand for one answer alone: a handler with one statement, or
// one that checks the same token. Both answer the same bytes to the same clients, on the same PostgreSQL.
func BenchmarkThroughput(b *testing.B) {
	url := postgres(b)
	w := &world{tb: b, dir: harness.DataDir(b, nil), addr: harness.FreeAddr(b), env: []string{"CATALYST_DATABASE_URL=" + url, "CATALYST_LOG_LEVEL=warn"}}
	w.nodeDir = w.dir
	w.startDev()
	w.admin = w.panel.Admin()
	w.awaitOnline(true)
	w.admin.Run(`mutation($id: ID!) { updateNode(input: {id: $id, memoryLimit: 0, cpuLimit: 0, diskLimit: 0}) { node { id } } }`,
		vars{"id": w.nodeID}, nil)
	for i := range 50 {
		w.create(fmt.Sprintf("server %d", i), w.demo())
	}
	db, err := sql.Open("postgres", url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	for _, tt := range []struct {
		name, query string
		yardstick   http.Handler
		least       float64
	}{
		{"servers", `{ servers(first: 50) { edges { node { id name state node { id name } template { id name } } } } }`, listServers(db), 0.20},
		{"viewer", `{ viewer { user { id username } } }`, checkToken(b, db), 0.40},
	} {
		b.Run(tt.name, func(b *testing.B) {
			bare := httptest.NewServer(tt.yardstick)
			b.Cleanup(bare.Close)
			body, err := json.Marshal(map[string]string{"query": tt.query})
			if err != nil {
				b.Fatal(err)
			}
			var ours, theirs int
			for b.Loop() {
				for range turns {
					ours += hammer(b, w.panel.URL+"/graphql", w.admin.Token, body)
					theirs += hammer(b, bare.URL, w.admin.Token, body)
				}
			}
			ratio := float64(ours) / float64(theirs)
			b.ReportMetric(ratio*100, "%-of-yardstick")
			b.ReportMetric(float64(ours)/(measured.Seconds()*turns), "requests/s")
			b.ReportMetric(float64(theirs)/(measured.Seconds()*turns), "yardstick/s")
			if ratio < tt.least {
				b.Errorf("%.0f %% of the yardstick, %.0f %% are promised", 100*ratio, 100*tt.least)
			}
		})
	}
}

// hammer returns how many requests were answered in the measured time.
func hammer(b *testing.B, url, token string, body []byte) int {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	ctx, cancel := context.WithTimeout(b.Context(), measured)
	defer cancel()
	var answered atomic.Int64
	var running sync.WaitGroup
	for range callers {
		running.Go(func() {
			for ctx.Err() == nil {
				if ask(ctx, client, url, token, body) {
					answered.Add(1)
				} else if ctx.Err() == nil {
					b.Error("a request failed")
					return
				}
			}
		})
	}
	running.Wait()
	return int(answered.Load())
}

func ask(ctx context.Context, client *http.Client, url, token string, body []byte) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK && bytes.HasPrefix(answer, []byte(`{"data":{`))
}

// named is something with an id and a name.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// listed is a server as both sides answer it.
type listed struct {
	named
	State    string `json:"state"`
	Node     named  `json:"node"`
	Template named  `json:"template"`
}

// listServers answers the 50 servers with one statement.
func listServers(db *sql.DB) http.Handler {
	const statement = `SELECT s.id, s.name, s.state, n.id, n.name, t.id, t.name FROM servers s
		JOIN nodes n ON n.id = s.node_id JOIN templates t ON t.id = s.template_id
		WHERE s.deleted_at IS NULL ORDER BY s.id LIMIT 50`
	type edge struct {
		Node listed `json:"node"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Query string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		rows, err := db.QueryContext(r.Context(), statement)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer rows.Close()
		var edges []edge
		for rows.Next() {
			var l listed
			if err := rows.Scan(&l.ID, &l.Name, &l.State, &l.Node.ID, &l.Node.Name, &l.Template.ID, &l.Template.Name); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			edges = append(edges, edge{l})
		}
		if err := rows.Err(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"servers": map[string]any{"edges": edges}}})
	})
}

// checkToken verifies the same kind of token, reads who called, and answers that.
func checkToken(b *testing.B, db *sql.DB) http.Handler {
	b.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	claims := jwt.RegisteredClaims{Subject: "admin", Audience: jwt.ClaimStrings{"a"}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims).SignedString(private)
	if err != nil {
		b.Fatal(err)
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var asked struct{ Query string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			http.Error(rw, "no", http.StatusBadRequest)
			return
		}
		var got jwt.RegisteredClaims
		if _, err := jwt.ParseWithClaims(signed, &got, func(*jwt.Token) (any, error) { return public, nil }, jwt.WithAudience("a")); err != nil {
			http.Error(rw, err.Error(), http.StatusUnauthorized)
			return
		}
		var user struct {
			ID       string `json:"id"`
			Username string `json:"username"`
		}
		if err := db.QueryRowContext(r.Context(), `SELECT id, username FROM users WHERE username = $1`, got.Subject).Scan(&user.ID, &user.Username); err != nil {
			http.Error(rw, err.Error(), http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(rw).Encode(map[string]any{"data": map[string]any{"viewer": map[string]any{"user": user}}})
	})
}
