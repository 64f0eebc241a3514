package webhooks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/webhook"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Dispatch makes the deliveries of an event, within the unit of work in which it leaves the outbox.
func (s *Service) Dispatch(ctx context.Context, t *ent.Tx, e events.Event) error {
	hooks, err := t.Webhook.Query().Where(webhook.Enabled(true)).All(ctx)
	if err != nil {
		return fmt.Errorf("read webhooks: %w", err)
	}
	payload := map[string]any(nil)
	for _, hook := range hooks {
		wants := slices.Contains(e.Webhooks, hook.ID) ||
			slices.ContainsFunc(hook.Events, func(pattern string) bool { return events.Covers(pattern, e.Name) })
		if !wants {
			continue
		}
		if payload == nil {
			if payload, err = s.payload(ctx, t, e); err != nil {
				return err
			}
		}
		if err := t.WebhookDelivery.Create().SetWebhookID(hook.ID).SetEvent(e.Name).SetPayload(payload).Exec(ctx); err != nil {
			return fmt.Errorf("store a delivery: %w", err)
		}
	}
	if payload != nil {
		tx.AfterCommit(ctx, func(context.Context) { s.work.wake() })
	}
	return nil
}

// payload is what an event's requests say, with the names of what it is about.
func (s *Service) payload(ctx context.Context, t *ent.Tx, e events.Event) (map[string]any, error) {
	out := map[string]any{"event": e.Name, "at": e.At.UTC().Format(time.RFC3339Nano)}
	if e.Text != "" {
		out["text"] = e.Text
	}
	if e.Actor != "" {
		out["actor"] = e.Actor
	}
	if len(e.Data) > 0 {
		out["data"] = e.Data
	}
	for _, about := range []struct {
		key, id string
		name    func() (string, error)
	}{
		{"server", e.ServerID, func() (string, error) { row, err := t.Server.Get(ctx, e.ServerID); return nameOf(row, err) }},
		{"node", e.NodeID, func() (string, error) { row, err := t.Node.Get(ctx, e.NodeID); return nameOf(row, err) }},
		{"user", e.UserID, func() (string, error) { row, err := t.User.Get(ctx, e.UserID); return nameOf(row, err) }},
	} {
		if about.id == "" {
			continue
		}
		name, err := about.name()
		if err != nil {
			return nil, fmt.Errorf("read what an event is about: %w", err)
		}
		out[about.key] = map[string]any{"id": about.id, "name": name}
	}
	return out, nil
}

// nameOf returns the name of an entity; empty when it is gone by now.
func nameOf(row any, err error) (string, error) {
	if ent.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	switch row := row.(type) {
	case *ent.Server:
		return row.Name, nil
	case *ent.Node:
		return row.Name, nil
	case *ent.User:
		return row.Username, nil
	}
	return "", nil
}

// Test has a webhook told of a ping, so that people see whether it works. It needs webhook.update.
func (s *Service) Test(ctx context.Context, id string) (*ent.WebhookDelivery, error) {
	e := deed("webhook.test", id)
	if err := access.Check(ctx, s.Client, access.WebhookUpdate, access.On(id)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	return s.deliver(ctx, e, id, events.Ping, map[string]any{
		"event": events.Ping, "at": time.Now().UTC().Format(time.RFC3339Nano), "text": "Catalyst reaches this webhook.",
	})
}

// Redeliver makes a request that was made before once more, as a delivery of its own. It needs webhook.update.
func (s *Service) Redeliver(ctx context.Context, deliveryID string) (*ent.WebhookDelivery, error) {
	e := deed("webhook.redeliver", "")
	if err := access.Check(ctx, s.Client, access.WebhookUpdate, access.On(deliveryID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	old, err := s.Client.WebhookDelivery.Get(viewer.System(ctx, nil, "repeat a delivery"), deliveryID)
	if err != nil {
		return nil, stored(err, "delivery")
	}
	e.TargetID = old.WebhookID
	return s.deliver(ctx, e, old.WebhookID, old.Event, old.Payload)
}

func (s *Service) deliver(ctx context.Context, e audit.Entry, webhookID, event string, payload map[string]any) (*ent.WebhookDelivery, error) {
	var made *ent.WebhookDelivery
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, _ *audit.Entry) error {
		hook, err := t.Webhook.Get(viewer.System(ctx, nil, "make a delivery"), webhookID)
		if err != nil {
			return stored(err, "webhook")
		}
		if !hook.Enabled {
			return fault.New(fault.Conflict, "The webhook is switched off: enable it first.")
		}
		row, err := t.WebhookDelivery.Create().SetWebhookID(webhookID).SetEvent(event).SetPayload(payload).Save(ctx)
		if err != nil {
			return fmt.Errorf("store a delivery: %w", err)
		}
		made = row.Unwrap()
		tx.AfterCommit(ctx, func(context.Context) { s.work.wake() })
		return nil
	})
	return made, err
}
