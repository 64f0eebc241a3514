package testbed

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports that Port gives out: below those that the kernel gives to whoever asks for any. A port that is mapped to a
// container has no listener, so the kernel would give it to somebody else, whose callers would then reach the container.
const firstPort, lastPort = 20_000, 29_999

// Port returns a port of this machine for a server, which nobody listens on.
func Port(t testing.TB) int {
	t.Helper()
	var failed error
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1) //nolint:gosec // a number, no secret
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			err = l.Close()
		}
		if err == nil {
			return port
		}
		failed = errors.Join(failed, err)
	}
	t.Fatalf("no port is free: %v", failed)
	return 0
}
