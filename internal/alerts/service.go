package alerts

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/alert"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// maxBulk is how many alerts are resolved at once.
const maxBulk = 100

// Config is what the service needs.
type Config struct {
	Client *ent.Client
	// Dialect is the SQL dialect of the database, in ent's terms.
	Dialect string
	Logger  *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Service owns alerts and their rules.
type Service struct {
	Config

	trail audit.Trail
	kicks chan struct{}
}

// New returns the service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{Config: cfg, trail: audit.Trail{Client: cfg.Client, Logger: cfg.Logger}, kicks: make(chan struct{}, 1)}
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// Resolve resolves alerts by hand: those that are over already stay as they are. It needs alert.resolve for each, and
// resolves none when one of them cannot be.
func (s *Service) Resolve(ctx context.Context, ids ...string) ([]*ent.Alert, error) {
	if len(ids) == 0 || len(ids) > maxBulk {
		return nil, fault.Input("ids", "Name 1 to %d alerts.", maxBulk)
	}
	e := audit.Entry{Action: "alert.resolve", TargetType: ent.TypeAlert, TargetID: ids[0], Details: map[string]any{"ids": ids}}
	for _, id := range ids {
		if !kind.ValidID(kind.PrefixAlert, id) {
			return nil, fault.Missing("alert")
		}
		if err := access.Check(ctx, s.Client, access.AlertResolve, access.On(id)); err != nil {
			return nil, s.trail.Refused(ctx, e, err)
		}
	}
	e.Action = "alert.close" // the event of the same name is each alert's own
	var out []*ent.Alert
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, _ *audit.Entry) error {
		out = nil
		sys := viewer.System(ctx, nil, "resolve alerts")
		for _, id := range ids {
			row, err := t.Alert.Query().Where(alert.ID(id)).WithRule(func(q *ent.AlertRuleQuery) { q.WithWebhooks() }).Only(sys)
			if ent.IsNotFound(err) {
				return fault.Missing("alert")
			}
			if err != nil {
				return fmt.Errorf("read alert: %w", err)
			}
			if !row.Resolved {
				update := t.Alert.UpdateOneID(id)
				if v := viewer.FromContext(ctx); !v.IsSystem() {
					update.SetResolvedByID(v.UserID)
				}
				if row, err = s.close(ctx, update, row, byHand(ctx)); err != nil {
					return err
				}
			}
			out = append(out, row.Unwrap())
		}
		return nil
	})
	return out, err
}

// byHand names the viewer, who is a person.
func byHand(ctx context.Context) string {
	if who := viewer.FromContext(ctx); who != nil && !who.IsSystem() {
		return who.Username
	}
	return ""
}

// close ends an alert and tells of it.
func (s *Service) close(ctx context.Context, update *ent.AlertUpdateOne, row *ent.Alert, by string) (*ent.Alert, error) {
	closed, err := update.SetResolved(true).SetResolvedAt(s.now()).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("resolve alert: %w", err)
	}
	return closed, emit(ctx, events.AlertResolved, row, row.Edges.Rule, by)
}

// emit tells of an alert.
func emit(ctx context.Context, name string, row *ent.Alert, rule *ent.AlertRule, by string) error {
	e := events.Event{
		Name: name, Text: row.Title, Actor: by,
		Data: map[string]any{"alert": row.ID, "type": row.Type, "severity": row.Severity, "title": row.Title, "message": row.Message},
	}
	if row.ServerID != nil {
		e.ServerID = *row.ServerID
	}
	if row.NodeID != nil {
		e.NodeID = *row.NodeID
	}
	if rule != nil {
		e.Data["rule"] = rule.Name
		for _, hook := range rule.Edges.Webhooks {
			e.Webhooks = append(e.Webhooks, hook.ID)
		}
	}
	return events.Emit(ctx, e)
}

// Stats counts alerts.
type Stats struct {
	Total, Open int
	BySeverity  []SeverityCount
	ByType      []TypeCount
}

// SeverityCount is how many open alerts have a severity.
type SeverityCount struct {
	Severity kind.AlertSeverity
	Count    int
}

// TypeCount is how many open alerts are of a type.
type TypeCount struct {
	Type  kind.AlertType
	Count int
}

// Stats counts the alerts that the viewer may see.
func (s *Service) Stats(ctx context.Context) (*Stats, error) {
	if viewer.FromContext(ctx) == nil {
		return nil, fault.New(fault.Unauthenticated, "Sign in first: send an access token or an API key.")
	}
	var rows []struct {
		Resolved bool               `json:"resolved"`
		Severity kind.AlertSeverity `json:"severity"`
		Type     kind.AlertType     `json:"type"`
		Count    int                `json:"count"`
	}
	err := s.Client.Alert.Query().GroupBy(alert.FieldResolved, alert.FieldSeverity, alert.FieldType).
		Aggregate(ent.As(ent.Count(), "count")).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("count alerts: %w", err)
	}
	severities, types := map[kind.AlertSeverity]int{}, map[kind.AlertType]int{}
	out := &Stats{}
	for _, r := range rows {
		out.Total += r.Count
		if !r.Resolved {
			out.Open += r.Count
			severities[r.Severity] += r.Count
			types[r.Type] += r.Count
		}
	}
	for _, name := range kind.AlertSeverity("").Values() {
		out.BySeverity = append(out.BySeverity, SeverityCount{kind.AlertSeverity(name), severities[kind.AlertSeverity(name)]})
	}
	for _, name := range kind.AlertType("").Values() {
		out.ByType = append(out.ByType, TypeCount{kind.AlertType(name), types[kind.AlertType(name)]})
	}
	return out, nil
}
