package accounts_test

import (
	"context"
	"sync"
	"testing"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, root := w.admin("root")
		row, err := w.CreateUser(root, accounts.CreateUserInput{Email: "ada@example.com", Username: "ada", Password: goodPassword})
		must(t, err)
		c, err := w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		must(t, err)
		ctx := w.as(c.AccessToken)
		german, zone, name := "de", "Europe/Berlin", "Ada"
		row, err = w.UpdateUser(root, accounts.UpdateUserInput{ID: row.ID, UpdateProfileInput: accounts.UpdateProfileInput{
			Language: &german, TimeZone: &zone, Username: &name,
		}})
		must(t, err)
		if row.Language != "de" || row.TimeZone != zone || row.Username != "Ada" || row.Email != "ada@example.com" {
			t.Errorf("updated %+v", row)
		}
		for field, in := range map[string]accounts.UpdateProfileInput{
			"language": {Language: new("german please")}, "timeZone": {TimeZone: new("Mars/Olympus")},
			"email": {Email: new("nowhere")}, "username": {Username: new("")},
		} {
			wantField(t, field, second(w.UpdateProfile(ctx, in)), field)
		}
		wantCode(t, "somebody else's address", second(w.UpdateProfile(ctx, accounts.UpdateProfileInput{Email: new("ROOT@example.com")})), fault.Conflict)
		wantCode(t, "the own name in another case", second(w.UpdateProfile(ctx, accounts.UpdateProfileInput{Username: new("ADA")})), "")

		srv := w.server("one", row.ID)
		_, err = w.DeleteUser(root, row.ID)
		wantCode(t, "an account that owns a server", err, fault.Conflict)
		w.write(func(ctx context.Context, t *ent.Tx) error {
			return t.Server.UpdateOneID(srv).SetDeletedAt(w.clock.now()).Exec(ctx)
		})
		_, err = w.DeleteUser(root, row.ID)
		wantCode(t, "while the server is being removed", err, fault.Conflict)
		w.write(func(ctx context.Context, t *ent.Tx) error { return t.Server.DeleteOneID(srv).Exec(ctx) })
		heard := w.listen()
		_, err = w.DeleteUser(root, row.ID)
		must(t, err)
		heard("deletion", row.ID, "")
		w.refused("a deleted account", c.AccessToken)
		_, err = w.DeleteUser(root, row.ID)
		wantCode(t, "an account that is gone", err, fault.NotFound)
	})
}

// TestA11AuditTrailOutlivesTheAccount also shows what a refusal leaves.
func TestA11AuditTrailOutlivesTheAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, root := w.admin("root")
		c, ctx := w.with("ada", "user.read")
		_, err := w.SuspendUser(ctx, c.User.ID)
		wantCode(t, "without user.update", err, fault.Forbidden)
		_, err = w.DeleteUser(root, c.User.ID)
		must(t, err)
		rows := w.trail("user.suspend")
		if len(rows) != 1 || rows[0].ActorID != nil || rows[0].ActorName != "ada" || rows[0].Outcome != kind.AuditOutcomeRefused {
			t.Errorf("trail %+v", rows)
		}
	})
}

