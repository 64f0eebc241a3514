package files

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/protocol/denial"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// callTime bounds a call that a node answers from what it knows, workTime one for which it has to look at or move much.
	callTime, workTime = 10 * time.Second, 25 * time.Second
	// maxItems is how many files one call may name.
	maxItems = 1000
	// maxNamed is how many of them the audit trail names.
	maxNamed = 20
)

// Link reaches the nodes.
type Link interface {
	// Files calls a node about its files, or fails with NODE_OFFLINE.
	Files(nodeID string) (protocol.FileServiceClient, error)
	// Send makes a request whose body or answer are bytes. The answer's body must be closed.
	Send(nodeID string, request *http.Request) (*http.Response, error)
}

// Gate opens a context that lives as long as the viewer keeps a right.
type Gate interface {
	Open(ctx context.Context, p access.Permission, t access.Target) (context.Context, func(), error)
	// OpenWhile does for as long as check returns nil, which is called again on every change of rights or of the entity.
	OpenWhile(ctx context.Context, id string, check func(context.Context) error) (context.Context, func(), error)
}

// Accounts says who a viewer is now.
type Accounts interface {
	// Refresh returns the viewer in ctx with the permissions it has now, or UNAUTHENTICATED when its credential has ended.
	Refresh(ctx context.Context) (*viewer.Viewer, error)
}

// Config is what the service needs.
type Config struct {
	Client   *ent.Client
	Link     Link
	Gate     Gate
	Accounts Accounts
	// Logs reads what is downloaded of consoles.
	Logs Logs
	// Tokens signs addresses.
	Tokens *token.Signer
	// PublicURL is where clients reach the panel, without a slash at its end.
	PublicURL string
	// SFTP is where clients reach SFTP; without a host, they do not.
	SFTP SFTPAddress
	// Allowed are networks beside the public ones that files may be pulled from.
	Allowed []netip.Prefix
	Bus     *bus.Bus
	Logger  *slog.Logger
}

// SFTPAddress is where SFTP is reached.
type SFTPAddress struct {
	Host string
	Port int
}

// Service works with the files of servers.
type Service struct {
	Config

	trail audit.Trail
	works works
}

// New returns the service.
func New(cfg Config) *Service {
	return &Service{Config: cfg, trail: audit.Trail{Client: cfg.Client, Logger: cfg.Logger}}
}

// site is a server whose files the caller may work with.
type site struct {
	id, nodeID string
	deny       denial.List
	calls      protocol.FileServiceClient
}

// reading returns a server whose files the caller may read.
func (s *Service) reading(ctx context.Context, serverID string) (*site, error) {
	if err := access.Check(ctx, s.Client, access.FileRead, access.On(serverID)); err != nil {
		return nil, err
	}
	at, _, err := s.site(ctx, serverID)
	return at, err
}

// changing returns a server whose files the caller may change. A refusal is put on record.
func (s *Service) changing(ctx context.Context, e audit.Entry, p access.Permission) (*site, error) {
	if err := access.Check(ctx, s.Client, p, access.On(e.ServerID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	at, sv, err := s.site(ctx, e.ServerID)
	if err != nil {
		return nil, err
	}
	return at, writable(sv)
}

// writable refuses a server whose files must not be changed now.
func writable(sv *ent.Server) error {
	switch {
	case sv.Suspended:
		return fault.New(fault.Conflict, "The server is suspended: an administrator must unsuspend it first.")
	case sv.State.Busy():
		return fault.New(fault.Conflict, "The server's files are being worked with: wait until its installation, transfer or restoration has ended.")
	}
	return nil
}

// site finds a server and its node.
func (s *Service) site(ctx context.Context, serverID string) (*site, *ent.Server, error) {
	if !kind.ValidID(kind.PrefixServer, serverID) { // something else that the caller may see
		return nil, nil, fault.Missing("server")
	}
	sv, err := s.Client.Server.Query().Where(server.ID(serverID), server.DeletedAtIsNil()).WithTemplate().
		Only(viewer.System(ctx, nil, "find the node of a server whose files are wanted"))
	if ent.IsNotFound(err) {
		return nil, nil, fault.Missing("server")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read server: %w", err)
	}
	calls, err := s.Link.Files(sv.NodeID)
	if err != nil {
		return nil, nil, err
	}
	at := &site{id: sv.ID, nodeID: sv.NodeID, calls: calls}
	if !access.Grants(viewer.FromContext(ctx), access.NodeUpdate) {
		at.deny = denial.New(sv.Edges.Template.DeniedFiles)
	}
	return at, sv, nil
}

// deed is the audit entry of work with a server's files.
func deed(action, serverID string, paths ...string) audit.Entry {
	named := paths[:min(len(paths), maxNamed)]
	e := audit.Entry{Action: action, TargetType: ent.TypeServer, TargetID: serverID, ServerID: serverID}
	if len(paths) > 0 {
		e.Details = map[string]any{"paths": named}
	}
	if len(paths) > len(named) {
		e.Details["count"] = len(paths)
	}
	return e
}

// record puts on record what came of work that a node was asked for. The node has done it: a caller who has gone meanwhile
// takes nothing back, and leaves no gap in the trail.
func (s *Service) record(ctx context.Context, e audit.Entry, failed error) error {
	ctx = context.WithoutCancel(ctx)
	if failed != nil {
		if code := fault.CodeOf(failed); code == fault.NodeOffline || code == fault.BadUserInput || code == fault.NotFound {
			return failed // nothing was done
		}
		e.Outcome = kind.AuditOutcomeFailed
		s.trail.Apart(ctx, e)
		return failed
	}
	return s.trail.Do(ctx, e, func(context.Context, *ent.Tx, *audit.Entry) error { return nil })
}

// counted refuses calls that name nothing, or too much.
func counted(field string, n int) error {
	if n == 0 || n > maxItems {
		return fault.Input(field, "Name 1 to %d files.", maxItems)
	}
	return nil
}
