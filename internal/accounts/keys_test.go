package accounts_test

import (
	"crypto/dsa" //nolint:staticcheck // to be refused
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

func TestAPIKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c, ctx := w.with("ada", "node.*", "audit.read")
		ends := w.clock.now().Add(time.Hour)
		row, key, err := w.CreateAPIKey(ctx, accounts.CreateAPIKeyInput{
			Name: "deploy", Permissions: []string{"node.read", "audit.read", "node.read"},
			AllowedCIDRs: []string{"192.0.2.77/24", "2001:db8::1"}, ExpiresAt: &ends,
		})
		must(t, err)
		if !slices.Equal(row.Permissions, []string{"audit.read", "node.read"}) ||
			!slices.Equal(row.AllowedCidrs, []string{"192.0.2.0/24", "2001:db8::1/128"}) ||
			!strings.HasPrefix(key, row.Prefix) || !strings.HasPrefix(key, "ck_") || len(row.Prefix) > 12 {
			t.Errorf("key %+v", row)
		}
		v, expires, err := w.Authenticate(w.anyone(), "Bearer "+key, home, "ci/1")
		must(t, err)
		if v.UserID != c.User.ID || v.KeyID != row.ID || v.SessionID != "" || !expires.Equal(ends) ||
			!slices.Equal(v.Limit, row.Permissions) || !slices.Equal(v.Permissions, []string{"audit.read", "node.*"}) {
			t.Errorf("viewer %+v until %v", v, expires)
		}
		_, _, err = w.Authenticate(w.anyone(), "Bearer "+key, netip.MustParseAddr("::ffff:192.0.2.9"), "")
		wantCode(t, "a mapped address of the network", err, "")
		_, _, err = w.Authenticate(w.anyone(), "Bearer "+key, netip.MustParseAddr("198.51.100.1"), "")
		wantCode(t, "from elsewhere", err, fault.Unauthenticated)
		used, err := w.store.Client.ApiKey.Get(w.system(), row.ID)
		must(t, err)
		if used.LastUsedAt == nil || !used.LastUsedAt.Equal(w.clock.now()) {
			t.Errorf("last used %v", used.LastUsedAt)
		}
		w.clock.move(2 * time.Hour)
		w.refused("an expired key", key)
	})
}

func TestAPIKeyDoesNotChangeItsAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, person := w.admin("root")
		_, key, err := w.CreateAPIKey(person, accounts.CreateAPIKeyInput{Name: "all", Permissions: []string{"*"}})
		must(t, err)
		ctx := w.as(key)
		name := "other"
		for verb, err := range map[string]error{
			"createApiKey":   third(w.CreateAPIKey(ctx, accounts.CreateAPIKeyInput{Name: "x", Permissions: []string{"node.read"}})),
			"deleteApiKey":   second(w.DeleteAPIKey(ctx, viewer.FromContext(ctx).KeyID)),
			"addSshKey":      second(w.AddSSHKey(ctx, accounts.AddSSHKeyInput{PublicKey: sshKey(t)})),
			"deleteSshKey":   second(w.DeleteSSHKey(ctx, "sshkey_x")),
			"changePassword": second(w.ChangePassword(ctx, accounts.ChangePasswordInput{CurrentPassword: goodPassword, NewPassword: "other harbour 43"})),
			"updateProfile":  second(w.UpdateProfile(ctx, accounts.UpdateProfileInput{Username: &name})),
			"revokeSession":  second(w.RevokeSession(ctx, viewer.FromContext(person).SessionID)),
			"logout":         w.Logout(ctx),
		} {
			wantCode(t, verb, err, fault.Forbidden)
		}
		_, err = w.CreateRole(ctx, accounts.CreateRoleInput{Name: "r", Permissions: []string{"node.read"}})
		wantCode(t, "an administrator's verb with a key that has everything", err, "")
		id, err := w.DeleteAPIKey(person, viewer.FromContext(ctx).KeyID)
		must(t, err)
		if id != viewer.FromContext(ctx).KeyID {
			t.Errorf("deleted %q", id)
		}
		w.refused("a deleted key", key)
		wantCode(t, "a subscription with it", w.Revalidate(ctx), fault.Unauthenticated)
	})
}

