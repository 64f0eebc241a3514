package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/passwordreset"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/token"
)

// PasswordResetAge is how long a new password can be set with a reset token.
const PasswordResetAge = 24 * time.Hour

// PasswordReset is what somebody who has forgotten the password sets a new one with.
type PasswordReset struct {
	// User is the account.
	User *ent.User
	// Token works once.
	Token string
	// ExpiresAt is its end.
	ExpiresAt time.Time
}

// CreatePasswordReset makes a token with which a new password can be set once, in the place of an older one. It needs
// user.update, and every permission that the account has, on servers, too.
func (s *Service) CreatePasswordReset(ctx context.Context, userID string) (*PasswordReset, error) {
	var out PasswordReset
	e := audit.Entry{Action: "user.password_reset_create", TargetType: "User", TargetID: userID}
	err := s.verb(ctx, e, func(ctx context.Context, u unit) error {
		row, err := s.account(ctx, u, access.UserUpdate, userID)
		if err != nil {
			return err
		}
		if err := s.mayActAs(ctx, u, userID); err != nil {
			return err
		}
		if err := endResets(ctx, u, userID); err != nil {
			return err
		}
		secret := token.NewOpaque(token.PrefixPasswordReset)
		out = PasswordReset{User: row.Unwrap(), Token: secret.Plain, ExpiresAt: s.now().Add(PasswordResetAge)}
		if err := u.PasswordReset.Create().SetUserID(userID).SetTokenHash(secret.Hash).SetExpiresAt(out.ExpiresAt).Exec(ctx); err != nil {
			return fmt.Errorf("store a reset token: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// RedeemPasswordReset sets a new password with a token and ends all sessions of its account. A token that is unknown,
// used or expired is BAD_USER_INPUT, and counts as an attempt to sign in.
func (s *Service) RedeemPasswordReset(ctx context.Context, resetToken, password string) (*ent.User, error) {
	if err := s.limit(ctx, checkLogin, ""); err != nil {
		return nil, err
	}
	if !token.IsOpaque(token.PrefixPasswordReset, resetToken) {
		return nil, unknownReset()
	}
	if err := checkPasswordLength("password", password); err != nil {
		return nil, err
	}
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return nil, err
	}
	var out *ent.User
	e := audit.Entry{Action: "user.password_reset", TargetType: "User"}
	err = s.do(ctx, e, func(ctx context.Context, u unit) error {
		sys := s.asSystem(ctx, "redeem a reset token")
		// One statement marks the token as used, so that of two callers one finds it.
		good := passwordreset.And(passwordreset.TokenHash(token.Hash(resetToken)), passwordreset.UsedAtIsNil(), passwordreset.ExpiresAtGT(s.now()))
		row, err := u.PasswordReset.Query().Where(good).WithUser().Only(sys)
		if ent.IsNotFound(err) {
			return unknownReset()
		}
		if err != nil {
			return fmt.Errorf("look up a reset token: %w", err)
		}
		spent, err := u.PasswordReset.Update().Where(good).SetUsedAt(s.now()).Save(sys)
		if err != nil {
			return fmt.Errorf("spend a reset token: %w", err)
		}
		if spent == 0 {
			return unknownReset()
		}
		of := row.Edges.User
		if err := checkPassword("password", password, of.Username, of.Email); err != nil {
			return err
		}
		u.entry.TargetID, u.entry.ActorID, u.entry.ActorName = of.ID, of.ID, of.Username
		out, err = u.User.UpdateOneID(of.ID).SetPasswordHash(hash).AddTokenVersion(1).Save(sys)
		if err != nil {
			return fmt.Errorf("reset a password: %w", err)
		}
		return s.endSessions(ctx, u, of.ID, "")
	})
	return unwrapUser(out, err)
}

// endResets makes the tokens of an account worthless: one that was made to replace an older password must not replace a
// newer one.
func endResets(ctx context.Context, u unit, userID string) error {
	if _, err := u.PasswordReset.Delete().Where(passwordreset.UserID(userID)).Exec(ctx); err != nil {
		return fmt.Errorf("end older reset tokens: %w", err)
	}
	return nil
}

func unknownReset() *fault.Error {
	return fault.Input("token", "This token does not exist, has been used, or has expired. Ask an administrator for another.")
}
