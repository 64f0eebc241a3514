package accounts_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

func TestGrantAndRevoke(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, ctx := w.person("owner")
		guest, guestCtx := w.person("guest")
		srv := w.server("one", owner.User.ID)
		may := func(p access.Permission) error { return access.Check(guestCtx, w.store.Client, p, access.On(srv)) }
		wantCode(t, "before", may(access.ConsoleRead), fault.NotFound)

		heard := w.listen()
		row, invite, tok, err := w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{
			ServerID: srv, UserID: &guest.User.ID, Permissions: []string{"console.*", "server.start"},
		})
		must(t, err)
		if invite != nil || tok != nil || !slices.Equal(row.Permissions, []string{"console.read", "console.write", "server.read", "server.start"}) {
			t.Errorf("granted %+v, invite %v", row, invite)
		}
		heard("grant", guest.User.ID, srv)
		wantCode(t, "what was granted", may(access.ConsoleRead), "")
		wantCode(t, "what was not", may(access.ServerStop), fault.Forbidden)
		_, _, _, err = w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: srv, UserID: &guest.User.ID})
		wantCode(t, "a grant to whoever has one", err, fault.Conflict)
		_, _, _, err = w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: srv, UserID: &owner.User.ID})
		wantCode(t, "a grant to the owner", err, fault.Conflict)

		row, err = w.UpdateServerAccess(ctx, accounts.UpdateServerAccessInput{ServerID: srv, UserID: guest.User.ID, Permissions: []string{"server.stop"}})
		must(t, err)
		heard("update", guest.User.ID, srv)
		wantCode(t, "what was taken", may(access.ConsoleRead), fault.Forbidden)
		wantCode(t, "what was given", may(access.ServerStop), "")

		signal, err := w.Changes(t.Context(), guest.User.ID)
		must(t, err)
		id, err := w.RevokeServerAccess(ctx, srv, guest.User.ID)
		must(t, err)
		if id != row.ID {
			t.Errorf("revoked %q, want %q", id, row.ID)
		}
		heard("revocation", guest.User.ID, srv)
		select {
		case <-signal:
		default:
			t.Error("the watcher was not woken")
		}
		wantCode(t, "after", may(access.ServerRead), fault.NotFound)
		_, err = w.RevokeServerAccess(ctx, srv, guest.User.ID)
		wantCode(t, "a second revocation", err, fault.NotFound)
		w.wantTrail("server.access.revoke", kind.AuditOutcomeSucceeded)
		if row := w.trail("server.access.grant")[0]; row.ServerID == nil || *row.ServerID != srv || row.ActorName != "owner" {
			t.Errorf("entry %+v", row)
		}
	})
}

