package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// maxTicket is how long what a signed address says may be, in bytes: the whole address must pass every proxy.
const maxTicket = 2 << 10

// ticket is what a signed address is good for. It speaks for the credential that asked for it, and ends with that.
type ticket struct {
	ServerID string   `json:"s"`
	Paths    []string `json:"p,omitempty"`
	Format   string   `json:"f,omitempty"`
	UploadID string   `json:"u,omitempty"`
	Size     int64    `json:"n,omitempty"`
	KeyID    string   `json:"k,omitempty"`
	// Log is set in an address of a log, and in no other.
	Log *logTicket `json:"l,omitempty"`

	// BackupID is set in an address of a backup, and in no other.
	BackupID string `json:"b,omitempty"`

	expires time.Time
}

// sign makes a token of a ticket for the viewer in ctx.
func (s *Service) sign(ctx context.Context, a token.Audience, t ticket, life time.Duration) (string, time.Time, error) {
	v := viewer.FromContext(ctx)
	t.KeyID = v.KeyID
	text, err := json.Marshal(t)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("encode what an address is good for: %w", err)
	}
	if len(text) > maxTicket {
		return "", time.Time{}, fault.Input("paths", "These paths are too long for one address: name the directory that they are in, or fewer of them.")
	}
	user := v.UserID
	if v.IsSystem() {
		return "", time.Time{}, errors.New("the system asks for no signed addresses")
	}
	return s.Tokens.Sign(a, token.Claims{UserID: user, SessionID: v.SessionID, Resource: string(text)}, life)
}

// redeem returns what a signed address is good for, and a context in which whoever asked for it is the caller.
func (s *Service) redeem(ctx context.Context, a token.Audience, signed string) (ticket, context.Context, error) {
	claims, err := s.Tokens.Verify(a, signed)
	if errors.Is(err, token.ErrExpired) {
		return ticket{}, nil, fault.New(fault.Unauthenticated, "This address has expired: ask the API for a new one.")
	}
	var t ticket
	if err == nil {
		err = json.Unmarshal([]byte(claims.Resource), &t)
	}
	if err != nil {
		return ticket{}, nil, fault.New(fault.Unauthenticated, "This address is not valid: ask the API for one.").Wrap(err)
	}
	t.expires = claims.ExpiresAt
	info := request.FromContext(ctx)
	asker := &viewer.Viewer{
		UserID: claims.UserID, SessionID: claims.SessionID, KeyID: t.KeyID, IP: info.IP, UserAgent: info.UserAgent, RequestID: info.ID,
	}
	v, err := s.Accounts.Refresh(viewer.NewContext(ctx, asker))
	if err != nil {
		return ticket{}, nil, err
	}
	if v.UserID != claims.UserID {
		return ticket{}, nil, fault.New(fault.Unauthenticated, "This address is not valid: ask the API for one.")
	}
	return t, viewer.NewContext(ctx, v), nil
}

// address is where a signed address is answered.
func (s *Service) address(kind, signed, name string) string {
	return s.PublicURL + "/files/" + kind + "/" + signed + name
}

// SignBackup returns an address of a backup's archive for the viewer in ctx, whose right to it was checked.
func (s *Service) SignBackup(ctx context.Context, serverID, backupID, name string) (*Address, error) {
	signed, expires, err := s.sign(ctx, token.AudienceDownload, ticket{ServerID: serverID, BackupID: backupID}, downloadLife)
	if err != nil {
		return nil, err
	}
	return &Address{URL: s.address("backup", signed, "/"+url.PathEscape(name)), ExpiresAt: expires}, nil
}

// RedeemBackup returns the backup that an address leads to, and a context in which whoever asked for it is the caller.
func (s *Service) RedeemBackup(ctx context.Context, signed string) (backupID string, asker context.Context, err error) {
	t, ctx, err := s.redeem(ctx, token.AudienceDownload, signed)
	if err != nil {
		return "", nil, err
	}
	if t.BackupID == "" {
		return "", nil, notThere()
	}
	return t.BackupID, ctx, nil
}
