package httpd_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/catalyst-panel/catalyst/internal/httpd"
	"github.com/catalyst-panel/catalyst/internal/request"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// running is a server that a test stops.
type running struct {
	address string
	client  *http.Client
	stop    context.CancelFunc
	stopped chan error
}

func serve(t *testing.T, graphql http.HandlerFunc) *running {
	t.Helper()
	s, err := httpd.New(httpd.Config{GraphQL: graphql, Logger: quietLogger(), Grace: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	listener := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	transport := &http.Transport{}
	r := &running{
		address: listener.Addr().String(), client: &http.Client{Transport: transport}, stop: cancel,
		stopped: make(chan error, 1),
	}
	go func() { r.stopped <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		transport.CloseIdleConnections()
	})
	return r
}

// wait returns what Serve returned, and fails when it does not.
func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.stopped:
		return err
	case <-time.NewTimer(10 * time.Second).C:
		buffer := make([]byte, 1<<20)
		t.Fatalf("Serve does not return:\n%s", buffer[:runtime.Stack(buffer, true)])
		return nil
	}
}

func TestShutdownWaitsForRequests(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	r := serve(t, func(w http.ResponseWriter, req *http.Request) {
		close(entered)
		<-release
		if req.Context().Err() != nil {
			t.Error("the request was cancelled though the server has time")
		}
		_, _ = io.WriteString(w, "done")
	})
	answers := make(chan string, 1)
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.address+"/graphql", nil)
		res, err := r.client.Do(req)
		if err != nil {
			answers <- err.Error()
			return
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		answers <- string(body)
	}()
	<-entered
	r.stop()
	close(release)
	if got := <-answers; got != "done" {
		t.Errorf("the request under way got %q", got)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestShutdownEndsWebSockets(t *testing.T) {
	t.Parallel()
	returned := make(chan error, 1)
	r := serve(t, func(w http.ResponseWriter, req *http.Request) {
		conn, err := websocket.Accept(w, req, nil)
		if err != nil {
			returned <- err
			return
		}
		_ = conn.Write(req.Context(), websocket.MessageText, []byte("hello"))
		<-req.Context().Done()
		cause := context.Cause(req.Context())
		_ = conn.Close(websocket.StatusServiceRestart, "come back")
		returned <- cause
	})
	conn, res, err := websocket.Dial(t.Context(), "ws://"+r.address+"/graphql", &websocket.DialOptions{HTTPClient: r.client})
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("X-Request-Id") == "" {
		t.Error("the upgrade's answer has no request id")
	}
	if _, message, err := conn.Read(t.Context()); err != nil || string(message) != "hello" {
		t.Fatalf("read %q, %v", message, err)
	}
	r.stop()
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusServiceRestart {
		t.Errorf("the client saw %v", err)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	select {
	case cause := <-returned:
		if !errors.Is(cause, request.ErrShutdown) {
			t.Errorf("the socket's context ended with %v", cause)
		}
	default:
		t.Error("Serve returned before the socket's handler")
	}
}

func TestShutdownEndsEventStreams(t *testing.T) {
	t.Parallel()
	r := serve(t, func(w http.ResponseWriter, req *http.Request) {
		flusher, ok := w.(http.Flusher)
		if !ok {
			t.Error("an event stream cannot be flushed")
			return
		}
		_, _ = io.ReadAll(req.Body)
		_, _ = io.WriteString(w, ": hello\n")
		flusher.Flush()
		<-req.Context().Done()
	})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.address+"/graphql", strings.NewReader("{}"))
	req.Header.Set("Accept", "text/event-stream, application/json;q=0.5")
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); line != ": hello\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestBrokenListenerIsAnError(t *testing.T) {
	t.Parallel()
	s, err := httpd.New(httpd.Config{Logger: quietLogger()})
	if err != nil {
		t.Fatal(err)
	}
	listener := listen(t)
	_ = listener.Close()
	if err := s.Serve(t.Context(), listener); err == nil {
		t.Error("a closed listener served")
	}
}

func TestDebugServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	listener := listen(t)
	stopped := make(chan error, 1)
	go func() { stopped <- httpd.ServeDebug(ctx, listener, quietLogger()) }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	get := func(path, host string) (int, string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+path, nil)
		if host != "" {
			req.Host = host
		}
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	code, body := get("/debug/stats", "")
	var stats httpd.Stats
	if err := json.Unmarshal([]byte(body), &stats); err != nil || code != http.StatusOK {
		t.Fatalf("stats: %d %s", code, body)
	}
	if stats.Goroutines < 1 || stats.Heap == 0 || (runtime.GOOS == "linux" && stats.FDs < 3) {
		t.Errorf("stats: %+v", stats)
	}
	if code, body := get("/debug/pprof/goroutine?debug=1", ""); code != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("profile: %d %.80s", code, body)
	}
	if code, _ := get("/debug/stats", "evil.test"); code != http.StatusForbidden {
		t.Errorf("asked under a foreign name: %d", code)
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestDebugServerIsLoopbackOnly(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Skipf("cannot listen on all addresses: %v", err)
	}
	if err := httpd.ServeDebug(t.Context(), listener, quietLogger()); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("a public debug address: %v", err)
	}
	if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is still open: %v", err)
	}
}