func TestGrantRefuses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, ctx := w.person("owner")
		helper, helperCtx := w.person("helper")
		reader, readerCtx := w.person("reader")
		friend, _ := w.person("friend")
		_, stranger := w.person("stranger")
		srv := w.server("one", owner.User.ID)
		grant := func(ctx contextOf, who string, p ...string) error {
			_, _, _, err := w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: srv, UserID: &who, Permissions: p})
			return err
		}
		must(t, grant(ctx, helper.User.ID, "server.access", "console.read"))
		must(t, grant(ctx, reader.User.ID, "console.*", "file.*"))

		update := func(ctx contextOf, who string, p ...string) error {
			return second(w.UpdateServerAccess(ctx, accounts.UpdateServerAccessInput{ServerID: srv, UserID: who, Permissions: p}))
		}
		for name, c := range map[string]struct {
			err  error
			code fault.Code
		}{
			"stranger":                     {grant(stranger, friend.User.ID, "server.read"), fault.NotFound},
			"nobody":                       {grant(w.anyone(), friend.User.ID), fault.Unauthenticated},
			"guest without server.access":  {grant(readerCtx, friend.User.ID, "console.read"), fault.Forbidden},
			"guest, more than they have":   {grant(helperCtx, friend.User.ID, "console.write"), fault.Forbidden},
			"guest, an area":               {grant(helperCtx, friend.User.ID, "console.*"), fault.Forbidden},
			"guest, everything":            {grant(helperCtx, friend.User.ID, "*"), fault.Forbidden},
			"owner, no server-level":       {grant(ctx, friend.User.ID, "node.read"), fault.BadUserInput},
			"owner, unknown permission":    {grant(ctx, friend.User.ID, "server.fly"), fault.BadUserInput},
			"owner, server.create":         {grant(ctx, friend.User.ID, "server.create"), fault.BadUserInput},
			"owner, unknown user":          {grant(ctx, kind.NewID(kind.PrefixUser), "server.read"), fault.NotFound},
			"guest widens their own":       {update(helperCtx, helper.User.ID, "server.access", "console.read", "server.start"), fault.Forbidden},
			"guest narrows their own":      {update(helperCtx, helper.User.ID, "console.read"), fault.Forbidden},
			"guest narrows a stronger one": {update(helperCtx, reader.User.ID, "console.read"), fault.Forbidden},
			"update of none":               {update(ctx, friend.User.ID, "console.read"), fault.NotFound},
			"reader revokes helper":        {second(w.RevokeServerAccess(readerCtx, srv, helper.User.ID)), fault.Forbidden},
			"stranger revokes helper":      {second(w.RevokeServerAccess(stranger, srv, helper.User.ID)), fault.NotFound},
			"guest takes the server": {second(w.TransferServerOwnership(helperCtx,
				accounts.TransferServerOwnershipInput{ServerID: srv, UserID: helper.User.ID})), fault.Forbidden},
			"no server":    {third2(w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: kind.NewID(kind.PrefixServer), UserID: &friend.User.ID})), fault.NotFound},
			"nonsense":     {third2(w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: "", UserID: &friend.User.ID})), fault.NotFound},
			"nobody named": {third2(w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: srv})), fault.BadUserInput},
			"two named": {third2(w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{
				ServerID: srv, UserID: &friend.User.ID, Email: new("friend@example.com"),
			})), fault.BadUserInput},
			"no address": {third2(w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: srv, Email: new("friend")})), fault.BadUserInput},
		} {
			wantCode(t, name, c.err, c.code)
		}
		must(t, grant(helperCtx, friend.User.ID, "console.read"))
		must(t, second(w.RevokeServerAccess(readerCtx, srv, reader.User.ID))) // leaving is free
		_, key, err := w.CreateAPIKey(ctx, accounts.CreateAPIKeyInput{Name: "k", Permissions: []string{"server.read", "server.access"}})
		must(t, err)
		wantCode(t, "a key gives what it is limited to", update(w.as(key), friend.User.ID), fault.Forbidden)
		wantCode(t, "a key gives more than its limit", grant(w.as(key), reader.User.ID, "console.read"), fault.Forbidden)
		wantCode(t, "a key within its limit", grant(w.as(key), reader.User.ID, "server.read"), "")
	})
}

