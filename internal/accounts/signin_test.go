package accounts_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/ratelimit"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

func TestRegister(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c, err := w.Register(w.anyone(), accounts.RegisterInput{
			Email: " Ada@Example.COM ", Username: "Ada.Lovelace", Password: goodPassword,
		})
		must(t, err)
		if c.User.Email != "ada@example.com" || c.User.Username != "Ada.Lovelace" {
			t.Errorf("stored %q, %q", c.User.Email, c.User.Username)
		}
		if want := w.clock.now().Add(accounts.AccessTokenAge); !c.ExpiresAt.Equal(want) {
			t.Errorf("the token ends at %v, want %v", c.ExpiresAt, want)
		}
		v := viewer.FromContext(w.as(c.AccessToken))
		if v.UserID != c.User.ID || len(v.Permissions) != 0 || v.SessionID == "" || v.IP != home || v.RequestID != "req-1" {
			t.Errorf("viewer %+v", v)
		}
		roles, err := c.User.QueryRoles().All(w.system())
		must(t, err)
		if len(roles) != 1 || roles[0].Name != "user" {
			t.Errorf("roles %v", roles)
		}
		w.wantTrail("user.register", kind.AuditOutcomeSucceeded)
		if row := w.trail("user.register")[0]; row.ActorName != "Ada.Lovelace" || row.IP != home.String() ||
			row.RequestID != "req-1" || row.UserAgent != "test/1" || row.TargetID != c.User.ID {
			t.Errorf("audit entry %+v", row)
		}
	})
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.person("taken")
		good := accounts.RegisterInput{Email: "new@example.com", Username: "new", Password: goodPassword}
		for name, c := range map[string]struct {
			change func(*accounts.RegisterInput)
			code   fault.Code
			field  string
		}{
			"no address":         {func(in *accounts.RegisterInput) { in.Email = "" }, fault.BadUserInput, "email"},
			"no at":              {func(in *accounts.RegisterInput) { in.Email = "new.example.com" }, fault.BadUserInput, "email"},
			"display name":       {func(in *accounts.RegisterInput) { in.Email = "N <new@example.com>" }, fault.BadUserInput, "email"},
			"newline in address": {func(in *accounts.RegisterInput) { in.Email = "new@example.com\nbcc: x@y.z" }, fault.BadUserInput, "email"},
			"long address":       {func(in *accounts.RegisterInput) { in.Email = strings.Repeat("a", 250) + "@b.cd" }, fault.BadUserInput, "email"},
			"NUL in address":     {func(in *accounts.RegisterInput) { in.Email = "n\x00w@example.com" }, fault.BadUserInput, "email"},
			"address taken":      {func(in *accounts.RegisterInput) { in.Email = "TAKEN@example.com" }, fault.Conflict, ""},
			"no name":            {func(in *accounts.RegisterInput) { in.Username = "" }, fault.BadUserInput, "username"},
			"one letter":         {func(in *accounts.RegisterInput) { in.Username = "a" }, fault.BadUserInput, "username"},
			"long name":          {func(in *accounts.RegisterInput) { in.Username = strings.Repeat("a", 33) }, fault.BadUserInput, "username"},
			"address as name":    {func(in *accounts.RegisterInput) { in.Username = "a@b.cd" }, fault.BadUserInput, "username"},
			"space in name":      {func(in *accounts.RegisterInput) { in.Username = "a b" }, fault.BadUserInput, "username"},
			"name ends in dot":   {func(in *accounts.RegisterInput) { in.Username = "ab." }, fault.BadUserInput, "username"},
			"look-alike letters": {func(in *accounts.RegisterInput) { in.Username = "аdmin" }, fault.BadUserInput, "username"},
			"reserved name":      {func(in *accounts.RegisterInput) { in.Username = "System" }, fault.BadUserInput, "username"},
			"name taken":         {func(in *accounts.RegisterInput) { in.Username = "Taken" }, fault.Conflict, ""},
			"no password":        {func(in *accounts.RegisterInput) { in.Password = "" }, fault.BadUserInput, "password"},
			"short password":     {func(in *accounts.RegisterInput) { in.Password = "abc12xy" }, fault.BadUserInput, "password"},
			"long password":      {func(in *accounts.RegisterInput) { in.Password = strings.Repeat("ab1", 25) }, fault.BadUserInput, "password"},
			"common password":    {func(in *accounts.RegisterInput) { in.Password = "PassWord1" }, fault.BadUserInput, "password"},
			"repeated character": {func(in *accounts.RegisterInput) { in.Password = "xxxxxxxxxxxx" }, fault.BadUserInput, "password"},
			"address as password": {
				func(in *accounts.RegisterInput) { in.Password = "New@Example.com" },
				fault.BadUserInput, "password",
			},
			"not text": {func(in *accounts.RegisterInput) { in.Password = "abcdefgh\xff" }, fault.BadUserInput, "password"},
		} {
			in := good
			c.change(&in)
			_, err := w.Register(w.anyone(), in)
			wantCode(t, name, err, c.code)
			var f *fault.Error
			if errors.As(err, &f) && f.Field != c.field {
				t.Errorf("%s: field %q, want %q", name, f.Field, c.field)
			}
		}
		count, err := w.store.Client.User.Query().Count(w.system())
		must(t, err)
		if count != 1 {
			t.Errorf("%d accounts, want the one that was there", count)
		}
		_, err = w.Register(w.anyone(), good)
		wantCode(t, "the good one", err, "")
	})
}

func TestRegistrationOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		off, err := accounts.New(accounts.Config{
			Secrets: w.box,
			Client:  w.store.Client, Tokens: w.tokens, Bus: w.bus, PasswordCost: bcrypt.MinCost,
		})
		must(t, err)
		_, err = off.Register(w.anyone(), accounts.RegisterInput{Email: "a@example.com", Username: "ada", Password: goodPassword})
		wantCode(t, "register", err, fault.Forbidden)
	})
}

func TestLogin(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, _ := w.person("Ada")
		for name, c := range map[string]struct {
			login, password string
			code            fault.Code
		}{
			"by name":               {"Ada", goodPassword, ""},
			"by name in other case": {" aDA ", goodPassword, ""},
			"by address":            {" ADA@example.com", goodPassword, ""},
			"wrong password":        {"Ada", goodPassword + "x", fault.Unauthenticated},
			"password's beginning":  {"Ada", goodPassword[:8], fault.Unauthenticated},
			"no password":           {"Ada", "", fault.Unauthenticated},
			"huge password":         {"Ada", strings.Repeat("x", 1<<16), fault.Unauthenticated},
			"no such name":          {"Bob", goodPassword, fault.Unauthenticated},
			"no such address":       {"bob@example.com", goodPassword, fault.Unauthenticated},
			"nothing":               {"", "", fault.Unauthenticated},
		} {
			got, err := w.Login(w.anyone(), accounts.LoginInput{Login: c.login, Password: c.password})
			wantCode(t, name, err, c.code)
			if err == nil && (got.User.ID != ada.User.ID || got.User.LastLoginAt == nil) {
				t.Errorf("%s: %+v", name, got.User)
			}
		}
		_, known := w.Login(w.anyone(), accounts.LoginInput{Login: "Ada", Password: "wrong password"})
		_, unknown := w.Login(w.anyone(), accounts.LoginInput{Login: "nobody", Password: "wrong password"})
		if known.Error() != unknown.Error() {
			t.Errorf("an answer that tells which accounts exist: %q, %q", known, unknown)
		}
		for _, row := range w.trail("user.login") {
			if row.Outcome == kind.AuditOutcomeSucceeded != (row.Details == nil) {
				t.Errorf("entry %+v", row)
			}
		}
	})
}