// TestA2NobodyPassesOnWhatTheyLack tries every way up there is.
func TestA2NobodyPassesOnWhatTheyLack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		boss, root := w.admin("root")
		plain, _ := w.person("plain")
		mine, ctx := w.with("clerk", "user.*", "role.*", "node.read")
		strong, err := w.CreateRole(root, accounts.CreateRoleInput{Name: "strong", Permissions: []string{"node.*"}})
		must(t, err)
		weak, err := w.CreateRole(ctx, accounts.CreateRoleInput{Name: "weak", Permissions: []string{"node.read", "user.read"}})
		must(t, err)
		keeper, _ := w.person("keeper")
		_, err = w.SetUserRoles(root, keeper.User.ID, []string{strong.ID})
		must(t, err)
		admin := w.role("admin")

		role := func(p ...string) error {
			return second(w.CreateRole(ctx, accounts.CreateRoleInput{Name: kind.NewID("r"), Permissions: p}))
		}
		newUser := func(roles ...string) error {
			id := kind.NewID("u")
			return second(w.CreateUser(ctx, accounts.CreateUserInput{
				Email: id + "@example.com", Username: id, Password: goodPassword, RoleIDs: roles,
			}))
		}
		update := func(id string, p ...string) error {
			return second(w.UpdateRole(ctx, accounts.UpdateRoleInput{ID: id, Permissions: p}))
		}
		for name, err := range map[string]error{
			"role with *":                role("*"),
			"role with an area":          role("node.*"),
			"role with one more":         role("node.read", "node.update"),
			"wider role":                 update(weak.ID, "node.read", "node.update"),
			"role of others":             update(strong.ID, "node.read"),
			"other role's name":          second(w.UpdateRole(ctx, accounts.UpdateRoleInput{ID: strong.ID, Name: new("mine")})),
			"deleting a stronger role":   second(w.DeleteRole(ctx, strong.ID)),
			"admin for oneself":          second(w.SetUserRoles(ctx, mine.User.ID, []string{admin})),
			"stronger role for another":  second(w.SetUserRoles(ctx, plain.User.ID, []string{strong.ID})),
			"taking a stronger role":     second(w.SetUserRoles(ctx, keeper.User.ID, []string{})),
			"new account as admin":       newUser(admin),
			"new account, stronger role": newUser(weak.ID, strong.ID),
			"address of the admin":       second(w.UpdateUser(ctx, accounts.UpdateUserInput{ID: boss.User.ID, UpdateProfileInput: accounts.UpdateProfileInput{Email: new("me@example.com")}})),
			"suspending the admin":       second(w.SuspendUser(ctx, boss.User.ID)),
			"unsuspending the stronger":  second(w.UnsuspendUser(ctx, keeper.User.ID)),
			"deleting the stronger":      second(w.DeleteUser(ctx, keeper.User.ID)),
		} {
			wantCode(t, name, err, fault.Forbidden)
		}
		for name, err := range map[string]error{
			"same permissions":    role("node.read", "user.*"),
			"role one may give":   second(w.SetUserRoles(ctx, plain.User.ID, []string{weak.ID, weak.ID})),
			"new account":         newUser(weak.ID),
			"account with none":   newUser([]string{}...),
			"narrower role":       update(weak.ID, "node.read"),
			"suspending the weak": second(w.SuspendUser(ctx, plain.User.ID)),
		} {
			wantCode(t, name, err, "")
		}
		_, err = w.UnsuspendUser(ctx, plain.User.ID)
		must(t, err)
		again, err := w.Login(w.anyone(), accounts.LoginInput{Login: "plain", Password: goodPassword})
		must(t, err)
		stranger := w.as(again.AccessToken) // node.read and no more
		for name, err := range map[string]error{
			"account of another":    second(w.SuspendUser(stranger, boss.User.ID)),
			"account that is not":   second(w.SuspendUser(stranger, kind.NewID(kind.PrefixUser))),
			"nonsense":              second(w.SuspendUser(stranger, "x")),
			"role one cannot see":   second(w.DeleteRole(stranger, strong.ID)),
			"role that is not":      second(w.DeleteRole(stranger, kind.NewID(kind.PrefixRole))),
			"a user as a role":      second(w.DeleteRole(root, boss.User.ID)),
			"a role as a user":      second(w.SuspendUser(root, strong.ID)),
			"unknown role for user": second(w.SetUserRoles(root, plain.User.ID, []string{kind.NewID(kind.PrefixRole)})),
		} {
			wantCode(t, name, err, fault.NotFound)
		}
		_, err = w.CreateRole(root, accounts.CreateRoleInput{Name: "STRONG", Permissions: []string{"node.read"}})
		wantCode(t, "a name that is taken", err, fault.Conflict)
		wantField(t, "an unknown permission", role("node.fly"), "permissions")
		_, err = w.CreateUser(stranger, accounts.CreateUserInput{Email: "x@example.com", Username: "xx", Password: goodPassword})
		wantCode(t, "a new account without user.create", err, fault.Forbidden)
		w.wantTrail("user.create", append(repeat(kind.AuditOutcomeRefused, 2),
			kind.AuditOutcomeSucceeded, kind.AuditOutcomeSucceeded, kind.AuditOutcomeRefused)...)
	})
}

// TestA2NameIsNoPower shows that a role called admin without permissions has none.
func TestA2NameIsNoPower(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, root := w.admin("root")
		c, ctx := w.person("ada")
		row, err := w.CreateRole(root, accounts.CreateRoleInput{Name: "administrator", Permissions: nil})
		must(t, err)
		_, err = w.SetUserRoles(root, c.User.ID, []string{row.ID})
		must(t, err)
		fresh, err := w.Refresh(ctx)
		must(t, err)
		if len(fresh.Permissions) != 0 {
			t.Errorf("permissions %v", fresh.Permissions)
		}
		_, err = w.CreateRole(ctx, accounts.CreateRoleInput{Name: "x"})
		wantCode(t, "an administrator's verb", err, fault.Forbidden)
	})
}

