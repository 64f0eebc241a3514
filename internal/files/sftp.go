package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// sftpTokenLife is how long a token for SFTP can be used to connect. What is connected by then may stay.
	sftpTokenLife = 15 * time.Minute
	// activityLife is how long a node may take to tell what a session has done.
	activityLife = 30 * 24 * time.Hour
	// packetBuffer is how much of a session is on its way at once, in bytes.
	packetBuffer = 256 << 10
)

// SFTPToken is what a client needs to connect.
type SFTPToken struct {
	Host               string
	Port               int
	Username, Password string
	ExpiresAt          time.Time
}

// CreateSFTPToken makes a password for SFTP that is good for one server, for a quarter of an hour and as long as the credential
// of whoever asked for it. It needs file.read.
func (s *Service) CreateSFTPToken(ctx context.Context, serverID string) (*SFTPToken, error) {
	e := deed("sftp.token", serverID)
	if err := access.Check(ctx, s.Client, access.FileRead, access.On(serverID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if !kind.ValidID(kind.PrefixServer, serverID) {
		return nil, fault.Missing("server")
	}
	if s.SFTP.Host == "" {
		return nil, fault.New(fault.Conflict, "SFTP is switched off here.")
	}
	signed, expires, err := s.sign(ctx, token.AudienceSFTP, ticket{ServerID: serverID}, sftpTokenLife)
	if err != nil {
		return nil, err
	}
	if err := s.trail.Do(ctx, e, func(context.Context, *ent.Tx, *audit.Entry) error { return nil }); err != nil {
		return nil, err
	}
	return &SFTPToken{Host: s.SFTP.Host, Port: s.SFTP.Port, Username: serverID, Password: signed, ExpiresAt: expires}, nil
}

// RedeemSFTPToken returns a context in which whoever asked for a token is the caller. The token is good for its server only.
func (s *Service) RedeemSFTPToken(ctx context.Context, serverID, signed string) (context.Context, error) {
	t, ctx, err := s.redeem(ctx, token.AudienceSFTP, signed)
	if err != nil {
		return nil, err
	}
	if t.ServerID != serverID {
		return nil, fault.New(fault.Unauthenticated, "This token is for another server.")
	}
	return ctx, nil
}

// SFTPSession is a session that may begin.
type SFTPSession struct {
	// Context ends when the caller's rights do, or change, with the reason.
	Context context.Context //nolint:containedctx // that of one session
	// Close must be called.
	Close func()

	service *Service
	nodeID  string
	query   string
}

// sftpRights are what a session may do.
type sftpRights struct{ read, write, remove bool }

// OpenSFTP opens a session with a server's files. It needs file.read; what else it may do is what the caller may, and nothing
// is changed on a server that is suspended, or that is being installed, restored or transferred.
func (s *Service) OpenSFTP(ctx context.Context, serverID string) (*SFTPSession, error) {
	e := deed("sftp.open", serverID)
	had, at, err := s.sftpRights(ctx, serverID)
	if err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	ctx, closeGate, err := s.Gate.OpenWhile(ctx, serverID, func(ctx context.Context) error {
		now, _, err := s.sftpRights(ctx, serverID)
		if err == nil && now != had {
			return fault.New(fault.Forbidden, "What may be done with the server's files has changed: connect again.")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	name, err := s.nameSession(ctx, serverID)
	if err == nil {
		err = s.trail.Do(ctx, e, func(context.Context, *ent.Tx, *audit.Entry) error { return nil })
	}
	if err != nil {
		closeGate()
		return nil, err
	}
	begun := time.Now()
	return &SFTPSession{
		Context: ctx, service: s, nodeID: at.nodeID,
		query: protocol.SFTPSession{
			ServerID: serverID, Name: name, User: viewer.FromContext(ctx).Username,
			Read: had.read, Write: had.write, Delete: had.remove, Denied: at.deny.Patterns(),
		}.Query(),
		Close: func() {
			closeGate()
			e.Action, e.Details = "sftp.close", map[string]any{"seconds": int(time.Since(begun).Seconds())}
			s.trail.Apart(context.WithoutCancel(ctx), e)
		},
	}, nil
}

// sftpRights looks what the caller may do with the files now.
func (s *Service) sftpRights(ctx context.Context, serverID string) (sftpRights, *site, error) {
	if err := access.Check(ctx, s.Client, access.FileRead, access.On(serverID)); err != nil {
		return sftpRights{}, nil, err
	}
	at, sv, err := s.site(ctx, serverID)
	if err != nil {
		return sftpRights{}, nil, err
	}
	rights := sftpRights{read: true}
	open := writable(sv) == nil
	for p, right := range map[access.Permission]*bool{access.FileWrite: &rights.write, access.FileDelete: &rights.remove} {
		switch err := access.Check(ctx, s.Client, p, access.On(serverID)); {
		case err == nil:
			*right = open
		case fault.CodeOf(err) != fault.Forbidden:
			return sftpRights{}, nil, err
		}
	}
	return rights, at, nil
}

// Serve passes the packets of a client to the node and back until one of them, or the session, has ended.
func (x *SFTPSession) Serve(stream io.ReadWriter) error {
	ctx, cancel := context.WithCancel(x.Context)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, protocol.SFTPPath+"?"+x.query, io.NopCloser(stream))
	if err != nil {
		return fmt.Errorf("begin a session of SFTP: %w", err)
	}
	answer, err := x.service.Link.Send(x.nodeID, r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	// Without ReadFrom and WriteTo, which would take a smaller buffer.
	if _, err := io.CopyBuffer(struct{ io.Writer }{stream}, struct{ io.Reader }{answer.Body}, make([]byte, packetBuffer)); err != nil && x.Context.Err() == nil {
		return fault.New(fault.NodeOffline, "The connection to the node broke off: connect again.").Wrap(err)
	}
	return context.Cause(x.Context)
}

// sessionName is what a node names a session by. It is signed, so that no node speaks for people who were not there.
type sessionName struct {
	ServerID string `json:"s"`
	Username string `json:"u"`
	IP       string `json:"a,omitempty"`
	Agent    string `json:"g,omitempty"`
}

func (s *Service) nameSession(ctx context.Context, serverID string) (string, error) {
	v, info := viewer.FromContext(ctx), request.FromContext(ctx)
	text, err := json.Marshal(sessionName{ServerID: serverID, Username: v.Username, IP: info.IP.String(), Agent: info.UserAgent})
	if err != nil {
		return "", fmt.Errorf("name a session of SFTP: %w", err)
	}
	name, _, err := s.Tokens.Sign(token.AudienceActivity, token.Claims{UserID: v.UserID, Resource: string(text)}, activityLife)
	return name, err
}

// Changed puts on record what a session has done, as a node tells it. What cannot be understood is logged and left.
func (s *Service) Changed(ctx context.Context, activity *protocol.FileActivity) error {
	claims, err := s.Tokens.Verify(token.AudienceActivity, activity.GetSession())
	var name sessionName
	if err == nil {
		err = json.Unmarshal([]byte(claims.Resource), &name)
	}
	if err == nil && name.ServerID != activity.GetServerId() {
		err = errors.New("the session is another server's")
	}
	if err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "refused what a node tells of a session of SFTP",
			slog.String("server_id", activity.GetServerId()), slog.Any("error", err))
		return nil
	}
	e := deed("sftp.change", activity.GetServerId())
	e.ActorID, e.ActorName, e.Details = claims.UserID, name.Username, told(activity)
	ip, _ := netip.ParseAddr(name.IP) // none is none
	ctx = request.NewContext(viewer.NewContext(ctx, nil), request.Info{IP: ip, UserAgent: name.Agent})
	return s.trail.Do(ctx, e, func(context.Context, *ent.Tx, *audit.Entry) error { return nil })
}

// told are the details of a record: a bounded number of deeds, and how many there were.
func told(activity *protocol.FileActivity) map[string]any {
	deeds := activity.GetDeeds()
	list := make([]map[string]any, 0, min(len(deeds), maxNamed))
	for _, d := range deeds[:min(len(deeds), maxNamed)] {
		entry := map[string]any{"kind": d.GetKind(), "path": strings.ToValidUTF8(string(d.GetPath()), "\uFFFD"), "count": d.GetCount()}
		if len(d.GetTo()) > 0 {
			entry["to"] = strings.ToValidUTF8(string(d.GetTo()), "\uFFFD")
		}
		if d.GetBytes() > 0 {
			entry["bytes"] = d.GetBytes()
		}
		list = append(list, entry)
	}
	return map[string]any{"deeds": list, "count": uint64(len(deeds)) + activity.GetMore()}
}
