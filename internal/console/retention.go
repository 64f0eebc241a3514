package console

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serverlog"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Retention says how long lines are kept: until either bound is passed. The last 1,000 lines of a server stay whatever
// their age, so that one which has been stopped for long still shows why.
type Retention struct {
	// Age is how old a line may get; DefaultAge when zero.
	Age time.Duration
	// Bytes is how much text a server may have; DefaultBytes when zero.
	Bytes int64
}

// What is kept unless the configuration says otherwise.
const (
	DefaultAge   = 7 * 24 * time.Hour
	DefaultBytes = 64 << 20
)

const (
	// sweepEvery is how often old lines are looked for.
	sweepEvery = 5 * time.Minute
	// rowsPerDelete bounds how long one deletion keeps other writers waiting.
	rowsPerDelete = 2000
)

func (r Retention) complete() Retention {
	if r.Age <= 0 {
		r.Age = DefaultAge
	}
	if r.Bytes <= 0 {
		r.Bytes = DefaultBytes
	}
	return r
}

// Sweep removes lines that are past their retention, every few minutes until ctx ends. Every instance may do it.
func (s *Service) Sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if err := s.Prune(ctx); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "could not remove old console lines", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Prune removes the lines of all servers that are past their retention, a few at a time.
func (s *Service) Prune(ctx context.Context) error {
	ctx = viewer.System(ctx, s.Logger, "remove old console lines")
	rows, err := s.Client.Server.Query().Where(server.ConsoleSeqGT(0)).
		Select(server.FieldID, server.FieldConsoleSeq, server.FieldConsoleBytes).All(ctx)
	if err != nil {
		return fmt.Errorf("find consoles: %w", err)
	}
	keep := s.Retention.complete()
	oldest := time.Now().Add(-keep.Age)
	for _, sv := range rows {
		err := s.removeWhile(ctx, sv.ID, func(l *ent.ServerLog) bool {
			return l.BytesUpto <= sv.ConsoleBytes-keep.Bytes || l.At.Before(oldest) && l.Seq <= sv.ConsoleSeq-recent
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Forget removes all lines of a server. It is for a server that goes: a million lines in one statement would keep every
// other writer waiting.
func (s *Service) Forget(ctx context.Context, serverID string) error {
	ctx = viewer.System(ctx, s.Logger, "remove the console of a server")
	return s.removeWhile(ctx, serverID, func(*ent.ServerLog) bool { return true })
}

// removeWhile removes lines from the oldest on, up to the first that is not past.
func (s *Service) removeWhile(ctx context.Context, serverID string, past func(*ent.ServerLog) bool) error {
	for {
		oldest, err := s.Client.ServerLog.Query().Where(serverlog.ServerID(serverID)).Order(serverlog.BySeq()).Limit(rowsPerDelete).
			Select(serverlog.FieldSeq, serverlog.FieldAt, serverlog.FieldBytesUpto).All(ctx)
		if err != nil {
			return fmt.Errorf("read the oldest console lines: %w", err)
		}
		n := 0
		for n < len(oldest) && past(oldest[n]) {
			n++
		}
		if n == 0 {
			return nil
		}
		err = tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
			_, err := t.ServerLog.Delete().Where(serverlog.ServerID(serverID), serverlog.SeqLTE(oldest[n-1].Seq)).Exec(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("remove console lines: %w", err)
		}
		if n < rowsPerDelete {
			return nil
		}
	}
}
