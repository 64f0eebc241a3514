package httpd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/internal/httpd"
	"github.com/catalyst-panel/catalyst/internal/request"
)

func quietLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// echo answers what the edge found out about the request.
func echo(w http.ResponseWriter, r *http.Request) {
	info := request.FromContext(r.Context())
	_ = json.NewEncoder(w).Encode(map[string]string{"id": info.ID, "ip": info.IP.String(), "agent": info.UserAgent})
}

func newEdge(t *testing.T, change func(*httpd.Config)) http.Handler {
	t.Helper()
	c := httpd.Config{GraphQL: http.HandlerFunc(echo), Agent: http.HandlerFunc(echo), GraphiQL: true, Logger: quietLogger()}
	if change != nil {
		change(&c)
	}
	s, err := httpd.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s.Handler()
}

func ask(h http.Handler, method, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "192.0.2.1:1234"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func header(pairs ...string) func(*http.Request) {
	return func(r *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			r.Header.Add(pairs[i], pairs[i+1])
		}
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	edge := newEdge(t, func(c *httpd.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "192.0.2.1:1", nil, "192.0.2.1"},
		{"a claim without a proxy", "192.0.2.1:1", []string{"198.51.100.1"}, "192.0.2.1"},
		{"through a proxy", "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"through two proxies", "10.0.0.1:1", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"two header lines", "10.0.0.1:1", []string{"198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"a claim before the proxy's word", "10.0.0.1:1", []string{"127.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		{"rubbish before the proxy's word", "10.0.0.1:1", []string{"<script>, 198.51.100.1"}, "198.51.100.1"},
		{"rubbish only", "10.0.0.1:1", []string{"unknown"}, "10.0.0.1"},
		{"a port", "10.0.0.1:1", []string{"198.51.100.1:99"}, "198.51.100.1"},
		{"IPv6 with a port", "[fd00::1]:1", []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		{"IPv6", "[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"a mapped peer", "[::ffff:10.0.0.1]:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a proxy without the header", "10.0.0.1:1", nil, "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := ask(edge, http.MethodPost, "/graphql", func(r *http.Request) {
				r.RemoteAddr = c.peer
				for _, value := range c.forwarded {
					r.Header.Add("X-Forwarded-For", value)
				}
			})
			var got map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("answer %q: %v", w.Body, err)
			}
			if got["ip"] != c.want {
				t.Errorf("the client is %s, want %s", got["ip"], c.want)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	edge := newEdge(t, func(c *httpd.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, c := range []struct {
		name, peer, sent string
		kept             bool
	}{
		{"none", "192.0.2.1:1", "", false},
		{"a stranger's", "192.0.2.1:1", "mine", false},
		{"a proxy's", "10.0.0.1:1", "from-the.proxy_1", true},
		{"a proxy's, with a newline", "10.0.0.1:1", "a\nb", false},
		{"a proxy's, too long", "10.0.0.1:1", strings.Repeat("a", 65), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := ask(edge, http.MethodPost, "/graphql", func(r *http.Request) {
				r.RemoteAddr = c.peer
				r.Header.Set("X-Request-Id", c.sent)
			})
			got := w.Header().Get("X-Request-Id")
			if got == "" || (got == c.sent) != c.kept {
				t.Errorf("sent %q, got %q", c.sent, got)
			}
			if !strings.Contains(w.Body.String(), `"id":"`+got+`"`) {
				t.Errorf("the handler saw another id than %q: %s", got, w.Body)
			}
		})
	}
	if a, b := ask(edge, "GET", "/healthz", nil), ask(edge, "GET", "/healthz", nil); a.Header().Get("X-Request-Id") == b.Header().Get("X-Request-Id") {
		t.Error("two requests have the same id")
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	edge := newEdge(t, func(c *httpd.Config) { c.AllowedOrigins = []string{"https://Panel.example.com/"} })
	for _, c := range []struct {
		origin string
		want   int
	}{
		{"", 200},
		{"http://example.com", 200}, // httptest's host
		{"https://example.com", 200},
		{"https://panel.example.com", 200},
		{"http://panel.example.com", 403},
		{"https://panel.example.com.evil.test", 403},
		{"https://evil.test", 403},
		{"http://example.com:8080", 403},
		{"null", 403},
		{"file://", 403},
		{"%zz", 403},
	} {
		w := ask(edge, http.MethodPost, "/graphql", func(r *http.Request) {
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
		})
		if w.Code != c.want {
			t.Errorf("origin %q: %d, want %d", c.origin, w.Code, c.want)
		}
		if allowed := w.Header().Get("Access-Control-Allow-Origin"); c.want == 403 && allowed != "" {
			t.Errorf("origin %q is refused, but allowed to read the answer: %q", c.origin, allowed)
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("origin %q may send cookies", c.origin)
		}
	}
	if _, err := httpd.New(httpd.Config{Logger: quietLogger(), AllowedOrigins: []string{"panel.example.com"}}); err == nil {
		t.Error("an allowed origin without a scheme was accepted")
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	edge := newEdge(t, func(c *httpd.Config) { c.AllowedOrigins = []string{"https://panel.example.com"} })
	ok := ask(edge, http.MethodOptions, "/graphql", header("Origin", "https://panel.example.com",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"))
	if ok.Code != http.StatusNoContent || ok.Header().Get("Access-Control-Allow-Headers") != "authorization,content-type" {
		t.Errorf("allowed: %d %v", ok.Code, ok.Header())
	}
	refused := ask(edge, http.MethodOptions, "/graphql", header("Origin", "https://evil.test",
		"Access-Control-Request-Method", "POST"))
	if refused.Code != http.StatusForbidden || refused.Header().Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("refused: %d %v", refused.Code, refused.Header())
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	limits := func(off bool) func(*httpd.Config) {
		return func(c *httpd.Config) {
			c.RateLimit = httpd.RateLimit{Off: off}
			c.Now = func() time.Time { return now }
		}
	}
	served := func(h http.Handler, target string, requests int) int {
		n := 0
		for range requests {
			if ask(h, http.MethodGet, target, nil).Code == http.StatusOK {
				n++
			}
		}
		return n
	}
	edge := newEdge(t, limits(false))
	for _, c := range []struct {
		target string
		limit  int
	}{{"/graphql", 200}, {"/healthz", 1000}, {"/agent/v1/nonce", 3000}} {
		if got := served(edge, c.target, c.limit+50); got != c.limit {
			t.Errorf("%s served %d requests, want %d", c.target, got, c.limit)
		}
	}
	refused := ask(edge, http.MethodPost, "/graphql", nil)
	var body struct {
		Errors []struct {
			Message    string
			Extensions struct {
				Code       string
				RetryAfter int
			}
		}
	}
	if err := json.Unmarshal(refused.Body.Bytes(), &body); err != nil || len(body.Errors) != 1 {
		t.Fatalf("the refusal is no GraphQL answer: %s", refused.Body)
	}
	if e := body.Errors[0]; refused.Code != 429 || e.Extensions.Code != "RATE_LIMITED" || e.Extensions.RetryAfter < 1 ||
		refused.Header().Get("Retry-After") == "" {
		t.Errorf("the refusal: %d %v %s", refused.Code, refused.Header(), refused.Body)
	}
	other := ask(edge, http.MethodPost, "/graphql", func(r *http.Request) { r.RemoteAddr = "192.0.2.9:1" })
	if other.Code != http.StatusOK {
		t.Errorf("another address is refused too: %d", other.Code)
	}
	if got := served(newEdge(t, limits(true)), "/graphql", 2000); got != 2000 {
		t.Errorf("with limits off %d of 2000 requests were served", got)
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	edge := newEdge(t, nil)
	for _, target := range []string{"/", "/graphql", "/healthz", "/readyz", "/agent/v1/x", "/nothing"} {
		h := ask(edge, http.MethodGet, target, nil).Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
		policy := h.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") ||
			strings.Contains(policy, "unsafe-eval") {
			t.Errorf("%s: policy %q", target, policy)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var problem error
	var logs bytes.Buffer
	edge := newEdge(t, func(c *httpd.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&logs, nil))
		c.Health = func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the health check has no deadline")
			}
			mu.Lock()
			defer mu.Unlock()
			return problem
		}
	})
	if w := ask(edge, http.MethodGet, "/readyz", nil); w.Code != http.StatusOK {
		t.Errorf("ready: %d %s", w.Code, w.Body)
	}
	problem = errors.New("dial tcp 10.1.2.3: connection refused")
	for range 3 {
		w := ask(edge, http.MethodGet, "/readyz", nil)
		if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "10.1.2.3") {
			t.Errorf("not ready: %d %s", w.Code, w.Body)
		}
	}
	if got := strings.Count(logs.String(), "10.1.2.3"); got != 1 {
		t.Errorf("the reason stands in the log %d times, want once:\n%s", got, &logs)
	}
	if w := ask(edge, http.MethodGet, "/healthz", nil); w.Code != http.StatusOK {
		t.Errorf("alive though not ready: %d", w.Code)
	}
	if w := ask(edge, http.MethodPost, "/healthz", nil); w.Code == http.StatusOK {
		t.Error("/healthz can be posted to")
	}
}

func TestAccessLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	edge := newEdge(t, func(c *httpd.Config) {
		c.Logger = slog.New(request.LogHandler(slog.NewJSONHandler(&logs, nil)))
	})
	w := ask(edge, http.MethodGet, "/graphql?token=canary", header("Authorization", "Bearer canary"))
	ask(edge, http.MethodGet, "/agent/v1/canary?x=canary", nil)
	var line map[string]any
	if err := json.NewDecoder(&logs).Decode(&line); err != nil {
		t.Fatal(err)
	}
	if line["route"] != "/graphql" || line["status"] != 200.0 || line["remote_ip"] != "192.0.2.1" ||
		line["request_id"] != w.Header().Get("X-Request-Id") {
		t.Errorf("log line: %v", line)
	}
	if strings.Contains(logs.String(), "canary") {
		t.Errorf("the log holds a secret:\n%s", &logs)
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	edge := newEdge(t, func(c *httpd.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&logs, nil))
		c.GraphQL = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("canary") })
	})
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if failure := recover(); failure != http.ErrAbortHandler { //nolint:errorlint // the value itself is compared by net/http
				t.Errorf("the connection is not aborted: %v", failure)
			}
		}()
		edge.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/graphql", nil))
	}()
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "canary") ||
		!strings.Contains(w.Body.String(), "INTERNAL") {
		t.Errorf("answer: %d %s", w.Code, w.Body)
	}
	if strings.Count(logs.String(), "canary") == 0 || !strings.Contains(logs.String(), "level=ERROR") {
		t.Errorf("the log does not tell:\n%s", &logs)
	}
}

func TestNothingElseIsServed(t *testing.T) {
	t.Parallel()
	without := newEdge(t, func(c *httpd.Config) { c.GraphiQL = false })
	for _, target := range []string{"/", "/debug/pprof/", "/debug/stats", "/assets/", "/index.html.gz", "/.git/config"} {
		if w := ask(without, http.MethodGet, target, nil); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d without GraphiQL", target, w.Code)
		}
		if w := ask(newEdge(t, nil), http.MethodGet, target, nil); target != "/" && w.Code != http.StatusNotFound {
			body, _ := io.ReadAll(w.Body)
			t.Errorf("%s: %d with GraphiQL: %.80s", target, w.Code, body)
		}
	}
}
