package events

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/outbox"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// drainEvery is how often the outbox is looked into.
	drainEvery = time.Second
	// drainBatch is how many events are handled in one unit of work.
	drainBatch = 100
)

// Handler passes an event on, within the unit of work in which it leaves the outbox.
type Handler func(ctx context.Context, t *ent.Tx, e Event) error

// Drainer takes events out of the outbox.
type Drainer struct {
	Client *ent.Client
	Logger *slog.Logger
	// Handle is called for each event.
	Handle Handler
	// Drained, when not nil, is called after events were handled.
	Drained func(ctx context.Context, list []Event)
}

// Run drains until ctx ends. Every instance may do it: an event belongs to whoever removes it.
func (d *Drainer) Run(ctx context.Context) {
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		for {
			n, err := d.Once(ctx)
			if err != nil && ctx.Err() == nil {
				d.Logger.ErrorContext(ctx, "could not pass events on", slog.Any("error", err))
			}
			if err != nil || n < drainBatch {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Once handles what is there, up to a batch, and returns how many events that were.
func (d *Drainer) Once(ctx context.Context) (int, error) {
	ctx = viewer.System(ctx, nil, "pass events on")
	waiting, err := d.Client.Outbox.Query().Where(outbox.Topic(topic)).Exist(ctx)
	if err != nil || !waiting {
		return 0, err // without a transaction, which SQLite has only one of
	}
	var list []Event
	err = tx.Do(ctx, d.Client, func(ctx context.Context, t *ent.Tx) error {
		list = nil
		rows, err := t.Outbox.Query().Where(outbox.Topic(topic)).Order(outbox.ByID()).Limit(drainBatch).All(ctx)
		if err != nil {
			return fmt.Errorf("read the outbox: %w", err)
		}
		for _, row := range rows {
			mine, err := t.Outbox.Delete().Where(outbox.ID(row.ID)).Exec(ctx)
			if err != nil {
				return fmt.Errorf("take an event out of the outbox: %w", err)
			}
			var e Event
			if err := json.Unmarshal(row.Payload, &e); err != nil {
				d.Logger.ErrorContext(ctx, "an event cannot be read", slog.String("id", row.ID), slog.Any("error", err))
				continue
			}
			if mine == 0 { // another instance was faster
				continue
			}
			if err := d.Handle(ctx, t, e); err != nil {
				return fmt.Errorf("pass on %s: %w", e.Name, err)
			}
			list = append(list, e)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if d.Drained != nil && len(list) > 0 {
		d.Drained(ctx, list)
	}
	return len(list), nil
}
