package webhooks

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/egress"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/seal"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	maxName = 128
	maxURL  = 2048
	// minSecret and maxSecret bound a secret that somebody chooses.
	minSecret, maxSecret = 16, 256
)

// Config is what the service needs.
type Config struct {
	Client *ent.Client
	Logger *slog.Logger
	// Secrets keeps the secrets of signatures.
	Secrets *seal.Box
	// HTTP makes the requests; package egress gives one.
	HTTP *http.Client
}

// Service owns the webhooks.
type Service struct {
	Config

	trail audit.Trail
	work  *work
}

// New returns the service.
func New(cfg Config) *Service {
	return &Service{Config: cfg, trail: audit.Trail{Client: cfg.Client, Logger: cfg.Logger}, work: newWork()}
}

// CreateInput describes a new webhook.
type CreateInput struct {
	Name, URL string
	Events    []string
	// Secret is the key of the signature; one is made when it is nil.
	Secret *string
	Format *kind.WebhookFormat
}

// Created is a new webhook with its secret, which is not shown again.
type Created struct {
	Webhook *ent.Webhook
	Secret  string
}

// Create makes a webhook. It needs webhook.create.
func (s *Service) Create(ctx context.Context, in CreateInput) (*Created, error) {
	e := deed("webhook.create", "")
	if err := access.Check(ctx, s.Client, access.WebhookCreate, access.Anywhere); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if err := check(&in.Name, &in.URL, in.Events, in.Secret); err != nil {
		return nil, err
	}
	out := Created{Secret: rand.Text()}
	if in.Secret != nil {
		out.Secret = *in.Secret
	}
	id := kind.NewID(kind.PrefixWebhook)
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		create := t.Webhook.Create().SetID(id).SetName(in.Name).SetURL(in.URL).SetEvents(sorted(in.Events)).
			SetSecret(s.Secrets.Seal([]byte(out.Secret), id))
		if in.Format != nil {
			create.SetFormat(*in.Format)
		}
		if v := viewer.FromContext(ctx); !v.IsSystem() {
			create.SetOwnerID(v.UserID)
		}
		made, err := create.Save(ctx)
		if err != nil {
			return fmt.Errorf("store webhook: %w", err)
		}
		e.TargetID, e.Details = id, map[string]any{"name": in.Name, "url": in.URL, "events": in.Events}
		out.Webhook = made.Unwrap()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// UpdateInput changes a webhook; nil leaves a field as it is.
type UpdateInput struct {
	ID        string
	Name, URL *string
	Events    []string
	Secret    *string
	Format    *kind.WebhookFormat
	Enabled   *bool
}

// Update changes a webhook. It needs webhook.update.
func (s *Service) Update(ctx context.Context, in UpdateInput) (*ent.Webhook, error) {
	e := deed("webhook.update", in.ID)
	if err := access.Check(ctx, s.Client, access.WebhookUpdate, access.On(in.ID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if err := check(in.Name, in.URL, in.Events, in.Secret); err != nil {
		return nil, err
	}
	var out *ent.Webhook
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		update := t.Webhook.UpdateOneID(in.ID).SetNillableName(in.Name).SetNillableURL(in.URL).
			SetNillableFormat(in.Format).SetNillableEnabled(in.Enabled)
		if in.Events != nil {
			update.SetEvents(sorted(in.Events))
		}
		if in.Secret != nil {
			update.SetSecret(s.Secrets.Seal([]byte(*in.Secret), in.ID))
		}
		e.Details = map[string]any{"changed": update.Mutation().Fields()}
		saved, err := update.Save(ctx)
		if err != nil {
			return stored(err, "webhook")
		}
		out = saved.Unwrap()
		return nil
	})
	return out, err
}

// Delete removes a webhook with its deliveries. It needs webhook.delete.
func (s *Service) Delete(ctx context.Context, id string) error {
	e := deed("webhook.delete", id)
	if err := access.Check(ctx, s.Client, access.WebhookDelete, access.On(id)); err != nil {
		return s.trail.Refused(ctx, e, err)
	}
	return s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, _ *audit.Entry) error {
		return stored(t.Webhook.DeleteOneID(id).Exec(ctx), "webhook")
	})
}

func deed(action, id string) audit.Entry {
	return audit.Entry{Action: action, TargetType: ent.TypeWebhook, TargetID: id}
}

// stored turns an error of a write into what it means.
func stored(err error, noun string) error {
	switch {
	case err == nil:
		return nil
	case ent.IsNotFound(err):
		return fault.Missing(noun)
	}
	return fmt.Errorf("store %s: %w", noun, err)
}

func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// check refuses what could never work.
func check(name, url *string, wanted []string, secret *string) error {
	if name != nil {
		clean, err := text.Name("name", "the webhook", *name, maxName)
		if err != nil {
			return err
		}
		*name = clean
	}
	if url != nil {
		if _, err := egress.CheckURL(*url); err != nil || len(*url) > maxURL {
			return fault.Input("url", "This is no address that can be told of events: give an https:// or http:// URL without a user name, such as https://example.com/hook.")
		}
	}
	for _, pattern := range wanted {
		if !events.ValidPattern(pattern) {
			return fault.Input("events", "%q is no event. Use names or areas of: %s; or * for all.", clip(pattern), strings.Join(events.Names(), ", "))
		}
	}
	if secret != nil && (len(*secret) < minSecret || len(*secret) > maxSecret) {
		return fault.Input("secret", "A secret has %d to %d bytes. Leave it out, and one is made.", minSecret, maxSecret)
	}
	return nil
}

func clip(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.ToValidUTF8(s, "?")
}