func TestLoginIsLimitedPerAccountAndAddress(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, ratelimit.New(ratelimit.Config{Limit: 4}))
		_, ctx := w.person("ada")
		w.person("bob")
		for i, login := range []string{"ada", "ADA", "ada@example.com", "Ada@Example.com"} {
			_, err := w.Login(w.anyone(), accounts.LoginInput{Login: login, Password: "wrong password"})
			wantCode(t, "try "+string(rune('1'+i)), err, fault.Unauthenticated)
		}
		_, err := w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		wantCode(t, "one too many, by any of the names", err, fault.RateLimited)
		var f *fault.Error
		if !errors.As(err, &f) || f.RetryAfter <= 0 || f.RetryAfter > 2*time.Minute {
			t.Errorf("retry after %+v", f)
		}
		_, err = w.ChangePassword(ctx, accounts.ChangePasswordInput{CurrentPassword: "guess", NewPassword: "other harbour 43"})
		wantCode(t, "the same password by another mutation", err, fault.RateLimited)
		_, err = w.Login(w.anyone(), accounts.LoginInput{Login: "bob", Password: goodPassword})
		wantCode(t, "another account", err, "")
		elsewhere := request.NewContext(t.Context(), request.Info{IP: netip.MustParseAddr("198.51.100.7")})
		_, err = w.Login(elsewhere, accounts.LoginInput{Login: "ada", Password: goodPassword})
		wantCode(t, "the account's owner elsewhere", err, "")
	})
}

// TestA10 tries one password on many accounts.
func TestA10(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newLimitedWorld(t, s, ratelimit.New(ratelimit.Config{Limit: 10}), ratelimit.New(ratelimit.Config{Limit: 6}))
		w.person("ada")
		for _, login := range []string{"a", "b", "c", "d", "e"} {
			_, err := w.Login(w.anyone(), accounts.LoginInput{Login: login, Password: "wrong password"})
			wantCode(t, "no account", err, fault.Unauthenticated)
		}
		_, err := w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: "wrong password"})
		wantCode(t, "a spray of passwords", err, fault.RateLimited)
		_, err = w.RedeemPasswordReset(w.anyone(), "reset_x", goodPassword)
		wantCode(t, "another check from the address", err, fault.RateLimited)
		elsewhere := request.NewContext(t.Context(), request.Info{IP: netip.MustParseAddr("198.51.100.7")})
		_, err = w.Login(elsewhere, accounts.LoginInput{Login: "ada", Password: goodPassword})
		wantCode(t, "the owner elsewhere", err, "")
	})
}

func TestSuspendedAccountIsShutOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, root := w.admin("root")
		ada, ctx := w.person("ada")
		w.server("one", ada.User.ID)
		_, key, err := w.CreateAPIKey(ctx, accounts.CreateAPIKeyInput{Name: "k", Permissions: []string{"server.read"}})
		must(t, err)
		w.as(key)
		heard := w.listen()
		signal, err := w.Changes(t.Context(), ada.User.ID)
		must(t, err)

		got, err := w.SuspendUser(root, ada.User.ID)
		must(t, err)
		if !got.Suspended || got.SuspendedAt == nil {
			t.Errorf("suspended %v at %v", got.Suspended, got.SuspendedAt)
		}
		heard("suspension", ada.User.ID, "")
		select {
		case <-signal:
		default:
			t.Error("when SuspendUser returns, this instance's watchers must know")
		}
		w.refused("access token", ada.AccessToken)
		w.refused("API key", key)
		_, err = w.RefreshSession(w.anyone(), ada.RefreshToken)
		wantCode(t, "refresh", err, fault.Unauthenticated)
		wantCode(t, "a subscription", w.Revalidate(ctx), fault.Unauthenticated)
		_, err = w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		wantCode(t, "login", err, fault.Forbidden)
		_, err = w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: "wrong password"})
		wantCode(t, "login with a wrong password", err, fault.Unauthenticated)

		_, err = w.UnsuspendUser(root, ada.User.ID)
		must(t, err)
		w.as(key)
		w.refused("an access token from before", ada.AccessToken)
		_, err = w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		wantCode(t, "login again", err, "")
	})
}

