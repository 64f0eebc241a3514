package accounts

import (
	"context"
	"fmt"
	"slices"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/role"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// maxRoles is how many roles an account can be given.
const maxRoles = 100

// CreateUserInput is what an administrator makes an account of.
type CreateUserInput struct {
	Email, Username, Password string
	// RoleIDs are its roles; nil for the role user.
	RoleIDs []string
	// Language and TimeZone are its preferences, if any.
	Language, TimeZone *string
}

// CreateUser makes an account for somebody else. It needs user.create, and every permission that the roles give.
func (s *Service) CreateUser(ctx context.Context, in CreateUserInput) (*ent.User, error) {
	e := audit.Entry{Action: "user.create", TargetType: "User"}
	if err := access.Check(ctx, s.client, access.UserCreate, access.Anywhere); err != nil {
		return nil, s.trail().Refused(ctx, e, err)
	}
	fresh, err := s.prepare(ctx, in.Email, in.Username, in.Password)
	if err != nil {
		return nil, err
	}
	var out *ent.User
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		roleIDs, err := s.rolesToGive(ctx, u, in.RoleIDs)
		if err != nil {
			return err
		}
		row, err := s.insertUser(ctx, u, fresh, roleIDs)
		if err != nil {
			return err
		}
		out, err = s.applyProfile(ctx, u, row.ID, UpdateProfileInput{Language: in.Language, TimeZone: in.TimeZone})
		u.entry.TargetID, u.entry.Details = row.ID, map[string]any{"roles": roleIDs}
		return err
	})
	return unwrapUser(out, err)
}

// rolesToGive returns the roles of a new account, which the viewer must be able to give.
func (s *Service) rolesToGive(ctx context.Context, u unit, ids []string) ([]string, error) {
	if ids == nil {
		out, err := u.Role.Query().Where(role.Name(roleUser)).IDs(s.asSystem(ctx, "the role of new accounts"))
		if err != nil {
			return nil, fmt.Errorf("look up the role of new accounts: %w", err)
		}
		return out, nil
	}
	roles, err := visibleRoles(ctx, u, ids)
	if err != nil {
		return nil, err
	}
	return roleIDs(roles), mayPass(viewer.FromContext(ctx), permissionsOf(roles))
}

// UpdateUserInput is what an administrator changes of an account; nil leaves a field as it is.
type UpdateUserInput struct {
	ID string
	UpdateProfileInput
}

// UpdateUser changes somebody's account. It needs user.update.
func (s *Service) UpdateUser(ctx context.Context, in UpdateUserInput) (*ent.User, error) {
	var out *ent.User
	e := audit.Entry{Action: "user.update", TargetType: "User", TargetID: in.ID}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		row, err := s.account(ctx, u, access.UserUpdate, in.ID)
		if err != nil {
			return err
		}
		if in.Email != nil {
			if err := s.mayActAs(ctx, u, row.ID); err != nil {
				return err
			}
		}
		out, err = s.applyProfile(ctx, u, row.ID, in.UpdateProfileInput)
		return err
	})
	return unwrapUser(out, err)
}

// DeleteUser deletes an account with everything that is its own, and returns its identifier. CONFLICT while it owns
// servers. It needs user.delete. What it did stays in the audit trail.
func (s *Service) DeleteUser(ctx context.Context, id string) (string, error) {
	e := audit.Entry{Action: "user.delete", TargetType: "User", TargetID: id}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if err := s.lockAdministration(ctx, u); err != nil {
			return err
		}
		row, err := s.account(ctx, u, access.UserDelete, id)
		if err != nil {
			return err
		}
		if viewer.FromContext(ctx).UserID == id {
			return fault.New(fault.Conflict, "You cannot delete the account that you are signed in with.")
		}
		if err := s.ownsNothing(ctx, u, id); err != nil {
			return err
		}
		u.entry.Details = map[string]any{"username": row.Username}
		if err := s.endAccesses(ctx, u, serveraccess.UserID(id)); err != nil {
			return err
		}
		if err := u.User.DeleteOneID(id).Exec(ctx); err != nil {
			return missing(err, "user")
		}
		s.Announce(ctx, AccessChange{UserID: id})
		return s.keepAdministrator(ctx, u)
	})
	return id, err
}

