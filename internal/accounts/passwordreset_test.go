package accounts_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const anotherPassword = "amber lantern 7"

// TestPasswordReset sets a forgotten password, once, and ends what the old one had opened.
func TestPasswordReset(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, admin := w.admin("ada")
		_, helper := w.with("hal", "user.update", "user.read")
		ann, annCtx := w.person("ann")
		boss, _ := w.admin("bea")

		_, err := w.CreatePasswordReset(annCtx, ann.User.ID)
		wantCode(t, "without user.update", err, fault.Forbidden)
		_, err = w.CreatePasswordReset(helper, boss.User.ID)
		wantCode(t, "for somebody who may do more", err, fault.Forbidden)
		guest, _ := w.person("gus")
		w.write(func(ctx context.Context, x *ent.Tx) error {
			place := x.Location.Create().SetName("here").SaveX(ctx)
			node := x.Node.Create().SetName("n").SetLocation(place).SetPublicAddress("::1").SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0).SaveX(ctx)
			game := x.Template.Create().SetName("t").SaveX(ctx)
			sv := x.Server.Create().SetName("s").SetOwnerID(boss.User.ID).SetNode(node).SetTemplate(game).SaveX(ctx)
			return x.ServerAccess.Create().SetServer(sv).SetUserID(guest.User.ID).SetPermissions([]string{"server.read", "console.write"}).Exec(ctx)
		})
		_, err = w.CreatePasswordReset(helper, guest.User.ID)
		wantCode(t, "for somebody who may do more on a server", err, fault.Forbidden)
		email := "mine@example.com"
		_, err = w.UpdateUser(helper, accounts.UpdateUserInput{ID: guest.User.ID, UpdateProfileInput: accounts.UpdateProfileInput{Email: &email}})
		wantCode(t, "the address of somebody who may do more on a server", err, fault.Forbidden)
		_, err = w.CreatePasswordReset(admin, guest.User.ID)
		must(t, err)
		old, err := w.CreatePasswordReset(admin, ann.User.ID)
		must(t, err)
		reset, err := w.CreatePasswordReset(admin, ann.User.ID)
		must(t, err)

		_, err = w.RedeemPasswordReset(w.anyone(), old.Token, anotherPassword)
		wantCode(t, "a token that was replaced", err, fault.BadUserInput)
		_, err = w.RedeemPasswordReset(w.anyone(), "cp_nonsense", anotherPassword)
		wantCode(t, "no token", err, fault.BadUserInput)
		_, err = w.RedeemPasswordReset(w.anyone(), reset.Token, "ann")
		wantCode(t, "a bad password", err, fault.BadUserInput)

		var callers sync.WaitGroup
		var set atomic.Int32
		for range 5 {
			callers.Go(func() {
				if _, err := w.RedeemPasswordReset(w.anyone(), reset.Token, anotherPassword); err == nil {
					set.Add(1)
				} else if code := fault.CodeOf(err); code != fault.BadUserInput && code != fault.Conflict {
					t.Errorf("refused with %v", err)
				}
			})
		}
		callers.Wait()
		if set.Load() != 1 {
			t.Errorf("the token worked %d times", set.Load())
		}
		login := func(password string) error {
			_, err := w.Login(w.anyone(), accounts.LoginInput{Login: "ann", Password: password})
			return err
		}
		must(t, login(anotherPassword))
		wantCode(t, "the old password", login(goodPassword), fault.Unauthenticated)
		_, err = w.RefreshSession(w.anyone(), ann.RefreshToken)
		wantCode(t, "a session of the old password", err, fault.Unauthenticated)

		late, err := w.CreatePasswordReset(admin, ann.User.ID)
		must(t, err)
		w.clock.move(accounts.PasswordResetAge)
		_, err = w.RedeemPasswordReset(context.WithoutCancel(w.anyone()), late.Token, goodPassword)
		wantCode(t, "an expired token", err, fault.BadUserInput)
	})
}
