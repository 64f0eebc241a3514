package console_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
)

// open lets everybody through: rights are the gate's own tests'.
type open struct{}

// Open returns the context as it is.
func (open) Open(ctx context.Context, _ access.Permission, _ access.Target) (context.Context, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	return ctx, cancel, nil
}

// world is a database with one server on one node.
type world struct {
	*console.Service
	ctx              context.Context
	nodeID, serverID string
}

func newWorld(t testing.TB, s *store.Store) *world {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	w := &world{ctx: testkit.System(t.Context()), Service: console.New(console.Config{
		Client: s.Client, Dialect: s.Dialect, Bus: b, Gate: open{}, Logger: slog.New(slog.DiscardHandler),
	})}
	err = tx.Do(w.ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
		user := x.User.Create().SetEmail("a@example.com").SetUsername("a").SetUsernameKey("a").SetPasswordHash("-").SaveX(ctx)
		place := x.Location.Create().SetName("here").SaveX(ctx)
		node := x.Node.Create().SetName("n").SetPublicAddress("::1").SetLocation(place).SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0).SaveX(ctx)
		tmpl := x.Template.Create().SetName("t").SaveX(ctx)
		sv := x.Server.Create().SetName("s").SetOwner(user).SetNode(node).SetTemplate(tmpl).SaveX(ctx)
		w.nodeID, w.serverID = node.ID, sv.ID
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// batch is the lines from to to of the server, as a node sends them.
func (w *world) batch(from, to int) *protocol.ConsoleResponse {
	r := &protocol.ConsoleResponse{ServerId: w.serverID}
	for seq := from; seq <= to; seq++ {
		r.Lines = append(r.Lines, &protocol.ConsoleLine{
			Seq: uint64(seq), AtUs: int64(seq) * 1000, Stream: protocol.Stream_STREAM_STDOUT, Text: fmt.Sprint("line ", seq),
		})
	}
	return r
}

func (w *world) ingest(t testing.TB, batches ...*protocol.ConsoleResponse) {
	t.Helper()
	if err := w.Ingest(w.ctx, w.nodeID, batches); err != nil {
		t.Fatal(err)
	}
}

// stored returns how many lines are stored, after checking that they count up by one.
func (w *world) stored(t *testing.T) int {
	t.Helper()
	page, err := w.Lines(w.ctx, w.serverID, console.Filter{First: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range page.Lines {
		if l.Seq != uint64(i+1) || l.Text != fmt.Sprint("line ", l.Seq) {
			t.Fatalf("line %d is %+v", i+1, l)
		}
	}
	return len(page.Lines)
}

func TestIngestStoresEachLineOnce(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		w.ingest(t, w.batch(1, 10), w.batch(8, 20))
		w.ingest(t, w.batch(1, 25))
		w.ingest(t, w.batch(3, 5))
		if got := w.stored(t); got != 25 {
			t.Errorf("%d lines are stored, want 25", got)
		}
		cursors, err := w.Cursors(w.ctx, w.nodeID)
		if err != nil || cursors[w.serverID] != 25 {
			t.Errorf("cursors %v, %v; want 25", cursors, err)
		}
	})
}

func TestIngestCleansAndRefuses(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		if err := w.Ingest(w.ctx, kind.NewID(kind.PrefixNode), []*protocol.ConsoleResponse{w.batch(1, 5)}); err != nil {
			t.Fatal(err)
		}
		if got := w.stored(t); got != 0 {
			t.Errorf("%d lines of another node's server are stored", got)
		}
		nul := w.batch(1, 1)
		nul.Lines[0].Text = "a\x00b"
		w.ingest(t, nul, &protocol.ConsoleResponse{ServerId: w.serverID})
		page, err := w.Lines(w.ctx, w.serverID, console.Filter{})
		if err != nil || len(page.Lines) != 1 || page.Lines[0].Text != "a\uFFFDb" {
			t.Errorf("got %+v, %v", page, err)
		}
	})
}

// TestFollowersMissNothing has followers join while lines come in, in batches that overlap as after a lost connection.
func TestFollowersMissNothing(t *testing.T) {
	t.Parallel()
	const lines, followers = 3000, 20
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		var wg sync.WaitGroup
		written := make(chan struct{})
		wg.Go(func() {
			defer close(written)
			for at := 1; at <= lines; {
				to := min(lines, at+rand.IntN(200))
				w.ingest(t, w.batch(max(1, at-rand.IntN(50)), to))
				at = to + 1
			}
		})
		for range followers {
			wg.Go(func() {
				seen := uint64(0)
				done := errors.New("seen all")
				zero := uint64(0)
				err := w.Follow(w.ctx, w.serverID, &zero, func(b console.Batch) error {
					for _, l := range b.Lines {
						if l.Seq != seen+1 || b.Skipped != 0 {
							return fmt.Errorf("line %d after line %d, %d skipped", l.Seq, seen, b.Skipped)
						}
						seen = l.Seq
					}
					if seen == lines {
						return done
					}
					return nil
				})
				if !errors.Is(err, done) {
					t.Errorf("a follower ended at line %d: %v", seen, err)
				}
			})
		}
		wg.Wait()
		<-written
	})
}

