package agentlink

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

func TestNonceLifetime(t *testing.T) {
	t.Parallel()
	tests := []struct {
		age  time.Duration
		good bool
	}{
		{0, true},
		{protocol.NonceLifetime - time.Second, true},
		{protocol.NonceLifetime + time.Second, false},
		{24 * time.Hour, false},
	}
	for _, tt := range tests {
		t.Run(tt.age.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n, err := newNonces([]byte(strings.Repeat("k", 32)))
				if err != nil {
					t.Fatal(err)
				}
				nonce := n.issue()
				time.Sleep(tt.age) // the bubble's clock
				if _, err := n.verify(nonce); (err == nil) != tt.good {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestNonceIsThePanelsOwnAndGoodOnce(t *testing.T) {
	t.Parallel()
	n, err := newNonces([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	other, err := newNonces([]byte(strings.Repeat("o", 32)))
	if err != nil {
		t.Fatal(err)
	}
	nonce := n.issue()
	if _, err := other.verify(nonce); err == nil {
		t.Error("another panel took the nonce")
	}
	raw, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 1
		if _, err := n.verify(base64.RawURLEncoding.EncodeToString(raw)); err == nil {
			t.Errorf("took a nonce with byte %d changed", i)
		}
		raw[i] ^= 1
	}
	for _, bad := range []string{"", "x", nonce + "A", nonce[:len(nonce)-1], nonce + "\n"} {
		if _, err := n.verify(bad); err == nil {
			t.Errorf("took %q", bad)
		}
	}
	id, err := n.verify(nonce)
	if err != nil {
		t.Fatal(err)
	}
	if !n.spend(id) || n.spend(id) {
		t.Error("a nonce must be good once")
	}
	if _, err := newNonces([]byte("short")); err == nil {
		t.Error("took a short key")
	}
}
