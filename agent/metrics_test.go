package agent_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

func TestMetrics(t *testing.T) {
	p := newPanel(t)
	n := newNode(t, p)
	n.config.MetricsToken = "scraper"
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.config.Metrics = listener
	n.start()
	l := p.link()
	id := kind.NewID(kind.PrefixServer)
	apply(t, l, id, 1, protocol.Power_POWER_RUN, 1)
	states(t, followEvents(t, l, 0), "RUNNING") // none of them is acknowledged

	status, page := scrape(t, listener, "")
	if status != http.StatusForbidden || strings.Contains(page, "catalyst") {
		t.Errorf("without the token: %d\n%s", status, page)
	}
	status, page = scrape(t, listener, "scraper")
	equal(t, "status", http.StatusOK, status)
	for _, want := range []string{
		`catalyst_agent_servers{state="RUNNING"} 1`, `catalyst_agent_servers{state="CRASHED"} 0`, "catalyst_agent_link_connected 1",
		"catalyst_agent_link_connections_total 1", "catalyst_agent_events_waiting 2", "catalyst_agent_events_dropped_total 0",
		`catalyst_agent_build_info{runtime="fake",version="test"} 1`, "catalyst_agent_node_memory_limit_bytes", "go_goroutines",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, id) {
		t.Error("the page names a server")
	}
	l.cut()
}

func scrape(t *testing.T, at net.Listener, token string) (status int, page string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at.Addr().String()+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestMetricsForEverybody are refused; the servers run without them.
func TestMetricsForEverybody(t *testing.T) {
	p := newPanel(t)
	n := newNode(t, p)
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	n.config.Metrics = listener
	n.start()
	p.link().cut()
	for begun := time.Now(); ; {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			return
		}
		if err := conn.Close(); err != nil || time.Since(begun) > 10*time.Second {
			t.Fatal("somebody answers", err)
		}
	}
}
