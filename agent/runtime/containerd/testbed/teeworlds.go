package testbed

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"
	"time"
)

// AskTeeworlds asks a teeworlds server on a UDP port of this machine for the game's description as its browser of servers does: first for a token, then with it.
func AskTeeworlds(t testing.TB, port int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	mine := []byte{1, 2, 3, 4}
	answer := make([]byte, 2048)
	ask := func(packet []byte, ok func(answer []byte) bool) []byte {
		t.Helper()
		for ctx.Err() == nil {
			if _, err := conn.Write(packet); err != nil {
				continue // refused until it listens
			}
			if err := conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if n, err := conn.Read(answer); err == nil && ok(answer[:n]) {
				return bytes.Clone(answer[:n])
			}
		}
		t.Fatal("the game does not answer")
		return nil
	}
	// A control packet (flag 1, chunk count 0) with no token yet, message 5, our token, padded so that it is no amplifier.
	hello := append([]byte{0x04, 0, 0, 0xff, 0xff, 0xff, 0xff, 5}, mine...)
	hello = append(hello, make([]byte, 508)...)
	token := ask(hello, func(a []byte) bool { return len(a) >= 12 && a[7] == 5 })[8:12]
	// A connectionless packet (flag 8, version 1) with both tokens and the request for information.
	request := append([]byte{0x21}, token...)
	request = append(append(request, mine...), "\xff\xff\xff\xffgie3\x00"...)
	return string(ask(request, func(a []byte) bool { return bytes.Contains(a, []byte("inf3")) }))
}