func TestFollowBegins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, "sqlite3"))
	w.ingest(t, w.batch(1, 1500))
	stop := errors.New("enough")
	for name, tt := range map[string]struct {
		after *uint64
		first uint64
	}{
		"without a place: the last thousand": {nil, 501},
		"everything":                         {new(uint64(0)), 1},
		"after a line":                       {new(uint64(1400)), 1401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var first console.Line
			err := w.Follow(w.ctx, w.serverID, tt.after, func(b console.Batch) error {
				first = b.Lines[0]
				return stop
			})
			if !errors.Is(err, stop) || first.Seq != tt.first {
				t.Errorf("begins with line %d, %v; want %d", first.Seq, err, tt.first)
			}
		})
	}
}

// TestFollowFromBeyondTheEnd is a client that has seen more than a database that came from a backup.
func TestFollowFromBeyondTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, "sqlite3"))
	w.ingest(t, w.batch(1, 10))
	stop := errors.New("enough")
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Second)
	defer cancel()
	var first console.Line
	done := make(chan error, 1)
	go func() {
		done <- w.Follow(ctx, w.serverID, new(uint64(1<<40)), func(b console.Batch) error {
			first = b.Lines[0]
			return stop
		})
	}()
	for next := 11; ; next++ { // until the follower is there
		w.ingest(t, w.batch(next, next))
		select {
		case err := <-done:
			if !errors.Is(err, stop) || first.Seq <= 10 {
				t.Errorf("begins with line %d, %v", first.Seq, err)
			}
			return
		default:
		}
	}
}

func TestLinesFilterAndPage(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		w.ingest(t, w.batch(1, 120))
		for name, tt := range map[string]struct {
			filter      console.Filter
			from, to    uint64
			total       int
			back, forth bool
		}{
			"the last by default": {console.Filter{}, 96, 120, 120, true, false},
			"first":               {console.Filter{First: 10}, 1, 10, 120, false, true},
			"first after":         {console.Filter{First: 10, After: new(uint64(115))}, 116, 120, 120, true, false},
			"last before":         {console.Filter{Last: 5, Before: new(uint64(10))}, 5, 9, 120, true, true},
			"containing":          {console.Filter{First: 50, Contains: "LINE 11"}, 11, 119, 11, false, false},
		} {
			tt.filter.Counted = true
			page, err := w.Lines(w.ctx, w.serverID, tt.filter)
			if err != nil || len(page.Lines) == 0 {
				t.Errorf("%s: %+v, %v", name, page, err)
				continue
			}
			from, to := page.Lines[0].Seq, page.Lines[len(page.Lines)-1].Seq
			if from != tt.from || to != tt.to || page.Total != tt.total || page.HasPrevious != tt.back || page.HasNext != tt.forth {
				t.Errorf("%s: lines %d to %d of %d, previous %v, next %v; want %+v", name, from, to, page.Total, page.HasPrevious, page.HasNext, tt)
			}
		}
	})
}

// BenchmarkIngest stores lines as a node sends them in a burst.
func BenchmarkIngest(b *testing.B) {
	for _, d := range testkit.Dialects() {
		b.Run(d, func(b *testing.B) {
			w := newWorld(b, testkit.Store(b, d))
			at := 0
			for b.Loop() {
				w.ingest(b, w.batch(at+1, at+512))
				at += 512
			}
			b.ReportMetric(float64(at)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

// TestRetention keeps what is young and fits, and the last lines in any case.
func TestRetention(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		month := time.Now().Add(-30 * 24 * time.Hour).UnixMicro()
		for from := 1; from <= 5000; from += 500 {
			b := w.batch(from, from+499)
			for _, l := range b.GetLines() {
				l.AtUs = month + int64(l.GetSeq())
			}
			w.ingest(t, b)
		}
		now := &protocol.ConsoleResponse{ServerId: w.serverID, Lines: []*protocol.ConsoleLine{{Seq: 5001, AtUs: time.Now().UnixMicro(), Text: "now"}}}
		w.ingest(t, now)
		left := func() (first uint64, n int) {
			page, err := w.Lines(w.ctx, w.serverID, console.Filter{First: 100_000, Counted: true})
			if err != nil || page.Total != len(page.Lines) {
				t.Fatalf("%d of %d lines, %v", len(page.Lines), page.Total, err)
			}
			return page.Lines[0].Seq, page.Total
		}
		prune := func(r console.Retention) {
			w.Retention = r
			if err := w.Prune(w.ctx); err != nil {
				t.Fatal(err)
			}
		}
		prune(console.Retention{Age: 1_000_000 * time.Hour})
		if first, n := left(); first != 1 || n != 5001 {
			t.Errorf("nothing is too old: %d lines from %d on", n, first)
		}
		prune(console.Retention{})
		if first, n := left(); first != 4002 || n != 1000 {
			t.Errorf("all but the last 1,000 are too old: %d lines from %d on", n, first)
		}
		const each = int64(len("line 4900"))
		prune(console.Retention{Bytes: 100*each + int64(len("now"))})
		if first, n := left(); first != 4901 || n != 101 {
			t.Errorf("a hundred of them fit: %d lines from %d on", n, first)
		}
		var skipped uint64
		after := uint64(1)
		end := errors.New("seen enough")
		err := w.Follow(w.ctx, w.serverID, &after, func(b console.Batch) error { skipped += b.Skipped; return end })
		if !errors.Is(err, end) || skipped != 4899 {
			t.Errorf("a follower is told of %d skipped lines, %v", skipped, err)
		}
		if err := w.Forget(w.ctx, w.serverID); err != nil {
			t.Fatal(err)
		}
		if page, err := w.Lines(w.ctx, w.serverID, console.Filter{}); err != nil || len(page.Lines) != 0 {
			t.Errorf("forgotten, %d lines are left, %v", len(page.Lines), err)
		}
	})
}
