package telemetry_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/telemetry"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

func page(t *testing.T, token string, inventory func(context.Context) (telemetry.Inventory, error)) *telemetry.Telemetry {
	t.Helper()
	return telemetry.New(telemetry.Config{
		Version: "v1", DB: testkit.Store(t, testkit.Dialects()[0]).DB, Logger: slog.New(slog.DiscardHandler), Token: token,
		Bus: func() bus.Stats { return bus.Stats{Published: 7} }, Connections: func() int { return 3 }, Inventory: inventory,
		Links: func() int { return 4 }, Subscriptions: func() map[string]int { return map[string]int{"console": 6} },
	})
}

func stock(context.Context) (telemetry.Inventory, error) {
	return telemetry.Inventory{Servers: map[string]int{"RUNNING": 2}, Nodes: 3, Offline: 1, Users: 5, TasksOverdue: 8, TaskRuns: map[string]int{"FAILED": 9}}, nil
}

// get asks for the page as a peer would.
func get(t *testing.T, page http.Handler, peer string, header map[string]string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	r.RemoteAddr = peer
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestPage(t *testing.T) {
	t.Parallel()
	p := page(t, "", stock)
	p.Request("/graphql", "POST", 200, 3*time.Millisecond)
	p.Operation("query", "servers", "", time.Millisecond)
	p.Operation("mutation", "login", "RATE_LIMITED", time.Millisecond)
	_, text := get(t, p, "127.0.0.1:1", nil)
	for _, want := range []string{
		`catalyst_http_request_duration_seconds_count{method="POST",route="/graphql",status="200"} 1`,
		`catalyst_graphql_operation_duration_seconds_count{code="OK",field="servers",type="query"} 1`,
		`catalyst_graphql_operation_duration_seconds_count{code="RATE_LIMITED",field="login",type="mutation"} 1`,
		`catalyst_servers{state="RUNNING"} 2`, `catalyst_nodes{online="false"} 1`, `catalyst_nodes{online="true"} 2`, `catalyst_users 5`,
		`catalyst_connections 3`, `catalyst_links 4`, `catalyst_subscriptions{field="console"} 6`, `catalyst_tasks_overdue 8`, `catalyst_task_runs{state="FAILED"} 9`, `catalyst_bus_published_total 7`, `catalyst_build_info{version="v1"} 1`, `go_sql_open_connections{db_name="catalyst"}`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestWhoSeesThePage(t *testing.T) {
	t.Parallel()
	open, secret := page(t, "", stock), page(t, "letmein", stock)
	for name, tt := range map[string]struct {
		page   http.Handler
		peer   string
		header map[string]string
		want   int
	}{
		"this machine":               {open, "127.0.0.1:1", nil, 200},
		"this machine, IPv6":         {open, "[::1]:1", nil, 200},
		"another machine":            {open, "203.0.113.7:1", nil, 403},
		"a proxy on this machine":    {open, "127.0.0.1:1", map[string]string{"X-Forwarded-For": "203.0.113.7"}, 403},
		"with the token":             {secret, "203.0.113.7:1", map[string]string{"Authorization": "Bearer letmein"}, 200},
		"with another token":         {secret, "203.0.113.7:1", map[string]string{"Authorization": "Bearer guess"}, 403},
		"this machine without token": {secret, "127.0.0.1:1", nil, 403},
	} {
		if got, _ := get(t, tt.page, tt.peer, tt.header); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// TestWithoutDatabase shows what there is.
func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	p := page(t, "", func(context.Context) (telemetry.Inventory, error) { return telemetry.Inventory{}, errors.New("away") })
	if code, text := get(t, p, "127.0.0.1:1", nil); code != 200 || !strings.Contains(text, "catalyst_connections 3") {
		t.Errorf("%d %s", code, text)
	}
}
