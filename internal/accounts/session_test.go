package accounts_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/ent/session"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		first, _ := w.person("ada")
		w.clock.move(accounts.AccessTokenAge + time.Minute)
		w.refused("the expired access token", first.AccessToken)
		second, err := w.RefreshSession(w.anyone(), first.RefreshToken)
		must(t, err)
		if second.RefreshToken == first.RefreshToken || second.User.ID != first.User.ID {
			t.Error("the refresh did not rotate")
		}
		w.as(second.AccessToken)
		w.clock.move(accounts.RefreshTokenAge - time.Hour)
		third, err := w.RefreshSession(w.anyone(), second.RefreshToken)
		must(t, err)
		w.clock.move(accounts.RefreshTokenAge)
		_, err = w.RefreshSession(w.anyone(), third.RefreshToken)
		wantCode(t, "a refresh after its end", err, fault.Unauthenticated)
		count, err := w.store.Client.Session.Query().Count(w.system())
		must(t, err)
		if count != 1 {
			t.Errorf("%d sessions after refreshes of one", count)
		}
	})
}

func TestReusedRefreshTokenEndsTheSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		for name, age := range map[string]int{"the one before": 1, "a much older one": 3} {
			c, err := w.Register(w.anyone(), accounts.RegisterInput{
				Email: kind.NewID("x") + "@example.com", Username: kind.NewID("u"), Password: goodPassword,
			})
			must(t, err)
			other, err := w.Login(w.anyone(), accounts.LoginInput{Login: c.User.Username, Password: goodPassword})
			must(t, err)
			chain := []*accounts.Credentials{c}
			for range age {
				next, err := w.RefreshSession(w.anyone(), chain[len(chain)-1].RefreshToken)
				must(t, err)
				chain = append(chain, next)
			}
			heard := w.listen()
			newest := chain[len(chain)-1]
			w.as(newest.AccessToken)
			_, err = w.RefreshSession(w.anyone(), chain[0].RefreshToken)
			wantCode(t, name, err, fault.Unauthenticated)
			heard(name, c.User.ID, "")
			_, err = w.RefreshSession(w.anyone(), newest.RefreshToken)
			wantCode(t, name+": the newest of the family", err, fault.Unauthenticated)
			w.refused(name+": the family's access token", newest.AccessToken)
			w.as(other.AccessToken)
			_, err = w.RefreshSession(w.anyone(), other.RefreshToken)
			wantCode(t, name+": another sign-in", err, "")
		}
		w.wantTrail("session.refresh", kind.AuditOutcomeRefused, kind.AuditOutcomeRefused)
	})
}

func TestParallelRefreshSucceedsOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c, _ := w.person("ada")
		codes := make([]fault.Code, 8)
		var wg sync.WaitGroup
		for i := range codes {
			wg.Go(func() {
				_, err := w.RefreshSession(w.anyone(), c.RefreshToken)
				codes[i] = fault.CodeOf(err)
			})
		}
		wg.Wait()
		good := 0
		for _, code := range codes {
			if code == "" {
				good++
			} else if code != fault.Unauthenticated {
				t.Errorf("code %s", code)
			}
		}
		if good != 1 {
			t.Errorf("%d of the parallel refreshes succeeded: %v", good, codes)
		}
	})
}

func TestLogoutAndRevoke(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		one, ctx := w.person("ada")
		two, err := w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		must(t, err)
		three, err := w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		must(t, err)
		_, bob := w.person("bob")
		id := viewer.FromContext(w.as(two.AccessToken)).SessionID

		_, err = w.RevokeSession(bob, id)
		wantCode(t, "somebody else's session", err, fault.NotFound)
		_, err = w.RevokeSession(ctx, "session_none")
		wantCode(t, "no session", err, fault.NotFound)
		heard := w.listen()
		got, err := w.RevokeSession(ctx, id)
		must(t, err)
		if got != id {
			t.Errorf("ended %q, want %q", got, id)
		}
		heard("revocation", one.User.ID, "")
		w.refused("the revoked session", two.AccessToken)
		_, err = w.RefreshSession(w.anyone(), two.RefreshToken)
		wantCode(t, "a refresh of the revoked session", err, fault.Unauthenticated)

		must(t, w.Logout(ctx))
		w.refused("after the logout", one.AccessToken)
		wantCode(t, "a subscription after the logout", w.Revalidate(ctx), fault.Unauthenticated)
		w.as(three.AccessToken)
		w.wantTrail("user.logout", kind.AuditOutcomeSucceeded)
	})
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c, ctx := w.person("ada")
		other, err := w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		must(t, err)
		for name, in := range map[string]accounts.ChangePasswordInput{
			"wrong present one": {CurrentPassword: "wrong password", NewPassword: "other harbour 43"},
			"the same again":    {CurrentPassword: goodPassword, NewPassword: goodPassword},
			"too short":         {CurrentPassword: goodPassword, NewPassword: "short"},
			"a common one":      {CurrentPassword: goodPassword, NewPassword: "password123"},
			"the own address":   {CurrentPassword: goodPassword, NewPassword: "ada@example.com"},
		} {
			_, err := w.ChangePassword(ctx, in)
			wantCode(t, name, err, fault.BadUserInput)
		}
		_, admin := w.admin("root")
		reset, err := w.CreatePasswordReset(admin, c.User.ID)
		must(t, err)
		heard := w.listen()
		_, err = w.ChangePassword(ctx, accounts.ChangePasswordInput{CurrentPassword: goodPassword, NewPassword: "other harbour 43"})
		must(t, err)
		heard("change of password", c.User.ID, "")
		w.as(c.AccessToken)
		w.refused("another session", other.AccessToken)
		_, err = w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		wantCode(t, "the old password", err, fault.Unauthenticated)
		_, err = w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: "other harbour 43"})
		wantCode(t, "the new password", err, "")
		_, err = w.RedeemPasswordReset(w.anyone(), reset.Token, "yet another 44")
		wantCode(t, "a reset of the old password", err, fault.BadUserInput)
	})
}

func TestRefreshedViewer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, root := w.admin("root")
		c, ctx := w.with("ada", "node.read", "audit.read")
		must(t, w.Revalidate(ctx))
		wantCode(t, "nobody", w.Revalidate(w.anyone()), fault.Unauthenticated)
		must(t, w.Revalidate(w.system()))

		narrower, err := w.CreateRole(root, accounts.CreateRoleInput{Name: "narrower", Permissions: []string{"node.read"}})
		must(t, err)
		wider, err := w.CreateRole(root, accounts.CreateRoleInput{Name: "wider", Permissions: []string{"node.*", "audit.read", "alert.read"}})
		must(t, err)
		_, err = w.SetUserRoles(root, c.User.ID, []string{wider.ID})
		must(t, err)
		must(t, w.Revalidate(ctx))
		fresh, err := w.Refresh(ctx)
		must(t, err)
		if !slices.Equal(fresh.Permissions, []string{"alert.read", "audit.read", "node.*"}) || fresh.SessionID != viewer.FromContext(ctx).SessionID {
			t.Errorf("fresh viewer %+v", fresh)
		}
		signal, err := w.Changes(t.Context(), c.User.ID)
		must(t, err)
		_, err = w.SetUserRoles(root, c.User.ID, []string{narrower.ID})
		must(t, err)
		wantCode(t, "a role that was taken", w.Revalidate(ctx), fault.Forbidden)
		select {
		case <-signal:
		default:
			t.Error("the watcher was not woken")
		}
		_, err = w.UpdateRole(root, accounts.UpdateRoleInput{ID: narrower.ID, Permissions: []string{}})
		must(t, err)
		select {
		case <-signal:
		default:
			t.Error("the watcher was not woken by a change of the role")
		}
		fresh, err = w.Refresh(ctx)
		must(t, err)
		if len(fresh.Permissions) != 0 {
			t.Errorf("permissions of an emptied role: %v", fresh.Permissions)
		}
	})
}

// TestOtherInstance shows that what one instance changes is known to another at once, though its clock stands still.
func TestOtherInstance(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c, ctx := w.person("ada")
		there, err := accounts.New(accounts.Config{Secrets: w.box, Client: w.store.Client, Tokens: w.tokens, Bus: w.bus, Now: w.clock.now})
		must(t, err)
		signal, err := there.Changes(t.Context(), c.User.ID) // before Run, which wakes it as soon as it listens
		must(t, err)
		done := make(chan struct{})
		go func() { defer close(done); there.Run(t.Context()) }()
		t.Cleanup(func() { <-done })
		<-signal
		must(t, there.Revalidate(ctx))
		must(t, w.Logout(ctx))
		select {
		case <-signal:
		case <-time.After(5 * time.Second):
			t.Fatal("the other instance was not told")
		}
		wantCode(t, "at the other instance", there.Revalidate(ctx), fault.Unauthenticated)
	})
}

func TestOldSessionsAreSwept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.person("ada")
		w.clock.move(accounts.RefreshTokenAge + time.Hour)
		c, err := w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		must(t, err)
		left, err := w.store.Client.Session.Query().Where(session.UserID(c.User.ID)).Count(w.system())
		must(t, err)
		if left != 1 {
			t.Errorf("%d sessions, want the new one", left)
		}
	})
}
