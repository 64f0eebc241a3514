package schedules

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Servers carries out the steps. servers.Service is one.
type Servers interface {
	Start(ctx context.Context, id string) (*ent.Server, error)
	Stop(ctx context.Context, id string) (*ent.Server, error)
	Restart(ctx context.Context, id string) (*ent.Server, error)
	Kill(ctx context.Context, id string) (*ent.Server, error)
	SendCommand(ctx context.Context, id, command string) (*ent.Server, error)
}

// Backups makes backups. backups.Service does.
type Backups interface {
	// Make makes a backup for a run and waits for its end.
	Make(ctx context.Context, serverID, name, runID string) error
}

// Accounts says what an author may do.
type Accounts interface {
	// Author returns the viewer that an account is, or why it may do nothing any more.
	Author(ctx context.Context, userID string) (*viewer.Viewer, error)
}

// Config is what the service needs.
type Config struct {
	Client   *ent.Client
	Servers  Servers
	Backups  Backups
	Accounts Accounts
	Logger   *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Service owns the tasks.
type Service struct {
	Config

	trail audit.Trail
	// life ends the runs; they outlive the calls that begin them.
	life  context.Context //nolint:containedctx // the life of the runs, which belong to no single call
	end   context.CancelFunc
	runs  sync.WaitGroup
	turns chan struct{}
}

// New returns the service. Its runs end with Close.
func New(ctx context.Context, cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{Config: cfg, trail: audit.Trail{Client: cfg.Client, Logger: cfg.Logger}, turns: make(chan struct{}, maxRuns)}
	s.life, s.end = context.WithCancel(ctx)
	return s
}

// Close breaks runs off and waits for them. What they had not done is on record.
func (s *Service) Close() {
	s.end()
	s.runs.Wait()
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }
