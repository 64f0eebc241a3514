package backups

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/files"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/seal"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Link reaches the nodes.
type Link interface {
	// Backups calls a node whose link this instance holds, or fails with NODE_OFFLINE.
	Backups(nodeID string) (protocol.BackupServiceClient, error)
	// Send makes a request whose body or answer are bytes. The answer's body must be closed.
	Send(nodeID string, request *http.Request) (*http.Response, error)
}

// Gate opens a context that lives as long as the viewer keeps a right.
type Gate interface {
	Open(ctx context.Context, p access.Permission, t access.Target) (context.Context, func(), error)
}

// Servers restores servers. servers.Service is one.
type Servers interface {
	// Restore has a server's files restored; the caller has checked the right to.
	Restore(ctx context.Context, serverID, backupID string, truncate bool, paths []string) (*ent.Server, error)
}

// Addresses signs addresses. files.Service does.
type Addresses interface {
	SignBackup(ctx context.Context, serverID, backupID, name string) (*files.Address, error)
	// RedeemBackup returns the backup that an address leads to, and a context in which whoever asked for it is the caller.
	RedeemBackup(ctx context.Context, signed string) (backupID string, asker context.Context, err error)
}

// Config is what the service needs.
type Config struct {
	Client    *ent.Client
	Bus       *bus.Bus
	Link      Link
	Gate      Gate
	Servers   Servers
	Addresses Addresses
	// Secrets keeps the credentials of storages.
	Secrets *seal.Box
	Logger  *slog.Logger
}

// Service owns the backups.
type Service struct {
	Config

	trail audit.Trail
	woken chan struct{}

	mu      sync.Mutex
	active  map[string]bool // what is being done something for
	working sync.WaitGroup
}

// New returns the service. Run does the work.
func New(cfg Config) *Service {
	return &Service{
		Config: cfg, trail: audit.Trail{Client: cfg.Client, Logger: cfg.Logger},
		woken: make(chan struct{}, 1), active: make(map[string]bool),
	}
}

// now is the present in the precision that is stored.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// deed is the audit entry of an action on a backup.
func deed(action, id, serverID string) audit.Entry {
	return audit.Entry{Action: action, TargetType: ent.TypeBackup, TargetID: id, ServerID: serverID}
}

// unfinished are the states that something follows.
var unfinished = []kind.BackupState{kind.BackupStatePending, kind.BackupStateRunning, kind.BackupStateVerifying}

// find returns a backup that the caller may do something to; a refusal is put on record.
func (s *Service) find(ctx context.Context, action string, p access.Permission, id string) (*ent.Backup, audit.Entry, error) {
	e := deed(action, id, "")
	if err := access.Check(ctx, s.Client, p, access.On(id)); err != nil {
		return nil, e, s.trail.Refused(ctx, e, err)
	}
	row, err := s.read(ctx, id)
	if err != nil {
		return nil, e, err
	}
	e.ServerID = row.ServerID
	return row, e, nil
}

// read reads a backup with its server and its storage, whoever may see it.
func (s *Service) read(ctx context.Context, id string) (*ent.Backup, error) {
	if !kind.ValidID(kind.PrefixBackup, id) {
		return nil, fault.Missing("backup")
	}
	row, err := s.Client.Backup.Get(viewer.System(ctx, nil, "read a backup"), id)
	if ent.IsNotFound(err) || err == nil && row.DeletedAt != nil {
		return nil, fault.Missing("backup")
	}
	if err != nil {
		return nil, fmt.Errorf("read backup: %w", err)
	}
	return row, nil
}

// wake has the work looked at soon.
func (s *Service) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
