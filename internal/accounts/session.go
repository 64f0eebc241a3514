package accounts

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/session"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/token"
)

// RefreshSession exchanges a refresh token for the next pair. Each works once: when one comes back that was used, it
// has been stolen from or by whoever holds the newer one, and the sign-in ends for both. UNAUTHENTICATED for any token
// that is not the newest of a living sign-in.
func (s *Service) RefreshSession(ctx context.Context, refreshToken string) (*Credentials, error) {
	family, ok := token.FamilyOf(refreshToken)
	if !ok {
		return nil, ended()
	}
	familyHash := token.Hash(family)
	if err := s.limit(ctx, checkRefresh, familyHash); err != nil {
		return nil, err
	}
	sys := s.asSystem(ctx, "refresh a session")
	row, err := s.client.Session.Query().Where(session.Family(familyHash)).WithUser().Only(sys)
	if ent.IsNotFound(err) {
		return nil, ended()
	}
	if err != nil {
		return nil, fmt.Errorf("look up a session: %w", err)
	}
	if row.RevokedAt != nil || !s.clock().Before(row.ExpiresAt) {
		return nil, ended()
	}
	if row.Edges.User.Suspended {
		return nil, fault.New(fault.Unauthenticated, "This account is suspended. Ask an administrator.")
	}
	return s.rotate(ctx, row, family, token.Hash(refreshToken))
}

// rotate gives the session its next refresh token, if used is the newest; of two that try at once, one succeeds, and
// the other is a reuse.
func (s *Service) rotate(ctx context.Context, row *ent.Session, family, used string) (*Credentials, error) {
	next := token.NewRefresh(family)
	reused := false
	var out *Credentials
	owner := row.Edges.User
	e := audit.Entry{TargetType: "Session", TargetID: row.ID, ActorID: owner.ID, ActorName: owner.Username}
	err := s.do(ctx, e, func(ctx context.Context, u unit) error {
		reused = false
		err := u.Session.UpdateOneID(row.ID).
			Where(session.RefreshHash(used), session.RevokedAtIsNil()).
			SetRefreshHash(next.Hash).SetPreviousHash(used).
			SetExpiresAt(s.now().Add(RefreshTokenAge)).SetLastUsedAt(s.now()).
			SetIP(address(ctx)).SetUserAgent(program(ctx)).
			Exec(ctx)
		if ent.IsNotFound(err) {
			reused = true
			return s.revokeReused(ctx, u, row)
		}
		if err != nil {
			return fmt.Errorf("rotate a refresh token: %w", err)
		}
		// Read again: the account may have been changed since it was looked at.
		now, err := u.User.Get(s.asSystem(ctx, "refresh a session"), owner.ID)
		if err != nil {
			return missing(err, "user")
		}
		if now.Suspended {
			return ended()
		}
		out, err = s.credentials(now, row.ID, next)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case reused:
		return nil, fault.New(fault.Unauthenticated,
			"This refresh token was used before, so the session has been ended. Sign in again, "+
				"and change the password if you did not do this yourself.")
	}
	return out, nil
}

// revokeReused ends a session for both of those who hold a token of it. The row stays, for its owner to see.
func (s *Service) revokeReused(ctx context.Context, u unit, row *ent.Session) error {
	u.entry.Action, u.entry.Outcome = "session.refresh", kind.AuditOutcomeRefused
	u.entry.Details = map[string]any{"reason": "a refresh token was used twice"}
	err := u.Session.UpdateOneID(row.ID).Where(session.RevokedAtIsNil()).SetRevokedAt(s.now()).Exec(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return fmt.Errorf("revoke a session: %w", err)
	}
	s.Announce(ctx, AccessChange{UserID: row.UserID})
	return nil
}

// Logout ends the session that the viewer's access token belongs to.
func (s *Service) Logout(ctx context.Context) error {
	v, err := inPerson(ctx)
	if err != nil {
		return err
	}
	e := audit.Entry{Action: "user.logout", TargetType: "Session", TargetID: v.SessionID}
	return s.do(ctx, e, func(ctx context.Context, u unit) error {
		return s.endSession(ctx, u, v.UserID, v.SessionID)
	})
}

// RevokeSession ends one of the viewer's own sessions and returns its identifier.
func (s *Service) RevokeSession(ctx context.Context, id string) (string, error) {
	v, err := inPerson(ctx)
	if err != nil {
		return "", err
	}
	e := audit.Entry{Action: "session.revoke", TargetType: "Session", TargetID: id}
	err = s.do(ctx, e, func(ctx context.Context, u unit) error {
		return s.endSession(ctx, u, v.UserID, id)
	})
	return id, err
}

func (s *Service) endSession(ctx context.Context, u unit, userID, id string) error {
	err := u.Session.DeleteOneID(id).Where(session.UserID(userID)).Exec(ctx)
	if ent.IsNotFound(err) {
		return fault.Missing("session")
	}
	if err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	s.Announce(ctx, AccessChange{UserID: userID})
	return nil
}

// endSessions ends an account's sessions, but the one that is named.
func (s *Service) endSessions(ctx context.Context, u unit, userID, but string) error {
	if _, err := u.Session.Delete().Where(session.UserID(userID), session.IDNEQ(but)).Exec(ctx); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	s.Announce(ctx, AccessChange{UserID: userID})
	return nil
}
