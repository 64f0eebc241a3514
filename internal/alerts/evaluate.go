package alerts

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"entgo.io/ent/dialect"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/alert"
	"github.com/catalyst-panel/catalyst/ent/alertrule"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// evaluateEvery is how often the rules are evaluated when nothing asks for it.
	evaluateEvery = 30 * time.Second
	// again is how soon the same alert may be raised once more.
	again = 5 * time.Minute
	// evaluationLock is the advisory lock of the instance that evaluates.
	evaluationLock = 0x6361746c // "catl"
)

// Kick has the rules evaluated at once.
func (s *Service) Kick() {
	select {
	case s.kicks <- struct{}{}:
	default:
	}
}

// Heard kicks when one of the events is what a rule may be about.
func (s *Service) Heard(list []events.Event) {
	for _, e := range list {
		switch e.Name {
		case events.ServerCrashed, events.ServerState, events.NodeOffline, events.NodeOnline:
			s.Kick()
			return
		}
	}
}

// Run evaluates the rules until ctx ends.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(evaluateEvery)
	defer ticker.Stop()
	for {
		if err := s.Evaluate(ctx); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "could not evaluate alert rules", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.kicks:
		}
	}
}

// subject is what an alert of a rule is about.
type subject struct{ rule, server, node string }

func subjectOf(a *ent.Alert) subject {
	return subject{rule: orEmpty(a.RuleID), server: orEmpty(a.ServerID), node: orEmpty(a.NodeID)}
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// finding is a subject for which a rule's condition holds.
type finding struct {
	subject
	title, message string
}

// Evaluate evaluates all rules once: it raises what is new, and resolves what is over.
func (s *Service) Evaluate(ctx context.Context) error {
	ctx = viewer.System(ctx, nil, "evaluate alert rules")
	rules, err := s.Client.AlertRule.Query().Where(alertrule.Or(
		alertrule.Enabled(true), alertrule.HasAlertsWith(alert.Resolved(false)))).Exist(ctx)
	if err != nil || !rules {
		return err // without a transaction, which SQLite has only one of
	}
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		if mine, err := s.lock(ctx, t); err != nil || !mine {
			return err
		}
		return s.evaluate(ctx, t)
	})
}

// lock reports whether this instance evaluates. SQLite's transactions keep others away by themselves.
func (s *Service) lock(ctx context.Context, t *ent.Tx) (mine bool, err error) {
	if s.Dialect != dialect.Postgres {
		return true, nil
	}
	rows, err := t.QueryContext(ctx, "SELECT pg_try_advisory_xact_lock($1)", evaluationLock)
	if err != nil {
		return false, fmt.Errorf("lock the evaluation: %w", err)
	}
	defer rows.Close() //nolint:errcheck // reading has ended; Err says how
	for rows.Next() {
		if err := rows.Scan(&mine); err != nil {
			return false, fmt.Errorf("lock the evaluation: %w", err)
		}
	}
	return mine, rows.Err()
}

func (s *Service) evaluate(ctx context.Context, t *ent.Tx) error {
	rules, err := t.AlertRule.Query().WithWebhooks().All(ctx)
	if err != nil {
		return fmt.Errorf("read rules: %w", err)
	}
	open, err := s.open(ctx, t)
	if err != nil {
		return err
	}
	recent, err := s.recent(ctx, t)
	if err != nil {
		return err
	}
	holding := map[subject]bool{}
	var seen []string
	for _, rule := range rules {
		if !rule.Enabled {
			continue
		}
		found, err := s.find(ctx, t, rule)
		if err != nil {
			return err
		}
		for _, f := range found {
			holding[f.subject] = true
			if known := open[f.subject]; known != nil {
				seen = append(seen, known.ID)
				continue
			}
			if recent[f.subject] {
				continue
			}
			if err := s.raise(ctx, t, rule, f); err != nil {
				return err
			}
		}
	}
	for about, a := range open {
		if !holding[about] {
			if _, err := s.close(ctx, t.Alert.UpdateOneID(a.ID), a, ""); err != nil {
				return err
			}
		}
	}
	if len(seen) == 0 {
		return nil
	}
	// All at once, which announces nothing: that it still holds is no news.
	if err := t.Alert.Update().Where(alert.IDIn(seen...)).SetLastSeenAt(s.now()).Exec(ctx); err != nil {
		return fmt.Errorf("note that alerts go on: %w", err)
	}
	return nil
}

// open returns the open alerts of rules.
func (s *Service) open(ctx context.Context, t *ent.Tx) (map[subject]*ent.Alert, error) {
	rows, err := t.Alert.Query().Where(alert.Resolved(false), alert.RuleIDNotNil()).
		WithRule(func(q *ent.AlertRuleQuery) { q.WithWebhooks() }).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read open alerts: %w", err)
	}
	out := make(map[subject]*ent.Alert, len(rows))
	for _, row := range rows {
		out[subjectOf(row)] = row
	}
	return out, nil
}

// recent returns what was raised so lately that it is not raised again.
func (s *Service) recent(ctx context.Context, t *ent.Tx) (map[subject]bool, error) {
	rows, err := t.Alert.Query().Where(alert.RuleIDNotNil(), alert.CreatedAtGT(s.now().Add(-again))).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read recent alerts: %w", err)
	}
	out := make(map[subject]bool, len(rows))
	for _, row := range rows {
		out[subjectOf(row)] = true
	}
	return out, nil
}

func (s *Service) raise(ctx context.Context, t *ent.Tx, rule *ent.AlertRule, f finding) error {
	create := t.Alert.Create().SetRuleID(rule.ID).SetType(rule.Type).SetSeverity(rule.Severity).
		SetTitle(f.title).SetMessage(f.message).SetCreatedAt(s.now()).SetLastSeenAt(s.now())
	if f.server != "" {
		create.SetServerID(f.server)
	}
	if f.node != "" {
		create.SetNodeID(f.node)
	}
	row, err := create.Save(ctx)
	if err != nil {
		return fmt.Errorf("raise alert: %w", err)
	}
	return emit(ctx, events.AlertRaised, row, rule, "")
}

// find returns everything for which a rule's condition holds now.
func (s *Service) find(ctx context.Context, t *ent.Tx, rule *ent.AlertRule) ([]finding, error) {
	switch rule.Type {
	case kind.AlertTypeNodeOffline:
		return findOffline(ctx, t, rule)
	case kind.AlertTypeServerCrashed:
		return findCrashed(ctx, t, rule)
	case kind.AlertTypeResourceThreshold:
		return s.findOver(ctx, t, rule)
	}
	return nil, nil
}
