package accounts

import (
	"context"
	"errors"
	"fmt"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/sqljson"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/role"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// errNothingToDo ends a unit of work without a trace.
var errNothingToDo = errors.New("nothing to do")

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

// lockAdministration makes the changes of who administers follow one another: they all pass through the row of the role
// admin, which cannot be deleted.
func (s *Service) lockAdministration(ctx context.Context, u unit) error {
	sys := s.asSystem(ctx, "lock the administration")
	if _, err := u.Role.Query().Where(role.Name(roleAdmin), locked).IDs(sys); err != nil {
		return fmt.Errorf("lock the administration: %w", err)
	}
	return nil
}

// locked locks the rows that a query selects until the transaction ends. SQLite has but one writer anyway.
func locked(s *sql.Selector) {
	if s.Dialect() == dialect.Postgres {
		s.ForUpdate()
	}
}

// keepAdministrator is called at the end of a change that began with lockAdministration: it refuses to be left without
// an administrator.
func (s *Service) keepAdministrator(ctx context.Context, u unit) error {
	sys := s.asSystem(ctx, "count the administrators")
	there, err := u.User.Query().
		Where(user.Suspended(false), user.HasRolesWith(func(s *sql.Selector) {
			s.Where(sqljson.ValueContains(s.C(role.FieldPermissions), access.Everything))
		})).
		Exist(sys)
	if err != nil {
		return fmt.Errorf("count the administrators: %w", err)
	}
	if !there {
		return fault.New(fault.Conflict, "This would leave no administrator. Make somebody else one first.")
	}
	return nil
}

// mayPass refuses to give, or to take, permissions that the viewer lacks.
func mayPass(v *viewer.Viewer, permissions []string) error {
	for _, p := range permissions {
		if !access.Grants(v, access.Permission(p)) {
			return fault.New(fault.Forbidden, "You lack the permission %s yourself, so you can neither give nor take it.", p)
		}
	}
	return nil
}

// account returns an account that a permission p lets the viewer act upon, with its roles. Power over an account is
// power to do what that account may do: it is refused where the viewer may not do all of it.
func (s *Service) account(ctx context.Context, u unit, p access.Permission, id string) (*ent.User, error) {
	if err := whole(kind.PrefixUser, id, "user"); err != nil {
		return nil, err
	}
	if err := access.Check(ctx, s.client, p, access.On(id)); err != nil {
		return nil, err
	}
	row, err := u.User.Query().Where(user.ID(id)).WithRoles().Only(s.asSystem(ctx, "act upon an account"))
	if err != nil {
		return nil, missing(err, "user")
	}
	v := viewer.FromContext(ctx)
	if !access.GrantsAll(v, permissionsOf(row.Edges.Roles)) {
		return nil, fault.New(fault.Forbidden, "This account may do more than you, so you cannot change it.")
	}
	return row, nil
}

// mayActAs refuses what would let the viewer act as somebody else (a new password, another address to reset it by) when
// that account may do more on servers, by owning them or by accesses, than the viewer may everywhere.
func (s *Service) mayActAs(ctx context.Context, u unit, userID string) error {
	sys := s.asSystem(ctx, "see what an account may do on servers")
	owns, err := u.Server.Query().Where(server.OwnerID(userID)).Exist(sys)
	if err != nil {
		return fmt.Errorf("look for servers of an account: %w", err)
	}
	var needed []string
	if owns {
		for _, p := range access.ServerLevel() {
			needed = append(needed, string(p))
		}
	}
	accesses, err := u.ServerAccess.Query().Where(serveraccess.UserID(userID)).All(sys)
	if err != nil {
		return fmt.Errorf("look for accesses of an account: %w", err)
	}
	for _, a := range accesses {
		needed = append(needed, a.Permissions...)
	}
	if !access.GrantsAll(viewer.FromContext(ctx), needed) {
		return fault.New(fault.Forbidden, "This account may do more on servers than you, so you cannot take it over. Ask an administrator.")
	}
	return nil
}
