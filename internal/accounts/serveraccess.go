package accounts

import (
	"context"
	"fmt"
	"slices"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/predicate"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// GrantServerAccessInput says who is let into which server, to do what.
type GrantServerAccessInput struct {
	ServerID string
	// UserID or Email names who: exactly one of them.
	UserID, Email *string
	// Permissions are server-level ones, wildcards included. server.read is always among them.
	Permissions []string
}

// GrantServerAccess lets an account into a server. It needs server.access there, and every permission that is given. An
// address without an account is invited: then the access is nil, and the token of the invitation is returned this once.
func (s *Service) GrantServerAccess(ctx context.Context, in GrantServerAccessInput) (*ent.ServerAccess, *ent.Invite, *string, error) {
	var row *ent.ServerAccess
	var invited *invitation
	e := audit.Entry{Action: "server.access.grant", TargetType: "Server", TargetID: in.ServerID, ServerID: in.ServerID}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		row, invited = nil, nil
		permissions, err := s.toGive(ctx, in.ServerID, in.Permissions)
		if err != nil {
			return err
		}
		who, email, err := s.grantee(ctx, u, in)
		if err != nil {
			return err
		}
		u.entry.Details = map[string]any{"permissions": permissions}
		if who == nil {
			u.entry.Action = "server.access.invite"
			invited, err = s.invite(ctx, u, in.ServerID, email, permissions)
			return err
		}
		u.entry.Details["user"] = who.ID
		row, err = s.insertAccess(ctx, u, in.ServerID, who.ID, permissions)
		return err
	})
	switch {
	case err != nil:
		return nil, nil, nil, err
	case invited != nil:
		return nil, invited.row.Unwrap(), &invited.token, nil
	default:
		return row.Unwrap(), nil, nil, nil
	}
}

// toGive checks server.access on the server and returns the permissions written out, all of which the viewer has there.
func (s *Service) toGive(ctx context.Context, serverID string, list []string) ([]string, error) {
	if err := s.checkServer(ctx, access.ServerAccess, serverID); err != nil {
		return nil, err
	}
	if len(list) > maxPermissions {
		return nil, fault.Input("permissions", "These are more permissions than there are.")
	}
	permissions, err := access.ExpandServer("permissions", list)
	if err != nil {
		return nil, err
	}
	return permissions, s.hasOnServer(ctx, serverID, permissions)
}

// checkServer checks a permission on what must be a server.
func (s *Service) checkServer(ctx context.Context, p access.Permission, id string) error {
	if viewer.FromContext(ctx) != nil {
		if err := whole(kind.PrefixServer, id, "server"); err != nil {
			return err
		}
	}
	return access.Check(ctx, s.client, p, access.On(id))
}

// hasOnServer refuses permissions that the viewer lacks on the server.
func (s *Service) hasOnServer(ctx context.Context, serverID string, permissions []string) error {
	mine, err := access.OnServer(ctx, s.client, serverID)
	if err != nil {
		return err
	}
	for _, p := range permissions {
		if !slices.Contains(mine, access.Permission(p)) {
			return fault.New(fault.Forbidden, "You lack the permission %s on this server yourself, so you cannot give it.", p)
		}
	}
	return nil
}

// grantee returns the account that is to be let in, or the address that is to be invited.
func (s *Service) grantee(ctx context.Context, u unit, in GrantServerAccessInput) (*ent.User, string, error) {
	sys := s.asSystem(ctx, "find who is let into a server")
	switch {
	case (in.UserID == nil) == (in.Email == nil):
		return nil, "", fault.Input("userId", "Name either userId or email.")
	case in.UserID != nil:
		row, err := u.User.Get(sys, *in.UserID)
		return row, "", missing(err, "user")
	}
	email, err := checkEmail(*in.Email)
	if err != nil {
		return nil, "", err
	}
	row, err := u.User.Query().Where(user.Email(email)).Only(sys)
	if ent.IsNotFound(err) {
		return nil, email, nil
	}
	return row, email, err
}

// insertAccess stores an access that is not there yet.
func (s *Service) insertAccess(ctx context.Context, u unit, serverID, userID string, permissions []string) (*ent.ServerAccess, error) {
	sys := s.asSystem(ctx, "see who is in a server")
	owned, err := u.Server.Query().Where(server.ID(serverID), server.OwnerID(userID)).Exist(sys)
	if err != nil {
		return nil, fmt.Errorf("look up a server's owner: %w", err)
	}
	if owned {
		return nil, fault.New(fault.Conflict, "This account owns the server and may do everything there.")
	}
	there, err := u.ServerAccess.Query().Where(serveraccess.ServerID(serverID), serveraccess.UserID(userID)).Exist(sys)
	if err != nil {
		return nil, fmt.Errorf("look up a server access: %w", err)
	}
	if there {
		return nil, fault.New(fault.Conflict, "This account has access to the server already. Change it with updateServerAccess.")
	}
	row, err := u.ServerAccess.Create().SetServerID(serverID).SetUserID(userID).SetPermissions(permissions).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("store a server access: %w", err)
	}
	s.Announce(ctx, AccessChange{UserID: userID, ServerID: serverID})
	return row, nil
}

// UpdateServerAccessInput says what an account may do in a server from now on.
type UpdateServerAccessInput struct {
	ServerID, UserID string
	Permissions      []string
}

// UpdateServerAccess replaces the permissions of an access. It needs server.access on the server and every permission
// that is given or taken; nobody changes their own.
func (s *Service) UpdateServerAccess(ctx context.Context, in UpdateServerAccessInput) (*ent.ServerAccess, error) {
	var out *ent.ServerAccess
	e := audit.Entry{Action: "server.access.update", TargetType: "Server", TargetID: in.ServerID, ServerID: in.ServerID}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		permissions, err := s.toGive(ctx, in.ServerID, in.Permissions)
		if err != nil {
			return err
		}
		row, err := s.accessOf(ctx, u, in.ServerID, in.UserID)
		if err != nil {
			return err
		}
		if err := s.hasOnServer(ctx, in.ServerID, row.Permissions); err != nil {
			return err
		}
		if viewer.FromContext(ctx).UserID == in.UserID {
			return fault.New(fault.Forbidden, "You cannot change your own access to a server.")
		}
		u.entry.Details = map[string]any{"user": in.UserID, "before": row.Permissions, "after": permissions}
		out, err = u.ServerAccess.UpdateOneID(row.ID).SetPermissions(permissions).Save(ctx)
		if err != nil {
			return missing(err, "server access")
		}
		s.Announce(ctx, AccessChange{UserID: in.UserID, ServerID: in.ServerID})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out.Unwrap(), nil
}

// RevokeServerAccess shuts an account out of a server, at once, and returns the identifier of the access. It needs
// server.access on the server, unless it is the viewer who leaves.
func (s *Service) RevokeServerAccess(ctx context.Context, serverID, userID string) (string, error) {
	var id string
	e := audit.Entry{Action: "server.access.revoke", TargetType: "Server", TargetID: serverID, ServerID: serverID}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		needed := access.ServerAccess
		if v := viewer.FromContext(ctx); v != nil && !v.IsSystem() && v.UserID == userID && v.Limit == nil {
			needed = access.ServerRead
		}
		if err := s.checkServer(ctx, needed, serverID); err != nil {
			return err
		}
		row, err := s.accessOf(ctx, u, serverID, userID)
		if err != nil {
			return err
		}
		id = row.ID
		u.entry.Details = map[string]any{"user": userID}
		if err := u.ServerAccess.DeleteOneID(row.ID).Exec(ctx); err != nil {
			return missing(err, "server access")
		}
		s.Announce(ctx, AccessChange{UserID: userID, ServerID: serverID})
		return nil
	})
	return id, err
}

// accessOf returns an account's access to a server.
func (s *Service) accessOf(ctx context.Context, u unit, serverID, userID string) (*ent.ServerAccess, error) {
	row, err := u.ServerAccess.Query().
		Where(serveraccess.ServerID(serverID), serveraccess.UserID(userID)).
		Only(s.asSystem(ctx, "look up a server access"))
	if err != nil {
		return nil, missing(err, "server access")
	}
	return row, nil
}

// TransferServerOwnershipInput says who is to own which server.
type TransferServerOwnershipInput struct {
	ServerID, UserID string
}

// TransferServerOwnership gives a server to another account; the former owner keeps nothing. It needs server.access
// with everything else on the server, as its owner or by a role: an access, however wide, does not suffice.
func (s *Service) TransferServerOwnership(ctx context.Context, in TransferServerOwnershipInput) (*ent.Server, error) {
	var out *ent.Server
	e := audit.Entry{Action: "server.owner", TargetType: "Server", TargetID: in.ServerID, ServerID: in.ServerID}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		row, err := s.toTransfer(ctx, u, in.ServerID)
		if err != nil {
			return err
		}
		to, err := u.User.Get(s.asSystem(ctx, "find who is to own a server"), in.UserID)
		if err != nil {
			return missing(err, "user")
		}
		if to.Suspended {
			return fault.New(fault.Conflict, "This account is suspended and cannot be given a server.")
		}
		if to.ID == row.OwnerID {
			return fault.New(fault.Conflict, "This account owns the server already.")
		}
		u.entry.Details = map[string]any{"before": row.OwnerID, "after": to.ID}
		if err := s.endAccesses(ctx, u, serveraccess.ServerID(row.ID), serveraccess.UserID(to.ID)); err != nil {
			return err
		}
		out, err = u.Server.UpdateOneID(row.ID).Where(server.OwnerID(row.OwnerID)).SetOwnerID(to.ID).Save(ctx)
		if err != nil {
			return missing(err, "server")
		}
		s.Announce(ctx, AccessChange{UserID: row.OwnerID, ServerID: row.ID}, AccessChange{UserID: to.ID, ServerID: row.ID})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out.Unwrap(), nil
}

// endAccesses deletes accesses one by one, since each deletion is announced.
func (s *Service) endAccesses(ctx context.Context, u unit, which ...predicate.ServerAccess) error {
	ids, err := u.ServerAccess.Query().Where(which...).IDs(s.asSystem(ctx, "find accesses that end"))
	if err != nil {
		return fmt.Errorf("find accesses: %w", err)
	}
	for _, id := range ids {
		if err := u.ServerAccess.DeleteOneID(id).Exec(ctx); err != nil {
			return fmt.Errorf("end an access: %w", err)
		}
	}
	return nil
}

// toTransfer returns a server that the viewer may give away.
func (s *Service) toTransfer(ctx context.Context, u unit, id string) (*ent.Server, error) {
	if err := s.checkServer(ctx, access.ServerAccess, id); err != nil {
		return nil, err
	}
	var all []string
	for _, p := range access.ServerLevel() {
		all = append(all, string(p))
	}
	if err := s.hasOnServer(ctx, id, all); err != nil {
		return nil, err
	}
	row, err := u.Server.Get(ctx, id)
	if err != nil {
		return nil, missing(err, "server")
	}
	v := viewer.FromContext(ctx)
	if row.OwnerID != v.UserID && !access.Grants(v, access.ServerAccess) {
		return nil, fault.New(fault.Forbidden, "Only the owner can give this server away.")
	}
	return row, nil
}