func TestAPIKeyRefuses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, ctx := w.with("ada", "node.*", "user.read")
		past := w.clock.now().Add(-time.Second)
		for name, c := range map[string]struct {
			in    accounts.CreateAPIKeyInput
			field string
		}{
			"no name":            {accounts.CreateAPIKeyInput{Permissions: []string{"node.read"}}, "name"},
			"two lines":          {accounts.CreateAPIKeyInput{Name: "a\nb", Permissions: []string{"node.read"}}, "name"},
			"long name":          {accounts.CreateAPIKeyInput{Name: strings.Repeat("a", 129), Permissions: []string{"node.read"}}, "name"},
			"no permission":      {accounts.CreateAPIKeyInput{Name: "k"}, "permissions"},
			"unknown permission": {accounts.CreateAPIKeyInput{Name: "k", Permissions: []string{"node.fly"}}, "permissions"},
			"past end":           {accounts.CreateAPIKeyInput{Name: "k", Permissions: []string{"node.read"}, ExpiresAt: &past}, "expiresAt"},
			"no network": {
				accounts.CreateAPIKeyInput{Name: "k", Permissions: []string{"node.read"}, AllowedCIDRs: []string{"example.com"}},
				"allowedCidrs",
			},
			"zone": {
				accounts.CreateAPIKeyInput{Name: "k", Permissions: []string{"node.read"}, AllowedCIDRs: []string{"fe80::1%eth0"}},
				"allowedCidrs",
			},
		} {
			_, _, err := w.CreateAPIKey(ctx, c.in)
			wantCode(t, name, err, fault.BadUserInput)
			wantField(t, name, err, c.field)
		}
		for _, p := range []string{"*", "user.*", "user.update", "server.read", "console.*", "audit.read"} {
			_, _, err := w.CreateAPIKey(ctx, accounts.CreateAPIKeyInput{Name: "k", Permissions: []string{"node.read", p}})
			wantCode(t, p+", which one lacks", err, fault.Forbidden)
		}
		if rows := w.trail("apikey.create"); len(rows) == 0 || rows[0].Outcome != kind.AuditOutcomeRefused {
			t.Errorf("trail %v", rows)
		}
	})
}

// TestAPIKeyOfServers shows that what one may do on a server is enough for a key, and no more than that.
func TestAPIKeyOfServers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, ctx := w.person("owner")
		srv := w.server("one", owner.User.ID)
		guest, guestCtx := w.person("guest")
		_, _, _, err := w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{
			ServerID: srv, UserID: &guest.User.ID, Permissions: []string{"console.read"},
		})
		must(t, err)
		create := func(ctx contextOf, p string) error {
			return third(w.CreateAPIKey(ctx, accounts.CreateAPIKeyInput{Name: "k", Permissions: []string{p}}))
		}
		for _, p := range []string{"server.start", "console.*", "file.read", "server.access"} {
			wantCode(t, "owner: "+p, create(ctx, p), "")
		}
		for _, p := range []string{"server.*", "server.create", "*", "node.read"} {
			wantCode(t, "owner: "+p, create(ctx, p), fault.Forbidden)
		}
		for p, code := range map[string]fault.Code{
			"console.read": "", "server.read": "", "console.*": fault.Forbidden, "console.write": fault.Forbidden, "server.start": fault.Forbidden,
		} {
			wantCode(t, "guest: "+p, create(guestCtx, p), code)
		}
	})
}

func TestSSHKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, ada := w.person("ada")
		_, bob := w.person("bob")
		line := sshKey(t)
		row, err := w.AddSSHKey(ada, accounts.AddSSHKeyInput{PublicKey: line + " ada@laptop\n"})
		must(t, err)
		if row.Name != "ada@laptop" || !strings.HasPrefix(row.Fingerprint, "SHA256:") || row.PublicKey != line {
			t.Errorf("key %+v", row)
		}
		_, err = w.AddSSHKey(ada, accounts.AddSSHKeyInput{Name: "again", PublicKey: line})
		wantCode(t, "the same key again", err, fault.Conflict)
		_, err = w.AddSSHKey(bob, accounts.AddSSHKeyInput{Name: "shared", PublicKey: line})
		wantCode(t, "the same key of another account", err, "")
		_, err = w.DeleteSSHKey(bob, row.ID)
		wantCode(t, "somebody else's key", err, fault.NotFound)
		_, err = w.DeleteSSHKey(ada, row.ID)
		must(t, err)
		_, err = w.DeleteSSHKey(ada, row.ID)
		wantCode(t, "a key that is gone", err, fault.NotFound)
	})
}

func TestSSHKeyRefuses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, ctx := w.person("ada")
		authorized := func(public any) string {
			key, err := ssh.NewPublicKey(public)
			must(t, err)
			return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
		}
		short, err := rsa.GenerateKey(rand.Reader, 1024)
		must(t, err)
		good, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		_, err = w.AddSSHKey(ctx, accounts.AddSSHKeyInput{Name: "good", PublicKey: authorized(&good.PublicKey)})
		must(t, err)
		old := &dsa.PublicKey{Parameters: dsa.Parameters{P: new(big.Int).Lsh(big.NewInt(1), 1023), Q: new(big.Int).Lsh(big.NewInt(1), 159), G: big.NewInt(2)}, Y: big.NewInt(3)}
		for name, line := range map[string]string{
			"nothing": "", "nonsense": "hello", "cut": sshKey(t)[:40],
			"private key": "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----",
			"two keys":    sshKey(t) + " a\n" + sshKey(t) + " b\n",
			"short RSA":   authorized(&short.PublicKey),
			"DSA":         authorized(old),
			"too long":    strings.Repeat("a", 1<<15),
		} {
			_, err := w.AddSSHKey(ctx, accounts.AddSSHKeyInput{Name: "k", PublicKey: line})
			wantCode(t, name, err, fault.BadUserInput)
			wantField(t, name, err, "publicKey")
		}
		_, err = w.AddSSHKey(ctx, accounts.AddSSHKeyInput{PublicKey: sshKey(t)})
		wantField(t, "neither name nor comment", err, "name")
	})
}

func sshKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	key, err := ssh.NewPublicKey(public)
	must(t, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
