package e2e

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// load is how much the tests of this file do: enough to see that nothing is lost, or, with CATALYST_TEST_LOAD=full, what
// the product promises, on a machine that does nothing else.
type load struct {
	seconds, servers, viewers, crowd int
	promised                         bool
}

func loadOf() load {
	if os.Getenv("CATALYST_TEST_LOAD") == "full" {
		return load{seconds: 60, servers: 50, viewers: 200, crowd: 300, promised: true}
	}
	return load{seconds: 5, servers: 10, viewers: 40, crowd: 50}
}

// meters watches consoles, viewer i that of server i modulo their number.
func (w *world) meters(ids []string, count int) []*harness.Meter {
	w.tb.Helper()
	out := make([]*harness.Meter, count)
	var opening sync.WaitGroup
	for i := range out {
		opening.Go(func() {
			m, err := w.admin.Meter(w.tb.Context(), ids[i%len(ids)])
			if err != nil {
				w.tb.Errorf("open a console: %v", err)
				return
			}
			out[i] = m
		})
		if i%20 == 19 {
			opening.Wait() // a crowd comes through the door one after the other
		}
	}
	opening.Wait()
	if w.tb.Failed() {
		w.tb.FailNow()
	}
	w.tb.Cleanup(func() {
		for _, m := range out {
			m.Close()
		}
	})
	return out
}

// watched waits until every meter has seen the lines 1…last and reports the delays.
func (w *world) watched(what string, meters []*harness.Meter, last int) harness.Delays {
	w.tb.Helper()
	var all harness.Delays
	for _, m := range meters {
		m.Await(w.tb, 2*time.Minute, last)
		d := m.Delays()
		all.Merge(&d)
	}
	w.tb.Logf("%s: from print to receipt p50 %v, p99 %v", what, all.Quantile(0.5), all.Quantile(0.99))
	return all
}

// TestManyBusyServers has many servers print at once, each with a few viewers: nothing is lost, nothing comes twice, and
// all of it is stored.
func TestManyBusyServers(t *testing.T) {
	const rate = 200
	l := loadOf()
	w := allInOne(t)
	w.admin.Run(`mutation($id: ID!) { updateNode(input: {id: $id, memoryLimit: 0, cpuLimit: 0, diskLimit: 0}) { node { id } } }`,
		vars{"id": w.nodeID}, nil)
	ids := make([]string, l.servers)
	for i := range ids {
		ids[i] = w.running(fmt.Sprintf("busy %d", i))
	}
	meters := w.meters(ids, l.viewers)
	before := harness.CPUTime(t, w.panel.PID)
	begun := time.Now()
	for _, id := range ids {
		w.command(id, fmt.Sprintf("rate %d %d", rate, l.seconds))
	}
	all := w.watched(fmt.Sprintf("%d servers with %d lines/s each, %d viewers", l.servers, rate, l.viewers), meters, rate*l.seconds)
	cores := (harness.CPUTime(t, w.panel.PID) - before).Seconds() / time.Since(begun).Seconds()
	t.Logf("panel and agent together used %.2f cores", cores)
	if l.promised && (all.Quantile(0.99) > 100*time.Millisecond || cores > 2) {
		t.Error("that is slower, or costs more, than promised")
	}
	for _, id := range ids {
		w.stored(id, rate*l.seconds+1)
	}
}

// stored fails the test unless a server's kept lines hold as many of the command rate as it printed.
func (w *world) stored(id string, want int) {
	w.tb.Helper()
	var out struct {
		Server struct{ Logs struct{ TotalCount int } }
	}
	w.admin.Run(`query($id: ID!) { server(id: $id) { logs(first: 1, contains: "rate ", streams: [STDOUT]) { totalCount } } }`, vars{"id": id}, &out)
	if out.Server.Logs.TotalCount != want {
		w.tb.Errorf("%d lines are stored, want %d", out.Server.Logs.TotalCount, want)
	}
}

// TestCrowd has many viewers of one console that is busy.
func TestCrowd(t *testing.T) {
	const rate = 1000
	l := loadOf()
	w := allInOne(t)
	id := w.running("watched by all")
	meters := w.meters([]string{id}, l.crowd)
	seconds := min(l.seconds, 20)
	before, begun := harness.CPUTime(t, w.panel.PID), time.Now()
	w.command(id, fmt.Sprintf("rate %d %d", rate, seconds))
	all := w.watched(fmt.Sprintf("%d viewers of %d lines/s", l.crowd, rate), meters, rate*seconds)
	t.Logf("panel and agent together used %.2f cores", (harness.CPUTime(t, w.panel.PID)-before).Seconds()/time.Since(begun).Seconds())
	if l.promised && all.Quantile(0.99) > 50*time.Millisecond {
		t.Error("that is slower than promised")
	}
	w.stored(id, rate*seconds+1)
}
