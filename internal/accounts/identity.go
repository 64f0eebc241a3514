package accounts

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// usedEvery is how often the last use of an API key is written down.
const usedEvery = time.Minute

// Authenticate turns an Authorization header ("Bearer <access token | API key>") into the viewer and the end of the
// credential; the zero time when it has none. Without a header the viewer is nil: the caller is anonymous. Anything
// that is not a good credential is UNAUTHENTICATED.
func (s *Service) Authenticate(ctx context.Context, header string, remote netip.Addr, userAgent string) (*viewer.Viewer, time.Time, error) {
	if strings.TrimSpace(header) == "" {
		return nil, time.Time{}, nil
	}
	scheme, credential, _ := strings.Cut(strings.TrimSpace(header), " ")
	credential = strings.TrimSpace(credential)
	if !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return nil, time.Time{}, fault.New(fault.Unauthenticated, "Write the Authorization header as: Bearer <access token or API key>.")
	}
	v := &viewer.Viewer{IP: remote.Unmap().WithZone(""), UserAgent: userAgent, RequestID: request.ID(ctx)}
	var expires time.Time
	var err error
	if token.IsOpaque(token.PrefixAPIKey, credential) {
		expires, err = s.byKey(ctx, v, credential)
	} else {
		expires, err = s.byToken(ctx, v, credential)
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	return v, expires, nil
}

// Refresh returns the viewer in ctx with the permissions it has now, or UNAUTHENTICATED when its credential has ended
// or its account is suspended.
func (s *Service) Refresh(ctx context.Context) (*viewer.Viewer, error) {
	v := viewer.FromContext(ctx)
	if v.IsSystem() {
		return v, nil
	}
	if v == nil {
		return nil, anonymous()
	}
	var now *standing
	var err error
	if v.KeyID != "" {
		now, err = s.ofKey(ctx, "", v.KeyID)
	} else {
		now, err = s.ofSession(ctx, v.SessionID)
	}
	if err != nil {
		return nil, err
	}
	if err := s.stands(now, v); err != nil {
		return nil, err
	}
	if err := s.sshKeyStands(ctx, v); err != nil {
		return nil, err
	}
	fresh := v.Clone()
	fill(fresh, now)
	return fresh, nil
}

// Revalidate returns nil while the viewer in ctx may still do everything that it could when it came: its credential is
// good, and no global permission is lost. It is cheap enough for every event of a subscription. What the viewer may do
// on one server is for access.Check.
func (s *Service) Revalidate(ctx context.Context) error {
	fresh, err := s.Refresh(ctx)
	if err != nil || fresh.IsSystem() {
		return err
	}
	v := viewer.FromContext(ctx)
	lost := func(p string) bool { return !access.Contains(fresh.Permissions, access.Permission(p)) }
	if slices.ContainsFunc(v.Permissions, lost) {
		return fault.New(fault.Forbidden, "Your permissions have changed. Ask again to go on with what you may do now.")
	}
	return nil
}

func (s *Service) byToken(ctx context.Context, v *viewer.Viewer, signed string) (time.Time, error) {
	claims, err := s.tokens.Verify(token.AudienceAccess, signed)
	if errors.Is(err, token.ErrExpired) {
		return time.Time{}, fault.New(fault.Unauthenticated, "The access token has expired. Get another with refreshSession.")
	}
	if err != nil {
		return time.Time{}, ended().Wrap(err)
	}
	now, err := s.ofSession(ctx, claims.SessionID)
	if err != nil {
		return time.Time{}, err
	}
	if err := s.stands(now, v); err != nil {
		return time.Time{}, err
	}
	if now.userID != claims.UserID || now.version != claims.Version {
		return time.Time{}, ended()
	}
	fill(v, now)
	v.SessionID = now.credential
	return claims.ExpiresAt, nil
}

func (s *Service) byKey(ctx context.Context, v *viewer.Viewer, key string) (time.Time, error) {
	now, err := s.ofKey(ctx, token.Hash(key), "")
	if err != nil {
		return time.Time{}, err
	}
	if err := s.stands(now, v); err != nil {
		return time.Time{}, err
	}
	fill(v, now)
	v.KeyID = now.credential
	s.noteUse(ctx, now)
	return now.expires, nil
}

// stands says whether a credential may be used now, by this viewer's connection.
func (s *Service) stands(now *standing, v *viewer.Viewer) error {
	switch {
	case now.gone:
		return ended()
	case now.suspended:
		return fault.New(fault.Unauthenticated, "This account is suspended. Ask an administrator.")
	case !now.expires.IsZero() && !s.clock().Before(now.expires):
		return ended()
	case len(now.networks) > 0 && !slices.ContainsFunc(now.networks, func(n netip.Prefix) bool { return n.Contains(v.IP) }):
		return fault.New(fault.Unauthenticated, "This API key may not be used from your address.")
	}
	return nil
}

// fill gives the viewer what its credential stands for now.
func fill(v *viewer.Viewer, now *standing) {
	v.UserID, v.Username = now.userID, now.username
	v.Permissions = now.permissions
	v.Limit = now.limit
}

// noteUse writes down, once a minute, that a key is in use. The request does not depend on it.
func (s *Service) noteUse(ctx context.Context, key *standing) {
	now := s.now()
	if now.Sub(key.lastUsed) < usedEvery || !s.standings.claimUse(key, now) {
		return
	}
	err := tx.Do(ctx, s.client, func(ctx context.Context, t *ent.Tx) error {
		return t.ApiKey.UpdateOneID(key.credential).SetLastUsedAt(now).Exec(ctx)
	})
	if err != nil && !ent.IsNotFound(err) {
		s.log.WarnContext(ctx, "could not note the use of an API key", slog.Any("error", err))
	}
}

func ended() *fault.Error {
	return fault.New(fault.Unauthenticated, "This credential is not valid, or not any more. Sign in again.")
}
