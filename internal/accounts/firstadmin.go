package accounts

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent/role"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// The names of the roles that every installation has.
const (
	roleAdmin = "admin"
	roleUser  = "user"
)

// firstAdminName is the user name of the first administrator.
const firstAdminName = "admin"

// FirstAdmin makes the first account, named admin and with the role admin, when there is no account at all. It returns
// whether it did and with which password: the one given, or a random one when none is given. The caller must be
// Catalyst itself. Of several instances that start at once on one database, one makes it.
func (s *Service) FirstAdmin(ctx context.Context, email, password string) (created bool, used string, err error) {
	if err := systemOnly(ctx); err != nil {
		return false, "", err
	}
	if exists, err := s.client.User.Query().Exist(ctx); err != nil || exists {
		return false, "", err
	}
	if email, err = checkEmail(email); err != nil {
		return false, "", err
	}
	if password == "" {
		password = rand.Text()
	}
	if err := checkPasswordLength("password", password); err != nil {
		return false, "", err
	}
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return false, "", err
	}
	created, err = s.insertFirstAdmin(ctx, newUser{email: email, username: firstAdminName, passwordHash: hash})
	if err != nil || !created {
		return false, "", err
	}
	return true, password, nil
}

func (s *Service) insertFirstAdmin(ctx context.Context, n newUser) (created bool, err error) {
	e := audit.Entry{Action: "user.first_admin", TargetType: "User"}
	err = s.do(ctx, e, func(ctx context.Context, u unit) error {
		if err := s.lockAdministration(ctx, u); err != nil {
			return err
		}
		exists, err := u.User.Query().Exist(ctx)
		if err != nil {
			return fmt.Errorf("look for accounts: %w", err)
		}
		if created = !exists; !created {
			return errNothingToDo
		}
		admin, err := u.Role.Query().Where(role.Name(roleAdmin)).OnlyID(ctx)
		if err != nil {
			return fmt.Errorf("look up the role admin: %w", err)
		}
		row, err := s.insertUser(ctx, u, n, []string{admin})
		if err != nil {
			return err
		}
		u.entry.TargetID = row.ID
		return nil
	})
	if !created {
		err = ignore(err, errNothingToDo)
	}
	return created && err == nil, err
}

// systemOnly refuses everybody but Catalyst itself.
func systemOnly(ctx context.Context) error {
	if !viewer.FromContext(ctx).IsSystem() {
		return fault.New(fault.Forbidden, "This is done on the command line.")
	}
	return nil
}
