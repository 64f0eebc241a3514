package alerts

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/alert"
	"github.com/catalyst-panel/catalyst/ent/webhook"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	maxName = 128
	// maxFor is how long a condition may be asked to hold.
	maxFor = 24 * time.Hour
	// maxWebhooks is how many webhooks a rule may tell.
	maxWebhooks = 20
)

// Target is what a rule watches: one node, one server, or everything when neither is named.
type Target struct{ NodeID, ServerID *string }

// Condition is what a rule of the type RESOURCE_THRESHOLD compares, in percent of the limit.
type Condition struct {
	Metric   kind.AlertMetric
	Operator kind.Comparison
	Value    float64
	// For is how long it must hold; at once when nil.
	For *time.Duration
}

// Actions say who is told apart from those who hear of all alerts.
type Actions struct{ WebhookIDs []string }

// CreateRuleInput describes a new rule.
type CreateRuleInput struct {
	Name      string
	Type      kind.AlertType
	Severity  kind.AlertSeverity
	Target    *Target
	Condition *Condition
	Actions   *Actions
	Enabled   *bool
}

// CreateRule makes a rule. It needs alertrule.create.
func (s *Service) CreateRule(ctx context.Context, in CreateRuleInput) (*ent.AlertRule, error) {
	e := deed("alertrule.create", "")
	if err := access.Check(ctx, s.Client, access.AlertRuleCreate, access.Anywhere); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	var err error
	if in.Name, err = text.Name("name", "the rule", in.Name, maxName); err != nil {
		return nil, err
	}
	if err := checkCondition(in.Type, in.Condition); err != nil {
		return nil, err
	}
	if err := s.checkReferences(ctx, in.Target, in.Actions); err != nil {
		return nil, err
	}
	var out *ent.AlertRule
	err = s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		create := t.AlertRule.Create().SetName(in.Name).SetType(in.Type).SetSeverity(in.Severity).SetNillableEnabled(in.Enabled)
		if v := viewer.FromContext(ctx); !v.IsSystem() {
			create.SetCreatedByID(v.UserID)
		}
		if in.Target != nil {
			create.SetNillableNodeID(in.Target.NodeID).SetNillableServerID(in.Target.ServerID)
		}
		if in.Condition != nil {
			in.Condition.apply(create.Mutation())
		}
		if in.Actions != nil {
			create.AddWebhookIDs(in.Actions.WebhookIDs...)
		}
		saved, err := create.Save(ctx)
		if err != nil {
			return fmt.Errorf("store rule: %w", err)
		}
		e.TargetID, e.Details = saved.ID, map[string]any{"name": in.Name, "type": in.Type}
		out = saved.Unwrap()
		return nil
	})
	return out, err
}

// UpdateRuleInput changes a rule; nil leaves a part as it is. Its type stays.
type UpdateRuleInput struct {
	ID        string
	Name      *string
	Severity  *kind.AlertSeverity
	Target    *Target
	Condition *Condition
	Actions   *Actions
	Enabled   *bool
}

// UpdateRule changes a rule. It needs alertrule.update. Alerts whose condition is none any more resolve themselves.
func (s *Service) UpdateRule(ctx context.Context, in UpdateRuleInput) (*ent.AlertRule, error) {
	e := deed("alertrule.update", in.ID)
	if err := access.Check(ctx, s.Client, access.AlertRuleUpdate, access.On(in.ID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if in.Name != nil {
		name, err := text.Name("name", "the rule", *in.Name, maxName)
		if err != nil {
			return nil, err
		}
		in.Name = &name
	}
	if err := s.checkReferences(ctx, in.Target, in.Actions); err != nil {
		return nil, err
	}
	var out *ent.AlertRule
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		old, err := t.AlertRule.Get(viewer.System(ctx, nil, "change a rule"), in.ID)
		if ent.IsNotFound(err) {
			return fault.Missing("alert rule")
		}
		if err != nil {
			return fmt.Errorf("read rule: %w", err)
		}
		if in.Condition != nil {
			if err := checkCondition(old.Type, in.Condition); err != nil {
				return err
			}
		}
		update := t.AlertRule.UpdateOneID(in.ID).SetNillableName(in.Name).SetNillableSeverity(in.Severity).SetNillableEnabled(in.Enabled)
		if in.Target != nil {
			update.ClearNode().ClearServer()
			update.SetNillableNodeID(in.Target.NodeID).SetNillableServerID(in.Target.ServerID)
		}
		if in.Condition != nil {
			in.Condition.apply(update.Mutation())
		}
		if in.Actions != nil {
			update.ClearWebhooks().AddWebhookIDs(in.Actions.WebhookIDs...)
		}
		e.Details = map[string]any{"changed": update.Mutation().Fields()}
		saved, err := update.Save(ctx)
		if err != nil {
			return fmt.Errorf("store rule: %w", err)
		}
		out = saved.Unwrap()
		return nil
	})
	if err == nil {
		s.Kick()
	}
	return out, err
}