// TestA5EachTokenOnlyWhereItBelongs shows every kind of token at every door of this package.
func TestA5EachTokenOnlyWhereItBelongs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, ctx := w.person("ada")
		srv := w.server("one", ada.User.ID)
		_, key, err := w.CreateAPIKey(ctx, accounts.CreateAPIKeyInput{Name: "k", Permissions: []string{"server.read"}})
		must(t, err)
		email := "friend@example.com"
		_, _, invite, err := w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: srv, Email: &email})
		must(t, err)
		signed := func(a token.Audience) string {
			out, _, err := w.tokens.Sign(a, token.Claims{
				UserID: ada.User.ID, SessionID: viewer.FromContext(ctx).SessionID, Resource: srv,
			}, time.Minute)
			must(t, err)
			return out
		}
		tokens := map[string]string{
			"access": ada.AccessToken, "refresh": ada.RefreshToken, "key": key, "invite": *invite,
			"sftp": signed(token.AudienceSFTP), "download": signed(token.AudienceDownload), "upload": signed(token.AudienceUpload),
			"enrolment": token.NewOpaque(token.PrefixEnrolment).Plain, "reset": token.NewOpaque(token.PrefixPasswordReset).Plain,
			"unknown key": token.NewOpaque(token.PrefixAPIKey).Plain, "nothing": "", "garbage": "x",
		}
		doors := map[string]struct {
			open func(string) error
			fits []string
		}{
			"Authorization": {func(s string) error {
				v, _, err := w.Authenticate(w.anyone(), "Bearer "+s, home, "")
				if err == nil && v == nil {
					t.Error("a bearer of nothing is anonymous")
				}
				return err
			}, []string{"access", "key"}},
			"refreshSession": {func(s string) error { _, err := w.RefreshSession(w.anyone(), s); return err }, []string{"refresh"}},
			"acceptInvite": {func(s string) error {
				_, friend := w.lazyFriend()
				_, err := w.AcceptInvite(friend, s)
				return err
			}, []string{"invite"}},
		}
		for door, d := range doors {
			for name, tok := range tokens {
				opened := d.open(tok) == nil
				want := strings.Contains(" "+strings.Join(d.fits, " ")+" ", " "+name+" ")
				if opened != want {
					t.Errorf("%s at %s: opened %v, want %v", name, door, opened, want)
				}
			}
		}
	})
}

func TestAuthenticateReadsTheHeader(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, _ := w.person("ada")
		for name, c := range map[string]struct {
			header string
			code   fault.Code
			nobody bool
		}{
			"none":          {"", "", true},
			"blank":         {"  ", "", true},
			"good":          {"Bearer " + ada.AccessToken, "", false},
			"lower case":    {"bearer  " + ada.AccessToken + " ", "", false},
			"no scheme":     {ada.AccessToken, fault.Unauthenticated, true},
			"other scheme":  {"Basic " + ada.AccessToken, fault.Unauthenticated, true},
			"no credential": {"Bearer", fault.Unauthenticated, true},
		} {
			v, _, err := w.Authenticate(w.anyone(), c.header, home, "test/1")
			wantCode(t, name, err, c.code)
			if (v == nil) != c.nobody {
				t.Errorf("%s: viewer %+v", name, v)
			}
		}
		w.clock.move(accounts.AccessTokenAge + time.Minute)
		w.refused("an expired access token", ada.AccessToken)
	})
}

func (w *world) lazyFriend() (*accounts.Credentials, context.Context) {
	if _, err := w.store.Client.User.Query().Where(user.UsernameKey("friend")).Only(w.system()); err != nil {
		return w.person("friend")
	}
	c, err := w.Login(w.anyone(), accounts.LoginInput{Login: "friend", Password: goodPassword})
	must(w.t, err)
	return c, w.as(c.AccessToken)
}
