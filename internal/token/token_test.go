package token_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/catalyst-panel/catalyst/internal/token"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newSigner(t *testing.T) (*token.Signer, ed25519.PrivateKey, *clock) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s, err := token.New(key, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return s, key, c
}

func TestSignedTokenCarriesItsClaims(t *testing.T) {
	t.Parallel()
	s, _, c := newSigner(t)
	want := token.Claims{UserID: "user_1", SessionID: "session_1", Version: 3, Resource: "srv_1"}
	signed, expires, err := s.Sign(token.AudienceAccess, want, 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Verify(token.AudienceAccess, signed)
	if err != nil {
		t.Fatal(err)
	}
	want.ExpiresAt = c.at.Add(15 * time.Minute)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(token.Claims{}, "ID"), cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if got.ID == "" || !expires.Equal(want.ExpiresAt) {
		t.Errorf("id %q, expires %v", got.ID, expires)
	}
}

func TestTokenIsGoodForItsAudienceOnly(t *testing.T) {
	t.Parallel()
	s, _, _ := newSigner(t)
	all := []token.Audience{token.AudienceAccess, token.AudienceSFTP, token.AudienceDownload, token.AudienceUpload}
	for _, made := range all {
		signed, _, err := s.Sign(made, token.Claims{UserID: "user_1"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, asked := range all {
			_, err := s.Verify(asked, signed)
			if good := err == nil; good != (made == asked) {
				t.Errorf("made for %s, asked for %s: %v", made, asked, err)
			}
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	s, key, c := newSigner(t)
	other, _, _ := newSigner(t)
	good, _, err := s.Sign(token.AudienceAccess, token.Claims{UserID: "user_1"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	foreign, _, err := other.Sign(token.AudienceAccess, token.Claims{UserID: "user_1"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	header, err := jwt.NewParser().DecodeSegment(strings.Split(good, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	kid := string(header)
	kid = kid[strings.Index(kid, `"kid":"`)+7:]
	kid = kid[:strings.IndexByte(kid, '"')]

	forge := func(method jwt.SigningMethod, signKey any, claims jwt.MapClaims) string {
		forged := jwt.NewWithClaims(method, claims)
		forged.Header["kid"] = kid
		out, err := forged.SignedString(signKey)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	base := func(change func(jwt.MapClaims)) jwt.MapClaims {
		m := jwt.MapClaims{
			"iss": "catalyst", "sub": "user_1", "aud": "catalyst:access",
			"iat": c.at.Unix(), "exp": c.at.Add(time.Minute).Unix(),
		}
		change(m)
		return m
	}
	public, _ := key.Public().(ed25519.PublicKey)
	for name, signed := range map[string]string{
		"nothing":       "",
		"garbage":       "a.b.c",
		"another key":   foreign,
		"cut signature": good[:len(good)-4],
		"too long":      strings.Repeat("a", 5000),
		"algorithm none": forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType,
			base(func(jwt.MapClaims) {})),
		"public key as HMAC secret": forge(jwt.SigningMethodHS256, []byte(public), base(func(jwt.MapClaims) {})),
		"no end":                    forge(jwt.SigningMethodEdDSA, key, base(func(m jwt.MapClaims) { delete(m, "exp") })),
		"two audiences":             forge(jwt.SigningMethodEdDSA, key, base(func(m jwt.MapClaims) { m["aud"] = []string{"catalyst:access", "catalyst:sftp"} })),
		"no audience":               forge(jwt.SigningMethodEdDSA, key, base(func(m jwt.MapClaims) { delete(m, "aud") })),
		"no subject":                forge(jwt.SigningMethodEdDSA, key, base(func(m jwt.MapClaims) { delete(m, "sub") })),
		"other issuer":              forge(jwt.SigningMethodEdDSA, key, base(func(m jwt.MapClaims) { m["iss"] = "elsewhere" })),
		"opaque token":              token.NewOpaque(token.PrefixAPIKey).Plain,
	} {
		if _, err := s.Verify(token.AudienceAccess, signed); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if _, err := s.Verify(token.AudienceAccess, forge(jwt.SigningMethodEdDSA, key, base(func(jwt.MapClaims) {}))); err != nil {
		t.Errorf("the unchanged forgery under the true key must pass, or the table proves nothing: %v", err)
	}
	c.at = c.at.Add(2 * time.Minute)
	if _, err := s.Verify(token.AudienceAccess, good); !errors.Is(err, token.ErrExpired) {
		t.Errorf("expired: got %v, want ErrExpired", err)
	}
}

func TestOpaqueTokens(t *testing.T) {
	t.Parallel()
	prefixes := []token.Prefix{
		token.PrefixAPIKey, token.PrefixEnrolment, token.PrefixInvite, token.PrefixPasswordReset,
	}
	for _, made := range prefixes {
		a, b := token.NewOpaque(made), token.NewOpaque(made)
		if a.Plain == b.Plain || a.Hash == b.Hash {
			t.Errorf("%s: two tokens are the same", made)
		}
		if a.Hash != token.Hash(a.Plain) || strings.Contains(a.Plain, a.Hash) || len(a.Hash) != 64 {
			t.Errorf("%s: hash %q", made, a.Hash)
		}
		if hint := a.Hint(); !strings.HasPrefix(hint, string(made)) || len(hint) >= len(a.Plain)/2 {
			t.Errorf("%s: hint %q", made, hint)
		}
		for _, asked := range prefixes {
			if token.IsOpaque(asked, a.Plain) != (made == asked) {
				t.Errorf("made %s, asked %s", made, asked)
			}
		}
		for _, bad := range []string{"", string(made), a.Plain + "A", a.Plain[:len(a.Plain)-1], string(made) + strings.Repeat("!", 43)} {
			if token.IsOpaque(made, bad) {
				t.Errorf("%q passes as %s", bad, made)
			}
		}
	}
}

func TestRefreshTokensOfOneFamily(t *testing.T) {
	t.Parallel()
	family := token.NewFamily()
	first, second := token.NewRefresh(family), token.NewRefresh(family)
	if first.Plain == second.Plain || first.Hash == second.Hash {
		t.Fatal("two tokens of a family are the same")
	}
	for _, plain := range []string{first.Plain, second.Plain} {
		if got, ok := token.FamilyOf(plain); !ok || got != family {
			t.Errorf("family %q, %v", got, ok)
		}
		if token.IsOpaque(token.PrefixAPIKey, plain) {
			t.Error("a refresh token passes as an API key")
		}
	}
	for _, bad := range []string{
		"", "cr_", first.Plain[:len(first.Plain)-1], first.Plain + "A",
		"ck_" + strings.TrimPrefix(first.Plain, "cr_"), "cr_" + strings.Repeat("!", len(first.Plain)-3),
		token.NewOpaque(token.PrefixAPIKey).Plain, token.NewOpaque(token.PrefixRefresh).Plain,
	} {
		if _, ok := token.FamilyOf(bad); ok {
			t.Errorf("%q passes as a refresh token", bad)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token.key")
	keys := make([]ed25519.PrivateKey, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := token.LoadOrCreateKey(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	for _, key := range keys[1:] {
		if !key.Equal(keys[0]) {
			t.Fatal("processes that start at once got different keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := token.LoadOrCreateKey(path); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("a key that others may read: %v", err)
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := token.LoadOrCreateKey(path); err == nil {
		t.Error("nonsense was read as a key")
	}
}
