package accounts

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/role"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// maxDescription is the width of the column.
const maxDescription = 1024

// CreateRoleInput is what a role is made of.
type CreateRoleInput struct {
	Name        string
	Description *string
	Permissions []string
}

// CreateRole makes a role. It needs role.create, and every permission that the role gives.
func (s *Service) CreateRole(ctx context.Context, in CreateRoleInput) (*ent.Role, error) {
	var out *ent.Role
	e := audit.Entry{Action: "role.create", TargetType: "Role", Details: map[string]any{"permissions": in.Permissions}}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if err := access.Check(ctx, s.client, access.RoleCreate, access.Anywhere); err != nil {
			return err
		}
		permissions, err := checkPermissions("permissions", in.Permissions)
		if err != nil {
			return err
		}
		if err := mayPass(viewer.FromContext(ctx), permissions); err != nil {
			return err
		}
		create := u.Role.Create().SetPermissions(permissions)
		name, err := s.freeRoleName(ctx, u, "", in.Name)
		if err != nil {
			return err
		}
		create.SetName(name)
		if in.Description != nil {
			if err := checkDescription("description", *in.Description); err != nil {
				return err
			}
			create.SetDescription(*in.Description)
		}
		if out, err = create.Save(ctx); err != nil {
			return fmt.Errorf("make a role: %w", err)
		}
		u.entry.TargetID = out.ID
		return nil
	})
	return unwrapRole(out, err)
}

// UpdateRoleInput is what is changed of a role; nil leaves a field as it is.
type UpdateRoleInput struct {
	ID                string
	Name, Description *string
	// Permissions replaces the list, unless nil.
	Permissions []string
}

// UpdateRole changes a role. It needs role.update, and every permission that the role gave or gives. The roles that
// came with Catalyst keep their names, and admin its permissions.
func (s *Service) UpdateRole(ctx context.Context, in UpdateRoleInput) (*ent.Role, error) {
	var out *ent.Role
	e := audit.Entry{Action: "role.update", TargetType: "Role", TargetID: in.ID}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		row, err := s.roleToChange(ctx, u, access.RoleUpdate, in.ID)
		if err != nil {
			return err
		}
		u.entry.Details = map[string]any{"before": row.Permissions, "after": in.Permissions}
		update := u.Role.UpdateOneID(row.ID)
		if in.Name != nil {
			name, err := s.freeRoleName(ctx, u, row.ID, *in.Name)
			if err != nil {
				return err
			}
			if row.Builtin && name != row.Name {
				return fault.New(fault.Conflict, "This role came with Catalyst and keeps its name.")
			}
			update.SetName(name)
		}
		if in.Description != nil {
			if err := checkDescription("description", *in.Description); err != nil {
				return err
			}
			update.SetDescription(*in.Description)
		}
		if err := setRolePermissions(ctx, update, row, in.Permissions); err != nil {
			return err
		}
		if out, err = update.Save(ctx); err != nil {
			return missing(err, "role")
		}
		s.Announce(ctx, AccessChange{})
		return s.keepAdministrator(ctx, u)
	})
	return unwrapRole(out, err)
}

func setRolePermissions(ctx context.Context, update *ent.RoleUpdateOne, row *ent.Role, list []string) error {
	if list == nil {
		return nil
	}
	if row.Builtin && row.Name == roleAdmin {
		return fault.New(fault.Conflict, "The role admin always has every permission. Make another role.")
	}
	permissions, err := checkPermissions("permissions", list)
	if err != nil {
		return err
	}
	update.SetPermissions(permissions)
	return mayPass(viewer.FromContext(ctx), permissions)
}

// DeleteRole deletes a role, which its accounts lose, and returns its identifier. It needs role.delete, and every
// permission that the role gives.
func (s *Service) DeleteRole(ctx context.Context, id string) (string, error) {
	e := audit.Entry{Action: "role.delete", TargetType: "Role", TargetID: id}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		row, err := s.roleToChange(ctx, u, access.RoleDelete, id)
		if err != nil {
			return err
		}
		if row.Builtin {
			return fault.New(fault.Conflict, "This role came with Catalyst and cannot be deleted.")
		}
		u.entry.Details = map[string]any{"name": row.Name, "permissions": row.Permissions}
		if err := u.Role.DeleteOneID(id).Exec(ctx); err != nil {
			return missing(err, "role")
		}
		s.Announce(ctx, AccessChange{})
		return s.keepAdministrator(ctx, u)
	})
	return id, err
}

// roleToChange returns a role that the permission p lets the viewer change, under the lock of administration.
func (s *Service) roleToChange(ctx context.Context, u unit, p access.Permission, id string) (*ent.Role, error) {
	if err := whole(kind.PrefixRole, id, "role"); err != nil {
		return nil, err
	}
	if err := s.lockAdministration(ctx, u); err != nil {
		return nil, err
	}
	if err := access.Check(ctx, s.client, p, access.On(id)); err != nil {
		return nil, err
	}
	row, err := u.Role.Get(ctx, id)
	if err != nil {
		return nil, missing(err, "role")
	}
	return row, mayPass(viewer.FromContext(ctx), row.Permissions)
}

// freeRoleName returns the name if no other role has it.
func (s *Service) freeRoleName(ctx context.Context, u unit, id, name string) (string, error) {
	name, err := checkLabel("name", name, 64)
	if err != nil {
		return "", err
	}
	taken, err := u.Role.Query().Where(role.NameEqualFold(name), role.IDNEQ(id)).Exist(s.asSystem(ctx, "see whether a name is free"))
	if err != nil {
		return "", fmt.Errorf("look up a role's name: %w", err)
	}
	if taken {
		return "", fault.New(fault.Conflict, "There is a role with this name. Choose another.")
	}
	return name, nil
}

func checkDescription(field, text string) error {
	if len(text) > maxDescription {
		return fault.Input(field, "The description is too long: use at most %d bytes.", maxDescription)
	}
	return checkText(field, text)
}

func unwrapRole(row *ent.Role, err error) (*ent.Role, error) {
	if err != nil {
		return nil, err
	}
	return row.Unwrap(), nil
}
