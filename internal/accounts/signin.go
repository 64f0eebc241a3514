package accounts

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/role"
	"github.com/catalyst-panel/catalyst/ent/session"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/token"
)

const (
	// AccessTokenAge is how long an access token lives.
	AccessTokenAge = 15 * time.Minute
	// RefreshTokenAge is how long a sign-in lives after its last use.
	RefreshTokenAge = 30 * 24 * time.Hour
	// actionLogin and actionSFTP are what sign-ins are on record as.
	actionLogin, actionSFTP = "user.login", "sftp.login"
)

// Credentials is what somebody who has signed in gets.
type Credentials struct {
	// User is the account.
	User *ent.User
	// AccessToken goes into the Authorization header.
	AccessToken string
	// RefreshToken gets the next pair, once.
	RefreshToken string
	// ExpiresAt is the end of the access token.
	ExpiresAt time.Time
}

// RegisterInput is what somebody makes an account of.
type RegisterInput struct {
	Email, Username, Password string
}

// Register makes an account with the role user, and signs it in. FORBIDDEN where registration is off, CONFLICT when the
// address or the name is taken.
func (s *Service) Register(ctx context.Context, in RegisterInput) (*Credentials, error) {
	if !s.registration {
		return nil, fault.New(fault.Forbidden, "Registration is switched off here. Ask an administrator for an account.")
	}
	if err := s.limit(ctx, checkRegister, ""); err != nil {
		return nil, err
	}
	fresh, err := s.prepare(ctx, in.Email, in.Username, in.Password)
	if err != nil {
		return nil, err
	}
	var out *Credentials
	e := audit.Entry{Action: "user.register", TargetType: "User"}
	err = s.do(ctx, e, func(ctx context.Context, u unit) error {
		roles, err := u.Role.Query().Where(role.Name(roleUser)).IDs(s.asSystem(ctx, "the role of new accounts"))
		if err != nil {
			return fmt.Errorf("look up the role of new accounts: %w", err)
		}
		row, err := s.insertUser(ctx, u, fresh, roles)
		if err != nil {
			return err
		}
		u.entry.TargetID, u.entry.ActorID, u.entry.ActorName = row.ID, row.ID, row.Username
		out, err = s.open(ctx, u, row)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// LoginInput is what somebody signs in with.
type LoginInput struct {
	// Login is the e-mail address or the user name.
	Login    string
	Password string
	// TOTP is the code of the second factor, for accounts that have one.
	TOTP *string
}

// Login signs an account in. UNAUTHENTICATED for a wrong login, password or code, alike and after the same time;
// RATE_LIMITED after too many tries; FORBIDDEN for a suspended account; BAD_USER_INPUT for the field totp when the
// second factor is missing.
func (s *Service) Login(ctx context.Context, in LoginInput) (*Credentials, error) {
	row, err := s.byPassword(ctx, actionLogin, in.Login, in.Password)
	if err != nil {
		return nil, err
	}
	if row.Suspended {
		s.recordLogin(ctx, actionLogin, row, kind.AuditOutcomeRefused, "suspended")
		return nil, fault.New(fault.Forbidden, "This account is suspended. Ask an administrator.")
	}
	return s.admit(ctx, row, in.TOTP)
}

// byPassword returns the account with a login and a password, whether or not it may sign in. The action is what a wrong one is
// recorded as.
func (s *Service) byPassword(ctx context.Context, action, login, password string) (*ent.User, error) {
	row, err := s.byLogin(ctx, login)
	if err != nil {
		return nil, err
	}
	account, hash := usernameKey(login), ""
	if row != nil {
		account, hash = row.ID, row.PasswordHash
	}
	if err := s.limit(ctx, checkLogin, account); err != nil {
		return nil, err
	}
	good, err := s.passwords.matches(ctx, hash, password)
	if err != nil {
		return nil, err
	}
	if !good {
		s.recordLogin(ctx, action, row, kind.AuditOutcomeFailed, "wrong password")
		return nil, wrongLogin()
	}
	return row, nil
}

// admit checks the second factor and opens the session of an account whose password was right.
func (s *Service) admit(ctx context.Context, row *ent.User, code *string) (*Credentials, error) {
	shown, err := s.checkTOTP(row, code)
	if err != nil {
		if fault.CodeOf(err) == fault.Unauthenticated {
			s.recordLogin(ctx, actionLogin, row, kind.AuditOutcomeFailed, "wrong code")
		}
		return nil, err
	}
	var out *Credentials
	e := loginEntry(actionLogin, row)
	err = s.do(ctx, e, func(ctx context.Context, u unit) error {
		// Nothing that was looked at may have changed meanwhile: neither the password, nor the second factor, nor
		// another sign-in with the same code.
		update := u.User.UpdateOneID(row.ID).
			Where(user.PasswordHash(row.PasswordHash), user.Suspended(false),
				user.TotpEnabled(row.TotpEnabled), user.TotpStep(row.TotpStep)).
			SetLastLoginAt(s.now())
		if shown.step > 0 {
			update.SetTotpStep(shown.step)
		}
		if err := s.spendRecovery(ctx, u, row.ID, shown.recovery); err != nil {
			return err
		}
		now, err := update.Save(ctx)
		if ent.IsNotFound(err) {
			return wrongLogin()
		}
		if err != nil {
			return fmt.Errorf("note a sign-in: %w", err)
		}
		if err := s.sweepSessions(ctx, u, row.ID); err != nil {
			return err
		}
		out, err = s.open(ctx, u, now)
		return err
	})
	if err != nil {
		if shown.recovery != "" && fault.CodeOf(err) == fault.Unauthenticated {
			s.recordLogin(ctx, actionLogin, row, kind.AuditOutcomeFailed, "wrong recovery code")
		}
		return nil, err
	}
	return out, nil
}

// byLogin returns the account with an e-mail address or user name; nil when there is none.
func (s *Service) byLogin(ctx context.Context, login string) (*ent.User, error) {
	is := user.UsernameKey(usernameKey(login))
	if strings.Contains(login, "@") {
		is = user.Email(normalEmail(login))
	}
	row, err := s.client.User.Query().Where(is).Only(s.asSystem(ctx, "sign in"))
	if ent.IsNotFound(err) {
		return nil, nil //nolint:nilnil // that there is none is an answer, and no secret to callers of this package
	}
	if err != nil {
		return nil, fmt.Errorf("look up an account: %w", err)
	}
	return row, nil
}

// recordLogin records a sign-in that did not succeed. What was typed as the login of no account is not kept: it may
// well be a password.
func (s *Service) recordLogin(ctx context.Context, action string, row *ent.User, outcome kind.AuditOutcome, reason string) {
	e := loginEntry(action, row)
	e.Outcome, e.Details = outcome, map[string]any{"reason": reason}
	s.recordApart(ctx, e)
}

func loginEntry(action string, row *ent.User) audit.Entry {
	e := audit.Entry{Action: action, TargetType: "User"}
	if row != nil {
		e.TargetID, e.ActorID, e.ActorName = row.ID, row.ID, row.Username
	}
	return e
}

// open makes a session of an account and its first credentials.
func (s *Service) open(ctx context.Context, u unit, row *ent.User) (*Credentials, error) {
	out, _, err := s.openSession(ctx, u, row)
	return out, err
}

// openSession is open, and returns the session's identifier, too.
func (s *Service) openSession(ctx context.Context, u unit, row *ent.User) (*Credentials, string, error) {
	family := token.NewFamily()
	refresh := token.NewRefresh(family)
	made, err := u.Session.Create().
		SetUserID(row.ID).SetFamily(token.Hash(family)).SetRefreshHash(refresh.Hash).
		SetIP(address(ctx)).SetUserAgent(program(ctx)).
		SetExpiresAt(s.now().Add(RefreshTokenAge)).SetLastUsedAt(s.now()).
		Save(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("open a session: %w", err)
	}
	out, err := s.credentials(row, made.ID, refresh)
	return out, made.ID, err
}

func (s *Service) credentials(row *ent.User, sessionID string, refresh token.Opaque) (*Credentials, error) {
	signed, expires, err := s.tokens.Sign(token.AudienceAccess, token.Claims{
		UserID: row.ID, SessionID: sessionID, Version: row.TokenVersion,
	}, AccessTokenAge)
	if err != nil {
		return nil, err
	}
	return &Credentials{User: row.Unwrap(), AccessToken: signed, RefreshToken: refresh.Plain, ExpiresAt: expires}, nil
}

// sweepSessions removes what an account's sessions have left behind.
func (s *Service) sweepSessions(ctx context.Context, u unit, userID string) error {
	now := s.now()
	_, err := u.Session.Delete().Where(session.UserID(userID), session.Or(
		session.ExpiresAtLT(now), session.RevokedAtLT(now.Add(-RefreshTokenAge)),
	)).Exec(ctx)
	if err != nil {
		return fmt.Errorf("remove old sessions: %w", err)
	}
	return nil
}

func wrongLogin() *fault.Error {
	return fault.New(fault.Unauthenticated, "The login, the password or the code is wrong.")
}