func TestLastAdministratorStays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		one, root := w.admin("root")
		other, _ := w.person("other")
		all, err := w.CreateRole(root, accounts.CreateRoleInput{Name: "all", Permissions: []string{"*"}})
		must(t, err)
		conflict := func(what string, err error) { t.Helper(); wantCode(t, what, err, fault.Conflict) }
		conflict("giving up the role", second(w.SetUserRoles(root, one.User.ID, []string{w.role("user")})))
		conflict("suspending oneself", second(w.SuspendUser(root, one.User.ID)))
		conflict("deleting oneself", second(w.DeleteUser(root, one.User.ID)))
		conflict("emptying the role admin", second(w.UpdateRole(root, accounts.UpdateRoleInput{ID: w.role("admin"), Permissions: []string{"node.read"}})))
		conflict("renaming the role admin", second(w.UpdateRole(root, accounts.UpdateRoleInput{ID: w.role("admin"), Name: new("x")})))
		conflict("deleting the role admin", second(w.DeleteRole(root, w.role("admin"))))
		conflict("deleting the role user", second(w.DeleteRole(root, w.role("user"))))
		_, err = w.SetUserRoles(root, one.User.ID, []string{all.ID})
		must(t, err)
		conflict("deleting the last role with everything", second(w.DeleteRole(root, all.ID)))
		conflict("emptying the last role with everything", second(w.UpdateRole(root, accounts.UpdateRoleInput{ID: all.ID, Permissions: []string{}})))
		must(t, w.Revalidate(root)) // all of that was rolled back

		_, err = w.SetUserRoles(root, other.User.ID, []string{w.role("admin")})
		must(t, err)
		_, err = w.SuspendUser(root, other.User.ID)
		must(t, err)
		conflict("a suspended administrator does not count", second(w.SetUserRoles(root, one.User.ID, nil)))
		_, err = w.UnsuspendUser(root, other.User.ID)
		must(t, err)

		// Two administrators dismiss each other at once: one of them stays.
		again, err := w.Login(w.anyone(), accounts.LoginInput{Login: "other", Password: goodPassword})
		must(t, err)
		second := w.as(again.AccessToken)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = w.SetUserRoles(root, other.User.ID, nil) })
		wg.Go(func() { _, _ = w.SetUserRoles(second, one.User.ID, nil) })
		wg.Wait()
		left, err := w.store.Client.User.Query().Where(user.HasRoles()).Count(w.system())
		must(t, err)
		if left != 1 {
			t.Errorf("%d administrators are left", left)
		}
	})
}

func TestFirstAdmin(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, _, err := w.FirstAdmin(w.anyone(), "root@example.com", "")
		wantCode(t, "by somebody", err, fault.Forbidden)
		_, _, err = w.FirstAdmin(w.system(), "root@example.com", "short")
		wantField(t, "a short password", err, "password")
		_, _, err = w.FirstAdmin(w.system(), "root", "")
		wantField(t, "no address", err, "email")

		var mu sync.Mutex
		var passwords []string
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				created, password, err := w.FirstAdmin(w.system(), "Root@localhost", "")
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if created != (password != "") {
					t.Errorf("created %v, password %q", created, password)
				}
				if created {
					passwords = append(passwords, password)
				}
			})
		}
		wg.Wait()
		if len(passwords) != 1 {
			t.Fatalf("%d first administrators", len(passwords))
		}
		for _, login := range []string{"admin", "root@localhost"} {
			c, err := w.Login(w.anyone(), accounts.LoginInput{Login: login, Password: passwords[0]})
			must(t, err)
			_, err = w.CreateRole(w.as(c.AccessToken), accounts.CreateRoleInput{Name: "by " + login, Permissions: []string{"*"}})
			must(t, err)
		}
		w.wantTrail("user.first_admin", kind.AuditOutcomeSucceeded)
		if row := w.trail("user.first_admin")[0]; row.ActorName != "system" {
			t.Errorf("actor %q", row.ActorName)
		}
	})
}

func TestResetPassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c, ctx := w.person("ada")
		_, err := w.ResetPassword(ctx, "ada", "")
		wantCode(t, "by oneself", err, fault.Forbidden)
		_, err = w.ResetPassword(w.system(), "nobody", "")
		wantCode(t, "of nobody", err, fault.NotFound)
		random, err := w.ResetPassword(w.system(), "ADA@example.com", "")
		must(t, err)
		w.refused("a session from before", c.AccessToken)
		_, err = w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		wantCode(t, "the old password", err, fault.Unauthenticated)
		_, err = w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: random})
		must(t, err)
		_, err = w.ResetPassword(w.system(), "ada", "given harbour 44")
		must(t, err)
		_, err = w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: "given harbour 44"})
		must(t, err)
	})
}

func repeat[T any](v T, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}