func TestInvite(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, ctx := w.person("owner")
		_, knownCtx := w.person("known")
		srv := w.server("one", owner.User.ID)
		byMail := func(ctx contextOf, email string, p ...string) (string, error) {
			row, invite, tok, err := w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: srv, Email: &email, Permissions: p})
			if err != nil || row != nil {
				return "", err
			}
			if invite.Email != "friend@example.com" {
				t.Errorf("invited %q", invite.Email)
			}
			return *tok, nil
		}
		tok, err := byMail(ctx, "KNOWN@example.com", "console.read")
		must(t, err)
		if tok != "" {
			t.Error("an account that exists was invited")
		}
		first, err := byMail(ctx, "friend@example.com", "console.read")
		must(t, err)
		tok, err = byMail(ctx, " Friend@Example.com", "console.read", "server.start")
		must(t, err)

		_, friendCtx := w.person("friend")
		_, err = w.AcceptInvite(friendCtx, first)
		wantField(t, "the invitation that was replaced", err, "token")
		_, err = w.AcceptInvite(w.anyone(), tok)
		wantCode(t, "by nobody", err, fault.Unauthenticated)
		_, err = w.AcceptInvite(ctx, tok)
		wantCode(t, "by the owner", err, fault.Conflict)

		var wg sync.WaitGroup
		results := make([]error, 6)
		for i := range results {
			wg.Go(func() { _, results[i] = w.AcceptInvite(friendCtx, tok) })
		}
		wg.Wait()
		good := 0
		for _, err := range results {
			if err == nil {
				good++
			} else {
				wantField(t, "a used invitation", err, "token")
			}
		}
		if good != 1 {
			t.Errorf("an invitation was accepted %d times", good)
		}
		wantCode(t, "what it gave", access.Check(friendCtx, w.store.Client, access.ServerStart, access.On(srv)), "")
		wantCode(t, "what it gave by address", access.Check(knownCtx, w.store.Client, access.ConsoleRead, access.On(srv)), "")
	})
}

func TestInviteEnds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, root := w.admin("root")
		owner, ctx := w.person("owner")
		helper, helperCtx := w.person("helper")
		_, guest := w.person("guest")
		srv := w.server("one", owner.User.ID)
		must(t, third2(w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{
			ServerID: srv, UserID: &helper.User.ID, Permissions: []string{"server.access", "console.read"},
		})))
		invite := func(ctx contextOf, email string) (string, string) {
			_, row, tok, err := w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{
				ServerID: srv, Email: &email, Permissions: []string{"console.read"},
			})
			must(t, err)
			return row.ID, *tok
		}
		_, byHelper := invite(helperCtx, "a@example.com")
		id, withdrawn := invite(ctx, "b@example.com")
		_, bySuspended := invite(helperCtx, "c@example.com")
		_, expired := invite(ctx, "d@example.com")

		_, err := w.DeleteInvite(guest, id)
		wantCode(t, "withdrawn by a stranger", err, fault.NotFound)
		_, err = w.DeleteInvite(ctx, id)
		must(t, err)
		_, err = w.AcceptInvite(guest, withdrawn)
		wantField(t, "withdrawn", err, "token")

		_, err = w.UpdateServerAccess(ctx, accounts.UpdateServerAccessInput{ServerID: srv, UserID: helper.User.ID, Permissions: []string{"server.access"}})
		must(t, err)
		_, err = w.AcceptInvite(guest, byHelper)
		wantCode(t, "the inviter lost what they promised", err, fault.Conflict)
		_, err = w.UpdateServerAccess(ctx, accounts.UpdateServerAccessInput{ServerID: srv, UserID: helper.User.ID, Permissions: []string{"server.access", "console.read"}})
		must(t, err)
		_, err = w.SuspendUser(root, helper.User.ID)
		must(t, err)
		_, err = w.AcceptInvite(guest, bySuspended)
		wantCode(t, "the inviter is suspended", err, fault.Conflict)

		c, err := w.Login(w.anyone(), accounts.LoginInput{Login: "guest", Password: goodPassword})
		must(t, err)
		w.clock.move(accounts.InviteAge + 1)
		next, err := w.RefreshSession(w.anyone(), c.RefreshToken)
		must(t, err)
		_, err = w.AcceptInvite(w.as(next.AccessToken), expired)
		wantField(t, "expired", err, "token")
		count, err := w.store.Client.ServerAccess.Query().Count(w.system())
		must(t, err)
		if count != 1 {
			t.Errorf("%d accesses, want the helper's", count)
		}
	})
}

