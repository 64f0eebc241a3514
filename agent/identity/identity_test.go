package identity_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/identity"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// panel answers enrolments: with a refusal unless the token is right.
func panel(t *testing.T, nodeID string, version int) (*url.URL, *ed25519.PublicKey) {
	t.Helper()
	key := new(ed25519.PublicKey)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req protocol.EnrolRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != protocol.EnrolPath {
			http.Error(w, "no", http.StatusNotFound)
			return
		}
		if req.Token != "right" {
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(protocol.ErrorResponse{Code: "UNAUTHENTICATED", Message: "The token was used already: make a new one."})
			return
		}
		*key = req.PublicKey
		_ = json.NewEncoder(w).Encode(protocol.EnrolResponse{NodeID: nodeID, Version: version})
	}))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u, key
}

func TestEnrolAndLoad(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "agent")
	if _, err := identity.Load(dir); !errors.Is(err, identity.ErrNotEnrolled) {
		t.Fatalf("load of nothing: %v", err)
	}
	nodeID := kind.NewID(kind.PrefixNode)
	u, public := panel(t, nodeID, protocol.Version)
	if _, err := identity.Enrol(t.Context(), http.DefaultClient, u, "right", dir); err != nil {
		t.Fatal(err)
	}
	id, err := identity.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if id.NodeID() != nodeID {
		t.Errorf("node %s, want %s", id.NodeID(), nodeID)
	}
	scheme, value, _ := strings.Cut(id.Authorization("bm9uY2U"), " ")
	parts := strings.Split(value, ".")
	if scheme != protocol.AuthScheme || len(parts) != 3 || parts[0] != nodeID || parts[1] != "bm9uY2U" {
		t.Fatalf("authorization %q %q", scheme, value)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !ed25519.Verify(*public, protocol.SigningInput(nodeID, "bm9uY2U"), signature) {
		t.Errorf("the signature is not that of the enrolled key: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "node.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
}

func TestEnrolRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		token, nodeID string
		version       int
		want          string
	}{
		"used token":    {token: "wrong", want: "make a new one"},
		"no node":       {token: "right", nodeID: "srv_x", version: protocol.Version, want: "names no node"},
		"other version": {token: "right", nodeID: kind.NewID(kind.PrefixNode), version: 99, want: "version 99"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			u, _ := panel(t, tc.nodeID, tc.version)
			_, err := identity.Enrol(t.Context(), http.DefaultClient, u, tc.token, dir)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
				t.Errorf("something was stored: %v, %v", entries, err)
			}
		})
	}
}
