package metrics_test

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/servermetrics"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/metrics"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// archive is a database with two servers on two nodes.
type archive struct {
	*metrics.Service
	store           *store.Store
	ctx             context.Context
	node, server    string
	foreign, second string // another node's server, and that node
}

func newArchive(t *testing.T, s *store.Store) *archive {
	t.Helper()
	a := &archive{store: s, ctx: testkit.System(t.Context()), Service: metrics.New(t.Context(), metrics.Config{
		Client: s.Client, Dialect: s.Dialect, Gate: open{}, Logger: slog.New(slog.DiscardHandler),
	})}
	t.Cleanup(a.Close)
	err := tx.Do(a.ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
		user := x.User.Create().SetEmail("a@example.com").SetUsername("a").SetUsernameKey("a").SetPasswordHash("-").SaveX(ctx)
		place := x.Location.Create().SetName("here").SaveX(ctx)
		game := x.Template.Create().SetName("t").SaveX(ctx)
		machine := func(name string) (node, server string) {
			n := x.Node.Create().SetName(name).SetPublicAddress("::1").SetLocation(place).SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0).SaveX(ctx)
			return n.ID, x.Server.Create().SetName(name).SetOwner(user).SetNode(n).SetTemplate(game).SaveX(ctx).ID
		}
		a.node, a.server = machine("one")
		a.second, a.foreign = machine("two")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sample stores what the node and the server used at one moment.
func (a *archive) sample(t *testing.T, at time.Time, cpu float64, memory int64) {
	t.Helper()
	err := a.Store(a.ctx, a.node, at, &protocol.Usage{
		Node: &protocol.StatsSample{CpuPercent: cpu * 2, MemoryBytes: memory * 2},
		Servers: []*protocol.StatsSample{
			{ServerId: a.server, CpuPercent: cpu, MemoryBytes: memory, Processes: 3}, {ServerId: a.foreign, CpuPercent: 9},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (a *archive) history(t *testing.T, r metrics.Range) []metrics.Point {
	t.Helper()
	points, err := a.ServerHistory(a.ctx, a.server, r)
	if err != nil {
		t.Fatal(err)
	}
	return points
}

// TestHistory stores an hour of samples with a gap, twice, and reads them in each resolution.
func TestHistory(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		a := newArchive(t, s)
		begin := time.Now().UTC().Truncate(time.Hour).Add(-3 * time.Hour)
		for range 2 { // what is sent again changes nothing
			for i := range 120 {
				if i >= 40 && i < 80 {
					continue // it did not run
				}
				a.sample(t, begin.Add(time.Duration(i)*30*time.Second), float64(i), int64(i)<<20)
			}
		}
		from, to := begin, begin.Add(time.Hour)
		raw := a.history(t, metrics.Range{From: &from, To: &to})
		if len(raw) != 80 || raw[40].At.Sub(raw[39].At) != 41*30*time.Second || raw[0].Length != 30*time.Second {
			t.Errorf("%d raw points", len(raw))
		}
		few := a.history(t, metrics.Range{From: &from, To: &to, MaxPoints: new(6)})
		if len(few) != 4 || few[0].Length != 10*time.Minute || few[0].Samples != 20 || few[0].Maximum.CPUPercent != 19 ||
			math.Abs(few[0].Average.CPUPercent-9.5) > 1e-9 || few[0].Average.Processes != 3 {
			t.Errorf("few points: %+v", few)
		}
		hour := kind.MetricsResolutionHourly
		hours := a.history(t, metrics.Range{From: &from, To: &to, Resolution: &hour})
		if len(hours) != 1 || hours[0].Samples != 80 || hours[0].Maximum.MemoryBytes != 119<<20 || math.Abs(hours[0].Average.CPUPercent-59.5) > 1e-6 {
			t.Errorf("the hour, whose samples came late: %+v", hours)
		}
		if err := a.Tidy(a.ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
		day := kind.MetricsResolutionDaily
		midnight := begin.Truncate(24 * time.Hour)
		days := a.history(t, metrics.Range{From: &midnight, Resolution: &day})
		if len(days) == 0 || days[0].Samples != 80 {
			t.Errorf("the day: %+v", days)
		}
		nodes, err := a.NodeHistory(a.ctx, a.node, metrics.Range{From: &from, To: &to})
		if err != nil || len(nodes) != 80 || nodes[1].Average.CPUPercent != 2 {
			t.Errorf("the node has %d points, %v", len(nodes), err)
		}
		if n := s.Client.ServerMetrics.Query().Where(servermetrics.ServerID(a.foreign)).CountX(a.ctx); n != 0 {
			t.Errorf("%d samples of another node's server were stored", n)
		}
	})
}

// TestMetricsRetention removes what is too old, in each resolution.
func TestMetricsRetention(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		a := newArchive(t, s)
		old := time.Now().UTC().Add(-60 * time.Hour)
		a.sample(t, old, 1, 1)
		a.sample(t, time.Now().UTC(), 2, 2)
		count := func(r kind.MetricsResolution) int {
			return s.Client.ServerMetrics.Query().Where(servermetrics.ResolutionEQ(r)).CountX(a.ctx)
		}
		if err := a.Tidy(a.ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
		if raw, hours := count(kind.MetricsResolutionRaw), count(kind.MetricsResolutionHourly); raw != 1 || hours != 2 {
			t.Errorf("%d raw points and %d hours are left", raw, hours)
		}
		for _, after := range []struct {
			time.Duration
			hours, days int
		}{{31 * 24 * time.Hour, 0, 1}, {3 * 365 * 24 * time.Hour, 0, 0}} {
			if err := a.Tidy(a.ctx, time.Now().Add(after.Duration)); err != nil {
				t.Fatal(err)
			}
			if hours, days := count(kind.MetricsResolutionHourly), count(kind.MetricsResolutionDaily); hours != after.hours || days != after.days {
				t.Errorf("after %s: %d hours and %d days, want %d and %d", after.Duration, hours, days, after.hours, after.days)
			}
		}
	})
}

// TestFittingResolution chooses the one that has points for the whole time, and as few as are wanted.
func TestFittingResolution(t *testing.T) {
	t.Parallel()
	a := newArchive(t, testkit.Store(t, testkit.Dialects()[0]))
	now := time.Now().UTC()
	for i := range 10 {
		a.sample(t, now.Add(-time.Duration(i)*6*time.Hour), 1, 1)
	}
	for name, tt := range map[string]struct {
		since  time.Duration
		points int
		want   time.Duration
	}{
		"an hour":           {time.Hour, 300, 30 * time.Second},
		"a day, few points": {24 * time.Hour, 13, 2 * time.Hour},
		"a week":            {7 * 24 * time.Hour, 300, time.Hour},
	} {
		from := now.Add(-tt.since)
		points := a.history(t, metrics.Range{From: &from, MaxPoints: &tt.points})
		if len(points) == 0 || len(points) > tt.points || points[0].Length != tt.want {
			t.Errorf("%s: %d points, the first %+v; want length %s", name, len(points), points[:min(1, len(points))], tt.want)
		}
	}
}

func TestHistoryRefuses(t *testing.T) {
	t.Parallel()
	a := newArchive(t, testkit.Store(t, testkit.Dialects()[0]))
	later := time.Now().Add(time.Hour)
	stranger := viewer.NewContext(t.Context(), &viewer.Viewer{UserID: "user_x"})
	for name, tt := range map[string]struct {
		ctx  context.Context
		r    metrics.Range
		want fault.Code
	}{
		"a stranger":       {stranger, metrics.Range{}, fault.NotFound},
		"no points":        {a.ctx, metrics.Range{MaxPoints: new(0)}, fault.BadUserInput},
		"too many points":  {a.ctx, metrics.Range{MaxPoints: new(2001)}, fault.BadUserInput},
		"backwards":        {a.ctx, metrics.Range{From: &later}, fault.BadUserInput},
		"nobody signed in": {t.Context(), metrics.Range{}, fault.Unauthenticated},
	} {
		if _, err := a.ServerHistory(tt.ctx, a.server, tt.r); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if _, err := a.NodeHistory(stranger, a.node, metrics.Range{}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a stranger's question about a node: %v", err)
	}
}