func TestTransferOwnership(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, ctx := w.person("owner")
		heir, heirCtx := w.person("heir")
		deputy, deputyCtx := w.person("deputy")
		srv := w.server("one", owner.User.ID)
		for _, who := range []string{heir.User.ID, deputy.User.ID} {
			must(t, third2(w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: srv, UserID: &who, Permissions: []string{"*"}})))
		}
		give := func(ctx contextOf, to string) error {
			return second(w.TransferServerOwnership(ctx, accounts.TransferServerOwnershipInput{ServerID: srv, UserID: to}))
		}
		wantCode(t, "by an access with everything", give(deputyCtx, deputy.User.ID), fault.Forbidden)
		wantCode(t, "to nobody", give(ctx, kind.NewID(kind.PrefixUser)), fault.NotFound)
		wantCode(t, "to oneself", give(ctx, owner.User.ID), fault.Conflict)
		heard := w.listen()
		must(t, give(ctx, heir.User.ID))
		heard("the former owner", owner.User.ID, srv)
		heard("the new owner", heir.User.ID, srv)
		check := func(ctx contextOf) error {
			return access.Check(ctx, w.store.Client, access.ServerDelete, access.On(srv))
		}
		wantCode(t, "the former owner", check(ctx), fault.NotFound)
		wantCode(t, "the new owner", check(heirCtx), "")
		left, err := w.store.Client.ServerAccess.Query().Where(serveraccess.ServerID(srv)).All(w.system())
		must(t, err)
		if len(left) != 1 || left[0].UserID != deputy.User.ID {
			t.Errorf("accesses %v", left)
		}
		_, root := w.admin("root")
		must(t, give(root, owner.User.ID))
		wantCode(t, "by an administrator", check(ctx), "")
	})
}

// TestAnonymousMayNothing calls every verb that needs somebody.
func TestAnonymousMayNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := w.anyone()
		for name, err := range map[string]error{
			"logout":         w.Logout(ctx),
			"revokeSession":  second(w.RevokeSession(ctx, "x")),
			"changePassword": second(w.ChangePassword(ctx, accounts.ChangePasswordInput{})),
			"updateProfile":  second(w.UpdateProfile(ctx, accounts.UpdateProfileInput{})),
			"createApiKey":   third(w.CreateAPIKey(ctx, accounts.CreateAPIKeyInput{})),
			"deleteApiKey":   second(w.DeleteAPIKey(ctx, "x")),
			"addSshKey":      second(w.AddSSHKey(ctx, accounts.AddSSHKeyInput{})),
			"deleteSshKey":   second(w.DeleteSSHKey(ctx, "x")),
			"createUser":     second(w.CreateUser(ctx, accounts.CreateUserInput{})),
			"updateUser":     second(w.UpdateUser(ctx, accounts.UpdateUserInput{})),
			"deleteUser":     second(w.DeleteUser(ctx, "x")),
			"setUserRoles":   second(w.SetUserRoles(ctx, "x", nil)),
			"suspendUser":    second(w.SuspendUser(ctx, "x")),
			"unsuspendUser":  second(w.UnsuspendUser(ctx, "x")),
			"createRole":     second(w.CreateRole(ctx, accounts.CreateRoleInput{})),
			"updateRole":     second(w.UpdateRole(ctx, accounts.UpdateRoleInput{})),
			"deleteRole":     second(w.DeleteRole(ctx, "x")),
			"grant":          third2(w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{})),
			"update":         second(w.UpdateServerAccess(ctx, accounts.UpdateServerAccessInput{})),
			"revoke":         second(w.RevokeServerAccess(ctx, "x", "y")),
			"acceptInvite":   second(w.AcceptInvite(ctx, "x")),
			"deleteInvite":   second(w.DeleteInvite(ctx, "x")),
			"transfer":       second(w.TransferServerOwnership(ctx, accounts.TransferServerOwnershipInput{})),
		} {
			wantCode(t, name, err, fault.Unauthenticated)
		}
	})
}

func third2[A, B, C any](_ A, _ B, _ C, err error) error { return err }
