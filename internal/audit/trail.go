package audit

import (
	"context"
	"log/slog"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
)

// Trail carries out units of work that leave an entry, whether they succeed or are refused.
type Trail struct {
	// Client is the database.
	Client *ent.Client
	// Logger is told when a refusal could not be recorded, which changes nothing for the caller.
	Logger *slog.Logger
}

// Do runs fn as a unit of work and records what came of it: a success together with the work, a refusal for want of a
// permission apart from it. The function may complete its entry, and may run more than once; an entry without an action
// is not recorded.
func (t Trail) Do(ctx context.Context, e Entry, fn func(ctx context.Context, x *ent.Tx, e *Entry) error) error {
	var last Entry
	err := tx.Do(ctx, t.Client, func(ctx context.Context, x *ent.Tx) error {
		last = e
		if err := fn(ctx, x, &last); err != nil {
			return err
		}
		if last.Action == "" {
			return nil
		}
		return Record(ctx, x, last)
	})
	return t.Refused(ctx, last, err)
}

// Refused records the entry as refused if err says that the viewer lacks a permission, and returns err.
func (t Trail) Refused(ctx context.Context, e Entry, err error) error {
	if fault.CodeOf(err) == fault.Forbidden && e.Action != "" {
		e.Outcome, e.Details = kind.AuditOutcomeRefused, nil
		t.Apart(ctx, e)
	}
	return err
}

// Apart records the entry in a transaction of its own. The caller's answer does not depend on it.
func (t Trail) Apart(ctx context.Context, e Entry) {
	if err := RecordApart(ctx, t.Client, e); err != nil {
		t.Logger.ErrorContext(ctx, "could not write the audit trail",
			slog.String("action", e.Action), slog.Any("error", err))
	}
}
