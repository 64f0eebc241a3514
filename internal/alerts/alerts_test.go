package alerts_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/alert"
	"github.com/catalyst-panel/catalyst/internal/alerts"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// world is one node with one server, and a clock that the test moves.
type world struct {
	*alerts.Service
	t                   *testing.T
	store               *store.Store
	ctx                 context.Context
	at                  time.Time
	node, server, owner string
	heard               []string
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	w := &world{t: t, store: s, ctx: testkit.System(t.Context()), at: time.Now().UTC().Truncate(time.Second)}
	w.Service = alerts.New(alerts.Config{
		Client: s.Client, Dialect: s.Dialect, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.at },
	})
	w.write(func(ctx context.Context, x *ent.Tx) {
		user := x.User.Create().SetEmail("a@example.com").SetUsername("a").SetUsernameKey("a").SetPasswordHash("-").SaveX(ctx)
		place := x.Location.Create().SetName("here").SaveX(ctx)
		game := x.Template.Create().SetName("t").SaveX(ctx)
		node := x.Node.Create().SetName("n").SetPublicAddress("::1").SetLocation(place).SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0).
			SetOnline(true).SetLastSeenAt(w.at).SetCPUCount(2).SetMemoryTotal(1000).SaveX(ctx)
		w.owner, w.node = user.ID, node.ID
		w.server = x.Server.Create().SetName("s").SetOwner(user).SetNode(node).SetTemplate(game).SetMemory(1000).SaveX(ctx).ID
	})
	return w
}

