package webhooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/webhookdelivery"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// lookEvery is how often due deliveries are looked for when nothing says that there are some.
	lookEvery = 2 * time.Second
	// workers is how many requests are made at once, perWebhook how many of them to one address.
	workers, perWebhook = 16, 2
	// lease is how long a try may take before another instance may make it.
	lease = time.Minute
	// keepFor is how long deliveries that have ended can be looked at.
	keepFor = 7 * 24 * time.Hour
	// sweepEvery is how often those are looked for that are older.
	sweepEvery = time.Hour
)

// pauses lie between the tries of a delivery; after the last one it is given up. Together they are more than a day.
var pauses = []time.Duration{
	10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour,
	8 * time.Hour, 12 * time.Hour,
}

// work is what an instance is about.
type work struct {
	woken chan struct{}

	mu      sync.Mutex
	busy    map[string]int // requests under way, by webhook
	running int
}

func newWork() *work { return &work{woken: make(chan struct{}, 1), busy: map[string]int{}} }

func (w *work) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// take reserves a worker for a webhook.
func (w *work) take(webhookID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running >= workers || w.busy[webhookID] >= perWebhook {
		return false
	}
	w.running++
	w.busy[webhookID]++
	return true
}

func (w *work) done(webhookID string) {
	w.mu.Lock()
	w.running--
	if w.busy[webhookID]--; w.busy[webhookID] == 0 {
		delete(w.busy, webhookID)
	}
	w.mu.Unlock()
	w.wake()
}

// full lists the webhooks that have as many requests under way as they may.
func (w *work) full() (ids []string, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, n := range w.busy {
		if n >= perWebhook {
			ids = append(ids, id)
		}
	}
	return ids, w.running >= workers
}

// Run makes the deliveries that are due until ctx ends, and then waits for those under way. Every instance may do it.
func (s *Service) Run(ctx context.Context) {
	ctx = viewer.System(ctx, s.Logger, "make the deliveries of webhooks")
	var tries sync.WaitGroup
	defer tries.Wait()
	look, sweep := time.NewTicker(lookEvery), time.NewTicker(sweepEvery)
	defer look.Stop()
	defer sweep.Stop()
	for {
		if err := s.begin(ctx, &tries); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "could not look for deliveries", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		case <-s.work.woken:
		case <-sweep.C:
			if err := s.sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
				s.Logger.ErrorContext(ctx, "could not remove old deliveries", slog.Any("error", err))
			}
		}
	}
}

// begin starts the tries that are due, as far as there are workers.
func (s *Service) begin(ctx context.Context, tries *sync.WaitGroup) error {
	full, all := s.work.full()
	if all {
		return nil
	}
	due, err := s.Client.WebhookDelivery.Query().WithWebhook().
		Where(webhookdelivery.StateIn(kind.DeliveryStatePending, kind.DeliveryStateFailed), webhookdelivery.NextAttemptAtLTE(time.Now()),
			webhookdelivery.WebhookIDNotIn(full...)).
		Order(webhookdelivery.ByNextAttemptAt()).Limit(4 * workers).All(ctx)
	if err != nil {
		return fmt.Errorf("read due deliveries: %w", err)
	}
	for _, d := range due {
		if !s.work.take(d.WebhookID) {
			continue
		}
		mine, err := s.claim(ctx, d)
		if err != nil || !mine {
			s.work.done(d.WebhookID)
			if err != nil {
				return err
			}
			continue
		}
		tries.Go(func() {
			defer s.work.done(d.WebhookID)
			if err := s.try(ctx, d); err != nil {
				s.Logger.ErrorContext(ctx, "could not store how a delivery went", slog.String("delivery", d.ID), slog.Any("error", err))
			}
		})
	}
	return nil
}

// claim makes a due delivery this instance's for the time of a try.
func (s *Service) claim(ctx context.Context, d *ent.WebhookDelivery) (mine bool, err error) {
	err = tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		n, err := t.WebhookDelivery.Update().
			Where(webhookdelivery.ID(d.ID), webhookdelivery.Attempts(d.Attempts), webhookdelivery.NextAttemptAt(d.NextAttemptAt)).
			SetNextAttemptAt(time.Now().UTC().Add(lease)).AddAttempts(1).Save(ctx)
		mine = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("claim a delivery: %w", err)
	}
	return mine, nil
}

// try makes one request and stores how it went.
func (s *Service) try(ctx context.Context, d *ent.WebhookDelivery) error {
	hook := d.Edges.Webhook
	if hook == nil || !hook.Enabled {
		return s.settle(ctx, d, kind.DeliveryStateDead, outcome{}, "The webhook was switched off.", time.Now())
	}
	o := s.request(ctx, hook, d, time.Now())
	if errors.Is(o.err, context.Canceled) {
		return nil // the instance ends: another one tries again when the lease is over
	}
	tried := d.Attempts + 1
	now := time.Now().UTC()
	switch {
	case o.accepted():
		return s.settle(ctx, d, kind.DeliveryStateSucceeded, o, "", now)
	case tried > len(pauses):
		return s.settle(ctx, d, kind.DeliveryStateDead, o, o.reason(), now)
	}
	return s.settle(ctx, d, kind.DeliveryStateFailed, o, o.reason(), now.Add(pauses[tried-1]))
}

// settle stores the state of a delivery after a try.
func (s *Service) settle(ctx context.Context, d *ent.WebhookDelivery, state kind.DeliveryState, o outcome, reason string, next time.Time) error {
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		update := t.WebhookDelivery.Update().Where(webhookdelivery.ID(d.ID)).SetState(state).SetNextAttemptAt(next).
			SetLatencyMs(int(o.latency.Milliseconds()))
		if o.status > 0 {
			update.SetStatusCode(o.status)
		}
		if reason == "" {
			update.ClearError()
		} else {
			update.SetError(reason)
		}
		if state == kind.DeliveryStateSucceeded {
			update.SetDeliveredAt(next)
		}
		return update.Exec(ctx)
	})
}

// sweep removes deliveries that ended long ago.
func (s *Service) sweep(ctx context.Context, now time.Time) error {
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		_, err := t.WebhookDelivery.Delete().Where(
			webhookdelivery.StateIn(kind.DeliveryStateSucceeded, kind.DeliveryStateDead), webhookdelivery.CreatedAtLT(now.Add(-keepFor)),
		).Exec(ctx)
		return err
	})
}
