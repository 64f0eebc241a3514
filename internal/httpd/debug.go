package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"runtime"
	"strings"
)

// Stats is what /debug/stats answers.
type Stats struct {
	// Goroutines is how many there are, the one that answers included.
	Goroutines int `json:"goroutines"`
	// FDs is how many file descriptors are open, or -1 where that cannot be told.
	FDs int `json:"fds"`
	// Heap is the bytes of live objects after a garbage collection.
	Heap uint64 `json:"heap"`
}

// ServeDebug answers /debug/pprof/ and /debug/stats on a loopback listener until ctx ends. It closes the listener, and
// refuses one that others can reach, since profiles hold memory contents.
func ServeDebug(ctx context.Context, listener net.Listener, log *slog.Logger) error {
	if !isLoopback(listener.Addr().String()) {
		return errors.Join(
			fmt.Errorf("the debug address %s is not a loopback address: use 127.0.0.1 or [::1]", listener.Addr()),
			listener.Close())
	}
	base, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	server := &http.Server{
		Handler:           debugHandler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve debug requests: %w", err)
	case <-ctx.Done():
	}
	abort()
	err := server.Close() // a profile that is being taken is of no use to anybody any more
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve debug requests: %w", served))
	}
	return err
}

func debugHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/stats", serveStats)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A page elsewhere whose name was pointed at this machine asks for that name.
		if !isLoopback(r.Host) {
			http.Error(w, "ask for a loopback address", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func serveStats(w http.ResponseWriter, _ *http.Request) {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	stats := Stats{Goroutines: runtime.NumGoroutine(), FDs: openFDs(), Heap: memory.HeapAlloc}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(stats)
}

// openFDs counts the descriptors of this process, the one that it reads the list with not included.
func openFDs() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries) - 1
}

// isLoopback reports whether an address, with or without a port, is one of this machine only.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