func (w *world) write(f func(ctx context.Context, x *ent.Tx)) {
	w.t.Helper()
	err := tx.Do(w.ctx, w.store.Client, func(ctx context.Context, x *ent.Tx) error { f(ctx, x); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

// pass moves the clock and evaluates.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.at = w.at.Add(d)
	if err := w.Evaluate(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}

// sample is what the server used of its memory, in percent, at the present.
func (w *world) sample(percent int64) {
	w.write(func(ctx context.Context, x *ent.Tx) {
		x.ServerMetrics.Create().SetServerID(w.server).SetResolution(kind.MetricsResolutionRaw).SetAt(w.at).
			SetMemoryBytesAvg(percent * 10).SetMemoryBytesMax(percent * 10).ExecX(ctx)
	})
}

// open counts the open alerts, told the events that were emitted since it was last asked.
func (w *world) open() int {
	return w.store.Client.Alert.Query().Where(alert.Resolved(false)).CountX(w.ctx)
}

func (w *world) told() []string {
	w.t.Helper()
	w.heard = nil
	d := events.Drainer{Client: w.store.Client, Logger: slog.New(slog.DiscardHandler), Handle: func(_ context.Context, _ *ent.Tx, e events.Event) error {
		w.heard = append(w.heard, e.Name)
		return nil
	}}
	if _, err := d.Once(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	return w.heard
}

func (w *world) rule(in alerts.CreateRuleInput) *ent.AlertRule {
	w.t.Helper()
	in.Name, in.Severity = "rule", kind.AlertSeverityCritical
	rule, err := w.CreateRule(w.ctx, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return rule
}

// TestThreshold holds memory to a limit for a minute and a half: the alert comes at the right time, once, and goes.
func TestThreshold(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		hold := 90 * time.Second
		w.rule(alerts.CreateRuleInput{
			Type: kind.AlertTypeResourceThreshold, Target: &alerts.Target{ServerID: &w.server},
			Condition: &alerts.Condition{Metric: kind.AlertMetricMemory, Operator: kind.ComparisonAtLeast, Value: 80, For: &hold},
		})
		for i, step := range []struct {
			percent int64
			open    int
		}{
			{50, 0},
			{90, 0},
			{90, 0},
			{90, 1},
			{95, 1},
			{95, 1},
			{95, 1},
			{20, 0},
			{90, 0},
			{90, 0},
			{90, 0},
			{90, 0}, // it would be due again, but is not raised twice in five minutes
		} {
			w.sample(step.percent)
			w.pass(30 * time.Second)
			if got := w.open(); got != step.open {
				t.Errorf("step %d: %d open alerts, want %d", i, got, step.open)
			}
		}
		if got := w.told(); !slices.Equal(got, []string{events.AlertRaised, events.AlertResolved}) {
			t.Errorf("told of %v", got)
		}
		for range 8 {
			w.sample(90)
			w.pass(30 * time.Second)
		}
		if w.open() != 1 {
			t.Error("it is not raised again after five minutes")
		}
		w.pass(2 * time.Minute) // no samples: it does not run any more
		if w.open() != 0 {
			t.Error("the alert of a server that has stopped goes on")
		}
	})
}

// TestOfflineAndCrashed watches for what is not as it should be.
func TestOfflineAndCrashed(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		w.rule(alerts.CreateRuleInput{Type: kind.AlertTypeNodeOffline})
		crashes := w.rule(alerts.CreateRuleInput{Type: kind.AlertTypeServerCrashed, Target: &alerts.Target{NodeID: &w.node}})
		w.pass(0)
		if w.open() != 0 {
			t.Fatal("alerts of nothing")
		}
		w.write(func(ctx context.Context, x *ent.Tx) {
			x.Node.UpdateOneID(w.node).SetOnline(false).ExecX(ctx)
			x.Server.UpdateOneID(w.server).SetState(kind.ServerStateCrashed).SetStateReason("exited with code 3").ExecX(ctx)
		})
		w.pass(time.Second)
		w.pass(30 * time.Second)
		open := s.Client.Alert.Query().Where(alert.Resolved(false)).Order(alert.ByType()).AllX(w.ctx)
		if len(open) != 2 || open[1].Message != "exited with code 3" || open[1].Severity != kind.AlertSeverityCritical || !open[0].LastSeenAt.Equal(w.at) {
			t.Fatalf("open alerts: %v", open)
		}
		stats, err := w.Stats(w.ctx)
		if err != nil || stats.Open != 2 || stats.Total != 2 || stats.BySeverity[2].Count != 2 {
			t.Errorf("counted %+v, %v", stats, err)
		}
		w.write(func(ctx context.Context, x *ent.Tx) { x.Node.UpdateOneID(w.node).SetOnline(true).ExecX(ctx) })
		w.pass(30 * time.Second)
		if err := w.DeleteRule(w.ctx, crashes.ID); err != nil {
			t.Fatal(err)
		}
		if w.open() != 0 {
			t.Error("what is over, or of a rule that is gone, is open")
		}
	})
}

// TestResolveByHand resolves many, or none.
func TestResolveByHand(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		w.rule(alerts.CreateRuleInput{Type: kind.AlertTypeServerCrashed})
		w.write(func(ctx context.Context, x *ent.Tx) {
			x.Server.UpdateOneID(w.server).SetState(kind.ServerStateCrashed).ExecX(ctx)
		})
		w.pass(0)
		id := s.Client.Alert.Query().OnlyIDX(w.ctx)
		stranger := viewer.NewContext(t.Context(), &viewer.Viewer{UserID: "user_x"})
		if _, err := w.Resolve(stranger, id); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("a stranger: %v", err)
		}
		owner := viewer.NewContext(t.Context(), &viewer.Viewer{UserID: w.owner, Username: "a"})
		if _, err := w.Resolve(owner, id, "alert_nonsense"); fault.CodeOf(err) != fault.NotFound || w.open() != 1 {
			t.Errorf("one of them unknown: %v", err)
		}
		rows, err := w.Resolve(owner, id)
		if err != nil || !rows[0].Resolved || rows[0].ResolvedByID == nil || *rows[0].ResolvedByID != w.owner {
			t.Errorf("resolved: %v, %v", rows, err)
		}
		w.pass(time.Minute)
		if w.open() != 0 {
			t.Error("what was resolved by hand is raised again at once")
		}
	})
}

func TestRuleRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, testkit.Dialects()[0]))
	condition := &alerts.Condition{Metric: kind.AlertMetricCPU, Operator: kind.ComparisonAbove, Value: 80}
	for name, tt := range map[string]struct {
		in   alerts.CreateRuleInput
		want fault.Code
	}{
		"no name":              {alerts.CreateRuleInput{Type: kind.AlertTypeNodeOffline}, fault.BadUserInput},
		"no condition":         {alerts.CreateRuleInput{Name: "r", Type: kind.AlertTypeResourceThreshold}, fault.BadUserInput},
		"a condition too many": {alerts.CreateRuleInput{Name: "r", Type: kind.AlertTypeNodeOffline, Condition: condition}, fault.BadUserInput},
		"node and server": {alerts.CreateRuleInput{
			Name: "r", Type: kind.AlertTypeNodeOffline, Target: &alerts.Target{NodeID: &w.node, ServerID: &w.server},
		}, fault.BadUserInput},
		"unknown webhook": {alerts.CreateRuleInput{
			Name: "r", Type: kind.AlertTypeNodeOffline, Actions: &alerts.Actions{WebhookIDs: []string{"hook_x"}},
		}, fault.NotFound},
	} {
		tt.in.Severity = kind.AlertSeverityInfo
		if _, err := w.CreateRule(w.ctx, tt.in); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
