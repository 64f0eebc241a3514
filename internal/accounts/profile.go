package accounts

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// newUser is an account that is ready to be stored.
type newUser struct {
	email, username, passwordHash string
}

// prepare checks what an account is made of and hashes its password. It is done before any transaction begins.
func (s *Service) prepare(ctx context.Context, email, username, password string) (newUser, error) {
	email, err := checkEmail(email)
	if err != nil {
		return newUser{}, err
	}
	username, err = checkUsername("username", username)
	if err != nil {
		return newUser{}, err
	}
	if err := checkPassword("password", password, username, email); err != nil {
		return newUser{}, err
	}
	hash, err := s.passwords.hash(ctx, password)
	return newUser{email: email, username: username, passwordHash: hash}, err
}

// insertUser stores an account.
func (s *Service) insertUser(ctx context.Context, u unit, n newUser, roleIDs []string) (*ent.User, error) {
	if err := s.free(ctx, u, "", &n.email, &n.username); err != nil {
		return nil, err
	}
	row, err := u.User.Create().
		SetEmail(n.email).SetUsername(n.username).SetUsernameKey(usernameKey(n.username)).
		SetPasswordHash(n.passwordHash).AddRoleIDs(roleIDs...).
		Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("make an account: %w", err)
	}
	return row, nil
}

// free returns a CONFLICT when another account than the one named has the address or the name.
func (s *Service) free(ctx context.Context, u unit, id string, email, username *string) error {
	sys := s.asSystem(ctx, "see whether a name is free")
	if email != nil {
		taken, err := u.User.Query().Where(user.Email(*email), user.IDNEQ(id)).Exist(sys)
		if err != nil {
			return fmt.Errorf("look up an address: %w", err)
		}
		if taken {
			return fault.New(fault.Conflict, "There is an account with this e-mail address. Sign in with it, or give another.")
		}
	}
	if username != nil {
		taken, err := u.User.Query().Where(user.UsernameKey(usernameKey(*username)), user.IDNEQ(id)).Exist(sys)
		if err != nil {
			return fmt.Errorf("look up a user name: %w", err)
		}
		if taken {
			return fault.New(fault.Conflict, "This user name is taken. Choose another.")
		}
	}
	return nil
}

// UpdateProfileInput is what people may change of their own account; nil leaves a field as it is.
type UpdateProfileInput struct {
	Username, Email, Language, TimeZone *string
}

// UpdateProfile changes the viewer's own account.
func (s *Service) UpdateProfile(ctx context.Context, in UpdateProfileInput) (*ent.User, error) {
	v, err := inPerson(ctx)
	if err != nil {
		return nil, err
	}
	var out *ent.User
	e := audit.Entry{Action: "user.profile", TargetType: "User", TargetID: v.UserID}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		out, err = s.applyProfile(ctx, u, v.UserID, in)
		return err
	})
	return unwrapUser(out, err)
}

// applyProfile writes the fields that are given and names them in the audit trail.
func (s *Service) applyProfile(ctx context.Context, u unit, id string, in UpdateProfileInput) (*ent.User, error) {
	update := u.User.UpdateOneID(id)
	changed := []string{}
	if in.Email != nil {
		email, err := checkEmail(*in.Email)
		if err != nil {
			return nil, err
		}
		update.SetEmail(email)
		in.Email, changed = &email, append(changed, "email")
	}
	if in.Username != nil {
		name, err := checkUsername("username", *in.Username)
		if err != nil {
			return nil, err
		}
		update.SetUsername(name).SetUsernameKey(usernameKey(name))
		in.Username, changed = &name, append(changed, "username")
	}
	if in.Language != nil {
		if err := checkLanguage("language", *in.Language); err != nil {
			return nil, err
		}
		update.SetLanguage(*in.Language)
		changed = append(changed, "language")
	}
	if in.TimeZone != nil {
		if err := checkTimeZone("timeZone", *in.TimeZone); err != nil {
			return nil, err
		}
		update.SetTimeZone(*in.TimeZone)
		changed = append(changed, "timeZone")
	}
	if err := s.free(ctx, u, id, in.Email, in.Username); err != nil {
		return nil, err
	}
	u.entry.Details = map[string]any{"changed": changed}
	row, err := update.Save(ctx)
	if err != nil {
		return nil, missing(err, "user")
	}
	if slices.Contains(changed, "username") {
		s.Announce(ctx, AccessChange{UserID: id}) // what is remembered of the account holds its name
	}
	return row, nil
}

// ChangePasswordInput is the viewer's password and the one that is to take its place.
type ChangePasswordInput struct {
	CurrentPassword, NewPassword string
}

// ChangePassword changes the viewer's own password and ends all other sessions. A wrong current password is
// BAD_USER_INPUT, and counts as an attempt to sign in.
func (s *Service) ChangePassword(ctx context.Context, in ChangePasswordInput) (*ent.User, error) {
	row, err := s.withPassword(ctx, "currentPassword", in.CurrentPassword)
	if err != nil {
		return nil, err
	}
	v := viewer.FromContext(ctx)
	if in.NewPassword == in.CurrentPassword {
		return nil, fault.Input("newPassword", "The new password is the present one. Choose another.")
	}
	if err := checkPassword("newPassword", in.NewPassword, row.Username, row.Email); err != nil {
		return nil, err
	}
	hash, err := s.passwords.hash(ctx, in.NewPassword)
	if err != nil {
		return nil, err
	}
	var out *ent.User
	e := audit.Entry{Action: "user.password", TargetType: "User", TargetID: v.UserID}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		out, err = u.User.UpdateOneID(v.UserID).Where(user.PasswordHash(row.PasswordHash)).SetPasswordHash(hash).Save(ctx)
		if ent.IsNotFound(err) {
			return fault.New(fault.Conflict, "The password was changed meanwhile. Sign in again.")
		}
		if err != nil {
			return fmt.Errorf("change a password: %w", err)
		}
		if err := endResets(ctx, u, v.UserID); err != nil {
			return err
		}
		return s.endSessions(ctx, u, v.UserID, v.SessionID)
	})
	return unwrapUser(out, err)
}

// ResetPassword gives an account a new password, or a random one when none is given, and ends all its sessions. It is
// for the command line: the caller must be Catalyst itself.
func (s *Service) ResetPassword(ctx context.Context, login, password string) (string, error) {
	if err := systemOnly(ctx); err != nil {
		return "", err
	}
	if password == "" {
		password = rand.Text()
	}
	if err := checkPasswordLength("password", password); err != nil {
		return "", err
	}
	row, err := s.byLogin(ctx, login)
	if err != nil {
		return "", err
	}
	if row == nil {
		return "", fault.Missing("user")
	}
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return "", err
	}
	e := audit.Entry{Action: "user.password_reset", TargetType: "User", TargetID: row.ID}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if err := u.User.UpdateOneID(row.ID).SetPasswordHash(hash).AddTokenVersion(1).Exec(ctx); err != nil {
			return fmt.Errorf("reset a password: %w", err)
		}
		if err := endResets(ctx, u, row.ID); err != nil {
			return err
		}
		return s.endSessions(ctx, u, row.ID, "")
	})
	return password, err
}

func unwrapUser(row *ent.User, err error) (*ent.User, error) {
	if err != nil {
		return nil, err
	}
	return row.Unwrap(), nil
}