// DeleteRule removes a rule and resolves what it has raised. It needs alertrule.delete.
func (s *Service) DeleteRule(ctx context.Context, id string) error {
	e := deed("alertrule.delete", id)
	if err := access.Check(ctx, s.Client, access.AlertRuleDelete, access.On(id)); err != nil {
		return s.trail.Refused(ctx, e, err)
	}
	return s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		sys := viewer.System(ctx, nil, "delete a rule")
		row, err := t.AlertRule.Get(sys, id)
		if ent.IsNotFound(err) {
			return fault.Missing("alert rule")
		}
		if err != nil {
			return fmt.Errorf("read rule: %w", err)
		}
		e.Details = map[string]any{"name": row.Name}
		open, err := t.Alert.Query().Where(alert.RuleID(id), alert.Resolved(false)).
			WithRule(func(q *ent.AlertRuleQuery) { q.WithWebhooks() }).All(sys)
		if err != nil {
			return fmt.Errorf("read the rule's alerts: %w", err)
		}
		for _, a := range open {
			if _, err := s.close(ctx, t.Alert.UpdateOneID(a.ID), a, ""); err != nil {
				return err
			}
		}
		if err := t.AlertRule.DeleteOneID(id).Exec(ctx); err != nil {
			return fmt.Errorf("delete rule: %w", err)
		}
		return nil
	})
}

func deed(action, id string) audit.Entry {
	return audit.Entry{Action: action, TargetType: ent.TypeAlertRule, TargetID: id}
}

// apply writes a condition.
func (c Condition) apply(m *ent.AlertRuleMutation) {
	m.SetMetric(c.Metric)
	m.SetOperator(c.Operator)
	m.SetValue(c.Value)
	if c.For != nil {
		m.SetForSeconds(int(*c.For / time.Second))
	}
}

// checkCondition refuses a condition that does not belong to the type, and the lack of one that does.
func checkCondition(t kind.AlertType, c *Condition) error {
	switch {
	case t == kind.AlertTypeResourceThreshold && c == nil:
		return fault.Input("condition", "Say what is compared: a metric, an operator and a value in percent of the limit.")
	case c == nil:
		return nil
	case t != kind.AlertTypeResourceThreshold:
		return fault.Input("condition", "Only rules of the type RESOURCE_THRESHOLD have a condition.")
	case math.IsNaN(c.Value) || c.Value < 0 || c.Value > 10_000:
		return fault.Input("condition.value", "The value is a percentage of the limit, from 0 to 10,000.")
	case c.For != nil && (*c.For < 0 || *c.For > maxFor):
		return fault.Input("condition.for", "A condition can be asked to hold for up to %s.", maxFor)
	}
	return nil
}

// checkReferences refuses what the viewer may not see, or what is not there.
func (s *Service) checkReferences(ctx context.Context, target *Target, actions *Actions) error {
	if target != nil {
		switch {
		case target.NodeID != nil && target.ServerID != nil:
			return fault.Input("target", "Name a node or a server, not both; neither of them means everything.")
		case target.NodeID != nil:
			if err := access.Check(ctx, s.Client, access.NodeRead, access.On(*target.NodeID)); err != nil {
				return err
			}
		case target.ServerID != nil:
			if err := access.Check(ctx, s.Client, access.ServerRead, access.On(*target.ServerID)); err != nil {
				return err
			}
		}
	}
	if actions == nil || len(actions.WebhookIDs) == 0 {
		return nil
	}
	if len(actions.WebhookIDs) > maxWebhooks {
		return fault.Input("actions.webhookIds", "A rule may tell %d webhooks at the most.", maxWebhooks)
	}
	known, err := s.Client.Webhook.Query().Where(webhook.IDIn(actions.WebhookIDs...)).Count(ctx)
	if err != nil {
		return fmt.Errorf("look up webhooks: %w", err)
	}
	if known != len(actions.WebhookIDs) {
		return fault.New(fault.NotFound, "One of these webhooks does not exist, stands there twice, or you may not see it.")
	}
	return nil
}
