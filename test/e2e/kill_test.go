package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect"

	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/test/harness"
)

func postgres(t testing.TB) string {
	t.Helper()
	return testkit.URL(t, dialect.Postgres)
}

// outage is how long what was killed stays away.
const outage = 10 * time.Second

// wait lets real time pass: the outage itself is what is tested.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// ratedLines and ratedSeconds are what the program prints a second, and for how long.
const (
	ratedLines   = 1000
	ratedSeconds = 20
)

// rated is a server that prints many lines, followed by a viewer.
type rated struct {
	*world
	id    string
	pid   int
	lines *harness.Console
}

func beginRated(t *testing.T, w *world) *rated {
	t.Helper()
	r := &rated{world: w, id: w.running("busy")}
	r.pid = w.game(r.id)
	r.lines = w.admin.Console(r.id, "0")
	r.lines.Await(soon, "STDOUT", "ready")
	w.command(r.id, fmt.Sprintf("rate %d %d", ratedLines, ratedSeconds))
	r.lines.AwaitFunc(soon, "the second second", func(l harness.Line) bool { return strings.HasPrefix(l.Text, "rate 2000 ") })
	return r
}

// finish checks that nothing happened to the game, and that the viewer and a later one have seen every line once.
func (r *rated) finish(t *testing.T) {
	t.Helper()
	done := fmt.Sprintf("rate done %d", ratedLines*ratedSeconds)
	r.lines.Await(60*time.Second, "STDOUT", done)
	checkRated(t, "the viewer", r.lines.Lines)
	later := r.admin.Console(r.id, "0")
	later.Await(30*time.Second, "STDOUT", done)
	checkRated(t, "a later viewer", later.Lines)
	later.Close()
	if now := r.game(r.id); now != r.pid {
		t.Errorf("the program is process %d, it was %d", now, r.pid)
	}
	r.awaitState(r.id, "RUNNING")
	var out struct {
		Server struct {
			CrashCount int
			Logs       struct{ TotalCount int }
		}
	}
	r.admin.Run(`query($id: ID!) { server(id: $id) { crashCount logs(first: 1, contains: "rate ", streams: [STDOUT]) { totalCount } } }`,
		vars{"id": r.id}, &out)
	if want := ratedLines*ratedSeconds + 1; out.Server.Logs.TotalCount != want || out.Server.CrashCount != 0 {
		t.Errorf("stored lines and crashes: %+v, want %d and 0", out.Server, want)
	}
	// It still obeys.
	r.command(r.id, "say still here")
	r.lines.Await(soon, "STDOUT", "you said: still here")
	r.power("stopServer", r.id)
	r.awaitState(r.id, "STOPPED")
	r.gone(r.id)
}

// checkRated compares the lines of "rate" with what was printed.
func checkRated(t *testing.T, who string, lines []harness.Line) {
	t.Helper()
	next := 1
	for _, l := range lines {
		var i int
		var at int64
		if n, err := fmt.Sscanf(l.Text, "rate %d %d", &i, &at); err != nil || n != 2 || l.Stream != "STDOUT" {
			continue
		}
		if i != next {
			t.Fatalf("%s got line %d of the program where %d was due", who, i, next)
		}
		next++
	}
	if want := ratedLines*ratedSeconds + 1; next != want {
		t.Errorf("%s got %d lines of the program, want %d", who, next-1, want-1)
	}
	if i := slices.IndexFunc(lines, func(l harness.Line) bool { return strings.Contains(l.Text, "dropped") }); i >= 0 {
		t.Errorf("%s was told of dropped lines: %q", who, lines[i].Text)
	}
}

// lost reads until the connection to a killed panel ends.
func (r *rated) lost(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := r.lines.Drain(ctx); errors.Is(err, context.DeadlineExceeded) {
		t.Error("the connection outlives the panel")
	}
}

// TestKillAgent kills an agent: the game and the viewer's subscription go on.
func TestKillAgent(t *testing.T) {
	t.Parallel()
	r := beginRated(t, separate(t))
	r.agent.Kill()
	r.awaitOnline(false)
	wait(t, outage)
	r.startAgent()
	r.finish(t)
}

// TestKillPanel kills a panel on PostgreSQL: the game and the agent go on, and the viewer resumes.
func TestKillPanel(t *testing.T) {
	t.Parallel()
	r := beginRated(t, separate(t, "CATALYST_DATABASE_URL="+postgres(t)))
	r.panel.Kill()
	r.lost(t)
	wait(t, outage)
	r.startPanel()
	r.lines.Resume(r.admin)
	r.finish(t)
}

// TestKillAllInOne kills panel and agent at once: the game goes on, and the viewer resumes.
func TestKillAllInOne(t *testing.T) {
	t.Parallel()
	r := beginRated(t, allInOne(t))
	r.panel.Kill()
	r.lost(t)
	wait(t, outage)
	r.startDev()
	r.lines.Resume(r.admin)
	r.finish(t)
}
