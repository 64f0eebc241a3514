package accounts

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/invite"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// InviteAge is how long an invitation can be accepted.
const InviteAge = 7 * 24 * time.Hour

// invitation is a fresh invite with its token.
type invitation struct {
	row   *ent.Invite
	token string
}

// invite stores an invitation, in the place of an older one of the same address.
func (s *Service) invite(ctx context.Context, u unit, serverID, email string, permissions []string) (*invitation, error) {
	_, err := u.Invite.Delete().
		Where(invite.ServerID(serverID), invite.Email(email), invite.AcceptedAtIsNil()).Exec(ctx)
	if err != nil {
		return nil, fmt.Errorf("remove an older invitation: %w", err)
	}
	secret := token.NewOpaque(token.PrefixInvite)
	create := u.Invite.Create().
		SetServerID(serverID).SetEmail(email).SetPermissions(permissions).
		SetTokenHash(secret.Hash).SetExpiresAt(s.now().Add(InviteAge))
	if v := viewer.FromContext(ctx); !v.IsSystem() {
		create.SetCreatedByID(v.UserID)
	}
	row, err := create.Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("store an invitation: %w", err)
	}
	return &invitation{row: row, token: secret.Plain}, nil
}

// AcceptInvite lets the viewer into the server that the token invites into. It works once, and only while the account
// that invited may still give what it promised. An access that is there already is widened.
func (s *Service) AcceptInvite(ctx context.Context, inviteToken string) (*ent.ServerAccess, error) {
	v, err := inPerson(ctx)
	if err != nil {
		return nil, err
	}
	if !token.IsOpaque(token.PrefixInvite, inviteToken) {
		return nil, unknownInvite()
	}
	var out *ent.ServerAccess
	e := audit.Entry{Action: "server.access.accept", TargetType: "Server"}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		row, err := u.Invite.Query().
			Where(invite.TokenHash(token.Hash(inviteToken)), invite.AcceptedAtIsNil(), invite.ExpiresAtGT(s.now()),
				invite.HasServerWith(server.DeletedAtIsNil())).
			Only(s.asSystem(ctx, "accept an invitation"))
		if ent.IsNotFound(err) {
			return unknownInvite()
		}
		if err != nil {
			return fmt.Errorf("look up an invitation: %w", err)
		}
		u.entry.TargetID, u.entry.ServerID = row.ServerID, row.ServerID
		u.entry.Details = map[string]any{"invite": row.ID, "permissions": row.Permissions}
		if err := s.stillMeant(ctx, u, row); err != nil {
			return err
		}
		err = u.Invite.UpdateOneID(row.ID).Where(invite.AcceptedAtIsNil()).SetAcceptedAt(s.now()).Exec(ctx)
		if ent.IsNotFound(err) {
			return unknownInvite()
		}
		if err != nil {
			return fmt.Errorf("accept an invitation: %w", err)
		}
		out, err = s.widen(ctx, u, row.ServerID, v.UserID, row.Permissions)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out.Unwrap(), nil
}

// stillMeant refuses an invitation by an account that could not give it today.
func (s *Service) stillMeant(ctx context.Context, u unit, row *ent.Invite) error {
	stale := fault.New(fault.Conflict, "Whoever invited you may not do so any more. Ask for another invitation.")
	if row.CreatedByID == nil {
		return stale
	}
	by, err := u.User.Query().Where(user.ID(*row.CreatedByID)).WithRoles().Only(s.asSystem(ctx, "who invited"))
	if err != nil {
		return fmt.Errorf("look up who invited: %w", err)
	}
	if by.Suspended {
		return stale
	}
	as := viewer.NewContext(ctx, &viewer.Viewer{UserID: by.ID, Username: by.Username, Permissions: permissionsOf(by.Edges.Roles)})
	needed := append([]string{string(access.ServerAccess)}, row.Permissions...)
	err = s.hasOnServer(as, row.ServerID, needed)
	if fault.CodeOf(err) == fault.Forbidden {
		return stale
	}
	return err
}

// widen gives an account permissions on a server, beside those that it has.
func (s *Service) widen(ctx context.Context, u unit, serverID, userID string, permissions []string) (*ent.ServerAccess, error) {
	has, err := u.ServerAccess.Query().
		Where(serveraccess.ServerID(serverID), serveraccess.UserID(userID)).
		Only(s.asSystem(ctx, "look up a server access"))
	if ent.IsNotFound(err) {
		return s.insertAccess(ctx, u, serverID, userID, permissions)
	}
	if err != nil {
		return nil, fmt.Errorf("look up a server access: %w", err)
	}
	all := append(slices.Clone(has.Permissions), permissions...)
	slices.Sort(all)
	row, err := u.ServerAccess.UpdateOneID(has.ID).SetPermissions(slices.Compact(all)).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("widen a server access: %w", err)
	}
	s.Announce(ctx, AccessChange{UserID: userID, ServerID: serverID})
	return row, nil
}

// DeleteInvite withdraws an invitation and returns its identifier. It needs server.access on the server.
func (s *Service) DeleteInvite(ctx context.Context, id string) (string, error) {
	e := audit.Entry{Action: "server.access.withdraw", TargetType: "Invite", TargetID: id}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if _, err := signedIn(ctx); err != nil {
			return err
		}
		if err := whole(kind.PrefixInvite, id, "invitation"); err != nil {
			return err
		}
		row, err := u.Invite.Get(ctx, id)
		if err != nil {
			return missing(err, "invitation")
		}
		if err := s.checkServer(ctx, access.ServerAccess, row.ServerID); err != nil {
			return err
		}
		u.entry.ServerID = row.ServerID
		if err := u.Invite.DeleteOneID(id).Exec(ctx); err != nil {
			return missing(err, "invitation")
		}
		return nil
	})
	return id, err
}

func unknownInvite() *fault.Error {
	return fault.Input("token", "This invitation does not exist, has been used, or has expired. Ask for another.")
}
