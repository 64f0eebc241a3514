package accounts

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/sshkey"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// closeTime bounds the end of a session whose client has gone.
const closeTime = 5 * time.Second

// Proof is who a client of SFTP has shown to be. OpenSFTP makes a caller of it.
type Proof struct {
	user     *ent.User
	sshKeyID string
	viewer   *viewer.Viewer // of an API key
}

// SFTPPassword checks the password of a client of SFTP: that of the account, or one of its API keys. Accounts with a second
// factor are not let in by their password. UNAUTHENTICATED for everything that is not good, alike and after the same time;
// RATE_LIMITED after too many tries.
func (s *Service) SFTPPassword(ctx context.Context, username, password string) (*Proof, error) {
	if token.IsOpaque(token.PrefixAPIKey, password) {
		return s.sftpAPIKey(ctx, username, password)
	}
	row, err := s.byPassword(ctx, actionSFTP, username, password)
	if err != nil {
		return nil, err
	}
	switch {
	case row.Suspended:
		s.recordLogin(ctx, actionSFTP, row, kind.AuditOutcomeRefused, "suspended")
		return nil, wrongLogin()
	case row.TotpEnabled:
		s.recordLogin(ctx, actionSFTP, row, kind.AuditOutcomeRefused, "the account has a second factor: a key or a token of createSftpToken is needed")
		return nil, wrongLogin()
	}
	return &Proof{user: row}, nil
}

// sftpAPIKey is not counted, as API keys are nowhere: they cannot be guessed, and programs connect often.
func (s *Service) sftpAPIKey(ctx context.Context, username, key string) (*Proof, error) {
	ip, agent := origin(ctx)
	v, _, err := s.Authenticate(ctx, "Bearer "+key, ip, agent)
	if err != nil {
		return nil, err
	}
	if usernameKey(v.Username) != usernameKey(username) {
		return nil, wrongLogin()
	}
	return &Proof{viewer: v}, nil
}

// SFTPKey looks a public key up that a client of SFTP offers. Whether the client has the private one is for the caller to find
// out. UNAUTHENTICATED for a key that is not the account's.
func (s *Service) SFTPKey(ctx context.Context, username string, key ssh.PublicKey) (*Proof, error) {
	sys := s.asSystem(ctx, "look up an SSH key")
	row, err := s.client.SshKey.Query().
		Where(sshkey.Fingerprint(ssh.FingerprintSHA256(key)), sshkey.HasUserWith(user.UsernameKey(usernameKey(username)), user.Suspended(false))).
		WithUser().Only(sys)
	if ent.IsNotFound(err) {
		return nil, wrongLogin()
	}
	if err != nil {
		return nil, fmt.Errorf("look up an SSH key: %w", err)
	}
	return &Proof{user: row.Edges.User, sshKeyID: row.ID}, nil
}

// OpenSFTP returns a context in which the client is the caller, and what is to be called when it has gone. Unless it came with
// an API key, it has a session of the account meanwhile, which its owner sees and can revoke.
func (s *Service) OpenSFTP(ctx context.Context, p *Proof) (context.Context, func(), error) {
	if p.viewer != nil {
		return viewer.NewContext(ctx, p.viewer), func() {}, nil
	}
	var out *Credentials
	var sessionID string
	e := loginEntry(actionSFTP, p.user)
	e.Details = map[string]any{"method": p.method()}
	err := s.do(ctx, e, func(ctx context.Context, u unit) error {
		now, err := u.User.Get(s.asSystem(ctx, "open a session of SFTP"), p.user.ID)
		if err != nil {
			return missing(err, "user")
		}
		if now.Suspended || now.TokenVersion != p.user.TokenVersion || now.PasswordHash != p.user.PasswordHash {
			return wrongLogin()
		}
		if err := s.sweepSessions(ctx, u, now.ID); err != nil {
			return err
		}
		out, sessionID, err = s.openSession(ctx, u, now)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	info := request.FromContext(ctx)
	v := &viewer.Viewer{
		UserID: out.User.ID, SessionID: sessionID, SSHKeyID: p.sshKeyID, IP: info.IP, UserAgent: info.UserAgent, RequestID: info.ID,
	}
	if v, err = s.Refresh(viewer.NewContext(ctx, v)); err != nil {
		return nil, nil, err
	}
	return viewer.NewContext(ctx, v), func() { s.closeSFTP(ctx, v) }, nil
}

// UserID is the account that it is of.
func (p *Proof) UserID() string {
	if p.viewer != nil {
		return p.viewer.UserID
	}
	return p.user.ID
}

func (p *Proof) method() string {
	if p.sshKeyID != "" {
		return "key"
	}
	return "password"
}

// closeSFTP ends the session of a client that has gone.
func (s *Service) closeSFTP(ctx context.Context, v *viewer.Viewer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	err := s.do(ctx, audit.Entry{}, func(ctx context.Context, u unit) error { return s.endSession(ctx, u, v.UserID, v.SessionID) })
	if err != nil && fault.CodeOf(err) != fault.NotFound { // it may have been revoked
		s.log.WarnContext(ctx, "the session of a client of SFTP stays until it expires", slog.Any("error", err))
	}
}

// sshKeyStands says whether the SSH key that a viewer's session was opened with is still the account's.
func (s *Service) sshKeyStands(ctx context.Context, v *viewer.Viewer) error {
	if v.SSHKeyID == "" {
		return nil
	}
	there, err := s.client.SshKey.Query().Where(sshkey.ID(v.SSHKeyID), sshkey.UserID(v.UserID)).Exist(s.asSystem(ctx, "look whether an SSH key stands"))
	switch {
	case err != nil:
		return fmt.Errorf("look up an SSH key: %w", err)
	case !there:
		return ended()
	}
	return nil
}
