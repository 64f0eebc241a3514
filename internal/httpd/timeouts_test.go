package httpd_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/internal/httpd"
)

// deadlines notes what the edge sets on a connection.
type deadlines struct {
	*httptest.ResponseRecorder

	read, write []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.read = append(d.read, at)
	return nil
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.write = append(d.write, at)
	return nil
}

func TestBodyMustArriveAtAMinimumSpeed(t *testing.T) {
	t.Parallel()
	var conn *deadlines
	edge := serveBody(t, func(body io.Reader) {
		start := time.Now()
		if len(conn.read) != 1 || conn.read[0].After(start.Add(31*time.Second)) || conn.read[0].Before(start.Add(20*time.Second)) {
			t.Errorf("before the body the deadline is %v", conn.read)
		}
		if _, err := io.CopyN(io.Discard, body, 800<<10); err != nil {
			t.Error(err)
		}
		after := conn.read[len(conn.read)-1].Sub(conn.read[0])
		if after != 100*time.Second {
			t.Errorf("800 KiB bought %s, want 100s at 8 KiB a second", after)
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Error(err)
		}
		if last := conn.read[len(conn.read)-1]; !last.IsZero() {
			t.Errorf("after the body the deadline is %s: a long answer would be cut", last)
		}
	})
	conn = &deadlines{ResponseRecorder: httptest.NewRecorder()}
	edge.ServeHTTP(conn, httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(strings.Repeat("x", 900<<10))))
	if len(conn.write) != 0 {
		t.Errorf("an ordinary answer's deadline was changed: %v", conn.write)
	}
}

func TestStreamsHaveNoWriteDeadline(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*http.Request){
		"web socket":   header("Connection", "keep-alive, Upgrade", "Upgrade", "websocket"),
		"event stream": header("Accept", "text/event-stream;charset=utf-8"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edge := serveBody(t, func(io.Reader) {})
			conn := &deadlines{ResponseRecorder: httptest.NewRecorder()}
			r := httptest.NewRequest(http.MethodGet, "/graphql", nil)
			set(r)
			edge.ServeHTTP(conn, r)
			if len(conn.write) != 1 || !conn.write[0].IsZero() {
				t.Errorf("write deadlines: %v", conn.write)
			}
			if len(conn.read) != 0 && !conn.read[len(conn.read)-1].IsZero() {
				t.Errorf("read deadlines: %v", conn.read)
			}
		})
	}
}

// serveBody returns an edge whose GraphQL handler hands the request's body to f.
func serveBody(t *testing.T, f func(io.Reader)) http.Handler {
	t.Helper()
	return newEdge(t, func(c *httpd.Config) {
		c.GraphQL = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r.Body) })
	})
}
