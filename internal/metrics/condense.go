package metrics

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"entgo.io/ent/dialect"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Retention says how long points are kept; zeros take the defaults.
type Retention struct{ Raw, Hourly, Daily time.Duration }

// What is kept unless the configuration says otherwise.
const (
	DefaultRaw    = 48 * time.Hour
	DefaultHourly = 30 * 24 * time.Hour
	DefaultDaily  = 2 * 365 * 24 * time.Hour
)

func (r Retention) complete() Retention {
	for _, part := range []struct {
		given    *time.Duration
		fallback time.Duration
	}{{&r.Raw, DefaultRaw}, {&r.Hourly, DefaultHourly}, {&r.Daily, DefaultDaily}} {
		if *part.given <= 0 {
			*part.given = part.fallback
		}
	}
	return r
}

// level is one step from finer to coarser points.
type level struct {
	from, to kind.MetricsResolution
	length   time.Duration // of what a coarser point stands for
}

var (
	hourly = level{kind.MetricsResolutionRaw, kind.MetricsResolutionHourly, time.Hour}
	daily  = level{kind.MetricsResolutionHourly, kind.MetricsResolutionDaily, 24 * time.Hour}
)

const (
	// condenseEvery is how often points are condensed and old ones removed.
	condenseEvery = 5 * time.Minute
	// rowsPerDelete bounds how long one deletion keeps other writers waiting.
	rowsPerDelete = 5000
)

// Condense keeps hourly and daily points up to date and removes what is past its retention, every few minutes until ctx
// ends. Every instance may do it.
func (s *Service) Condense(ctx context.Context) {
	ticker := time.NewTicker(condenseEvery)
	defer ticker.Stop()
	for {
		if err := s.Tidy(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "could not condense metrics", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Tidy brings the points of the present and the last hour and day up to date, and removes old ones.
func (s *Service) Tidy(ctx context.Context, now time.Time) error {
	ctx = viewer.System(ctx, nil, "condense metrics")
	now = now.UTC()
	for _, l := range []level{hourly, daily} {
		begin := now.Truncate(l.length)
		for _, at := range []time.Time{begin.Add(-l.length), begin} {
			if err := s.condense(ctx, l, at); err != nil {
				return err
			}
		}
	}
	keep := s.Retention.complete()
	for _, old := range []struct {
		resolution kind.MetricsResolution
		before     time.Time
	}{
		{kind.MetricsResolutionRaw, now.Add(-keep.Raw)},
		{kind.MetricsResolutionHourly, now.Add(-keep.Hourly)},
		{kind.MetricsResolutionDaily, now.Add(-keep.Daily)},
	} {
		for _, table := range tables {
			if err := s.remove(ctx, table.name, old.resolution, old.before); err != nil {
				return err
			}
		}
	}
	return nil
}

// measures are the columns that every point has as an average and a maximum, with their type in PostgreSQL.
var measures = []struct{ name, cast string }{
	{"cpu_percent", "double precision"},
	{"memory_bytes", "bigint"},
	{"network_rx_bytes", "bigint"},
	{"network_tx_bytes", "bigint"},
	{"disk_bytes", "bigint"},
	{"processes", "bigint"},
}

// condense makes the coarser points that begin at a time of all the finer ones that there are, in one statement a series.
func (s *Service) condense(ctx context.Context, l level, begin time.Time) error {
	ctx = viewer.System(ctx, nil, "condense metrics")
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		for _, table := range tables {
			_, err := t.ExecContext(ctx, s.condensing(table.name, table.owner), string(l.to), begin, string(l.from), begin, begin.Add(l.length))
			if err != nil {
				return fmt.Errorf("condense %s: %w", table.name, err)
			}
		}
		return nil
	})
}

// condensing is the statement, whose parameters are the coarser resolution, its time, the finer one, and its bounds.
func (s *Service) condensing(table, owner string) string {
	columns, values, updates := []string{owner, "resolution", "at", "samples"}, []string{}, []string{"samples = excluded.samples"}
	for _, m := range measures {
		average, highest := m.name+"_avg", m.name+"_max"
		columns = append(columns, average, highest)
		values = append(values, fmt.Sprintf("CAST(SUM(%s * samples) / SUM(samples) AS %s)", average, m.cast), fmt.Sprintf("MAX(%s)", highest))
		updates = append(updates, fmt.Sprintf("%[1]s = excluded.%[1]s", average), fmt.Sprintf("%[1]s = excluded.%[1]s", highest))
	}
	p := []any{"?", "?", "?", "?", "?"}
	if s.Dialect == dialect.Postgres {
		p = []any{"$1", "CAST($2 AS timestamptz)", "$3", "$4", "$5"}
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s, %s, %s, SUM(samples), %s FROM %s WHERE resolution = %s AND at >= %s AND at < %s GROUP BY %s "+
		"ON CONFLICT (%s, resolution, at) DO UPDATE SET %s",
		table, strings.Join(columns, ", "), owner, p[0], p[1], strings.Join(values, ", "), table, p[2], p[3], p[4], owner,
		owner, strings.Join(updates, ", "))
}

// remove deletes old points, a few at a time.
func (s *Service) remove(ctx context.Context, table string, resolution kind.MetricsResolution, before time.Time) error {
	first, second := "?", "?"
	if s.Dialect == dialect.Postgres {
		first, second = "$1", "$2"
	}
	query := fmt.Sprintf("DELETE FROM %[1]s WHERE id IN (SELECT id FROM %[1]s WHERE resolution = %[2]s AND at < %[3]s LIMIT %[4]d)",
		table, first, second, rowsPerDelete)
	for {
		var gone int64
		err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
			result, err := t.ExecContext(ctx, query, string(resolution), before)
			if err == nil {
				gone, err = result.RowsAffected()
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("remove old %s: %w", table, err)
		}
		if gone < rowsPerDelete {
			return nil
		}
	}
}

func isNoRows(err error) bool { return errors.Is(err, dbsql.ErrNoRows) }
