package console

import (
	"context"
	"log/slog"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Gate opens a context that lives as long as the viewer keeps a right.
type Gate interface {
	Open(ctx context.Context, p access.Permission, t access.Target) (context.Context, func(), error)
}

// Config is what the service needs.
type Config struct {
	Client *ent.Client
	// Dialect is the SQL dialect of the database, in ent's terms.
	Dialect string
	Bus     *bus.Bus
	Gate    Gate
	Logger  *slog.Logger
	// Retention says how long lines are kept.
	Retention Retention
}

// Service owns the stored consoles.
type Service struct{ Config }

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg} }

// Line is one line of a server's console.
type Line struct {
	// Seq counts a server's lines for ever, from 1.
	Seq uint64 `json:"s"`
	// Micros is when the line was written, in microseconds of Unix time.
	Micros int64       `json:"t"`
	Stream kind.Stream `json:"o"`
	Text   string      `json:"x"`
}

// Time is when the line was written, by the node's clock.
func (l Line) Time() time.Time { return time.UnixMicro(l.Micros).UTC() }

// Batch is a run of lines, in order.
type Batch struct {
	Lines []Line
	// Skipped counts the lines before these that are gone: dropped by the node's limit or past their retention.
	Skipped uint64
	// Texts keeps what was made of this very batch for one follower for those who want the same; nil for a batch that no
	// other follower gets.
	Texts *Texts
}

// stored is what is published after lines were stored: the lines and nothing else.
type stored struct {
	Lines []Line `json:"l"`
	// texts are shared by all followers in this process, as the event itself is.
	texts Texts
}

// topic carries stored lines, by server.
var topic = bus.NewTopic[*stored]("console")