func (s *Service) ownsNothing(ctx context.Context, u unit, id string) error {
	sys := s.asSystem(ctx, "see whether an account owns servers")
	servers, err := u.Server.Query().Where(server.OwnerID(id)).Select(server.FieldDeletedAt).All(sys)
	if err != nil {
		return fmt.Errorf("look for servers of an account: %w", err)
	}
	if len(servers) == 0 {
		return nil
	}
	if slices.ContainsFunc(servers, func(r *ent.Server) bool { return r.DeletedAt == nil }) {
		return fault.New(fault.Conflict, "This account owns servers. Delete them, or give them to somebody else, first.")
	}
	return fault.New(fault.Conflict, "Servers of this account are still being removed from a node that is offline. "+
		"Try again when the node is back.")
}

// SetUserRoles replaces the roles of an account. It needs user.update, and every permission of the roles that are
// given or taken.
func (s *Service) SetUserRoles(ctx context.Context, userID string, ids []string) (*ent.User, error) {
	var out *ent.User
	e := audit.Entry{Action: "user.roles", TargetType: "User", TargetID: userID}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if err := s.lockAdministration(ctx, u); err != nil {
			return err
		}
		row, err := s.account(ctx, u, access.UserUpdate, userID)
		if err != nil {
			return err
		}
		roles, err := visibleRoles(ctx, u, ids)
		if err != nil {
			return err
		}
		if err := mayPass(viewer.FromContext(ctx), permissionsOf(roles)); err != nil {
			return err
		}
		u.entry.Details = map[string]any{"before": roleNames(row.Edges.Roles), "after": roleNames(roles)}
		out, err = u.User.UpdateOneID(userID).ClearRoles().AddRoleIDs(roleIDs(roles)...).Save(ctx)
		if err != nil {
			return missing(err, "user")
		}
		s.Announce(ctx, AccessChange{UserID: userID})
		return s.keepAdministrator(ctx, u)
	})
	return unwrapUser(out, err)
}

// SuspendUser bars an account: its sessions end, its keys stop working. It needs user.update.
func (s *Service) SuspendUser(ctx context.Context, id string) (*ent.User, error) {
	var out *ent.User
	e := audit.Entry{Action: "user.suspend", TargetType: "User", TargetID: id}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if err := s.lockAdministration(ctx, u); err != nil {
			return err
		}
		row, err := s.account(ctx, u, access.UserUpdate, id)
		if err != nil {
			return err
		}
		if viewer.FromContext(ctx).UserID == id {
			return fault.New(fault.Conflict, "You cannot suspend the account that you are signed in with.")
		}
		if out = row; row.Suspended {
			return nil
		}
		out, err = u.User.UpdateOneID(id).SetSuspended(true).SetSuspendedAt(s.now()).AddTokenVersion(1).Save(ctx)
		if err != nil {
			return missing(err, "user")
		}
		if err := s.endSessions(ctx, u, id, ""); err != nil {
			return err
		}
		return s.keepAdministrator(ctx, u)
	})
	return unwrapUser(out, err)
}

// UnsuspendUser lets a barred account in again. It needs user.update.
func (s *Service) UnsuspendUser(ctx context.Context, id string) (*ent.User, error) {
	var out *ent.User
	e := audit.Entry{Action: "user.unsuspend", TargetType: "User", TargetID: id}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if _, err := s.account(ctx, u, access.UserUpdate, id); err != nil {
			return err
		}
		var err error
		out, err = u.User.UpdateOneID(id).SetSuspended(false).ClearSuspendedAt().Save(ctx)
		if err != nil {
			return missing(err, "user")
		}
		s.Announce(ctx, AccessChange{UserID: id})
		return nil
	})
	return unwrapUser(out, err)
}

// visibleRoles returns the roles with these identifiers, all of which the viewer must be able to see.
func visibleRoles(ctx context.Context, u unit, ids []string) ([]*ent.Role, error) {
	ids = append([]string{}, ids...)
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) > maxRoles {
		return nil, fault.Input("roleIds", "An account can have at most %d roles.", maxRoles)
	}
	roles, err := u.Role.Query().Where(role.IDIn(ids...)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up roles: %w", err)
	}
	if len(roles) != len(ids) {
		return nil, fault.Missing("role")
	}
	return roles, nil
}

func roleIDs(roles []*ent.Role) []string {
	out := make([]string, 0, len(roles))
	for _, r := range roles {
		out = append(out, r.ID)
	}
	return out
}

func roleNames(roles []*ent.Role) []string {
	out := make([]string, 0, len(roles))
	for _, r := range roles {
		out = append(out, r.Name)
	}
	return out
}
