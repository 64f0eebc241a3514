package nodes_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/nodes"
)

func (w *world) connect(n *ent.Node, session, epoch string) uint64 {
	w.t.Helper()
	acked, err := w.Connected(w.system, nodes.Session{
		NodeID: n.ID, SessionID: session, Instance: "i", AgentVersion: "1", Runtime: "process", EventEpoch: epoch,
		System: &protocol.SystemInfo{Os: "Debian\x00\xff", Arch: "amd64", Memory: -1, CpuCount: 2},
	})
	must(w.t, err)
	return acked
}

// TestFencing has a node connect twice: the older session can do nothing any more.
func TestFencing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		n := w.node("n", func(c *ent.NodeCreate) { c.SetOnline(false) })
		w.connect(n, "one", "e")
		must(t, w.Seen(w.system, n.ID, "one"))
		w.connect(n, "two", "e")
		if err := w.Seen(w.system, n.ID, "one"); !errors.Is(err, nodes.ErrFenced) {
			t.Errorf("the older session's heart-beat: %v", err)
		}
		must(t, w.Disconnected(w.system, n.ID, "one"))
		if got := w.reload(n); !got.Online || got.Arch != "amd64" || got.Os != "Debian\uFFFD\uFFFD" || got.MemoryTotal != 0 {
			t.Errorf("the newer session's node: %+v", got)
		}
		must(t, w.Disconnected(w.system, n.ID, "two"))
		if w.reload(n).Online {
			t.Error("the node is online without a session")
		}
	})
}

func TestEventCursor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		n := w.node("n", nil)
		if acked := w.connect(n, "s", "first"); acked != 0 {
			t.Errorf("a new node has %d", acked)
		}
		for _, seq := range []uint64{5, 9, 7} {
			must(t, w.Advance(w.system, n.ID, "first", seq))
		}
		must(t, w.Advance(w.system, n.ID, "another", 99))
		if got, err := w.EventCursor(w.system, n.ID, "first"); err != nil || got != 9 {
			t.Errorf("cursor %d, %v", got, err)
		}
		if acked := w.connect(n, "s2", "first"); acked != 9 {
			t.Errorf("after a new connection: %d", acked)
		}
		if acked := w.connect(n, "s3", "second"); acked != 0 {
			t.Errorf("in a new epoch: %d", acked)
		}
		if _, err := w.EventCursor(w.system, n.ID, "first"); !errors.Is(err, nodes.ErrEpoch) {
			t.Errorf("the old epoch's cursor: %v", err)
		}
	})
}

// TestSweepAfterAnOutage leaves nodes alone whose heart-beats could not be stored, until they had time for the next.
func TestSweepAfterAnOutage(t *testing.T) {
	t.Parallel()
	const outage = time.Hour
	for name, sweepsDuring := range map[string]int{
		"the database answers with errors":                           int(outage / (10 * time.Second)),
		"the database hangs, or this instance, or the clock was set": 0,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				begun := time.Now()
				n := w.node("n", func(c *ent.NodeCreate) { c.SetOnline(true).SetLastSeenAt(begun) })
				sweep := nodes.NewSweeper(w.Service, begun)
				must(t, sweep(w.system, begun))
				broken, breakIt := context.WithCancel(w.system)
				breakIt()
				for i := range sweepsDuring {
					if sweep(broken, begun.Add(time.Duration(i)*10*time.Second)) == nil {
						t.Fatal("the database answers")
					}
				}
				online := func() bool { return w.reload(n).Online }
				after := begun.Add(outage)
				must(t, sweep(w.system, after))
				must(t, sweep(w.system, after.Add(10*time.Second)))
				if !online() {
					t.Error("a node is offline since its heart-beats were not stored")
				}
				for i := range 5 {
					must(t, sweep(w.system, after.Add(time.Duration(2+i)*10*time.Second)))
				}
				if online() {
					t.Error("a node that stays silent is online")
				}
			})
		})
	}
}

// TestSweep finds a node whose instance has died.
func TestSweep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		silent := w.node("silent", func(c *ent.NodeCreate) { c.SetLastSeenAt(time.Now().Add(-time.Minute)) })
		talks := w.node("talks", func(c *ent.NodeCreate) { c.SetLastSeenAt(time.Now()) })
		ctx, cancel := context.WithTimeout(w.system, 10*time.Second)
		defer cancel()
		var sweeping sync.WaitGroup
		sweeping.Go(func() { w.Sweep(ctx) })
		poll := time.NewTicker(10 * time.Millisecond)
		defer poll.Stop()
		for w.reload(silent).Online && ctx.Err() == nil {
			<-poll.C
		}
		cancel()
		sweeping.Wait()
		if w.reload(silent).Online || !w.reload(talks).Online {
			t.Error("the wrong nodes are online")
		}
	})
}

// TestN3Enrolment spends a token once, however many try, and only while it is good.
func TestN3Enrolment(t *testing.T) {
	t.Parallel()
	key, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	remote := netip.MustParseAddr("192.0.2.9")
	each(t, func(t *testing.T, w *world) {
		n, first, err := w.Create(w.admin, nodes.CreateInput{Name: "n", LocationID: w.locationID, PublicAddress: "192.0.2.1"})
		must(t, err)
		_, second, err := w.CreateEnrolmentToken(w.admin, n.ID)
		must(t, err)
		if !strings.Contains(second.Command, "CATALYST_PANEL_URL=https://panel.example CATALYST_ENROL_TOKEN="+second.Token) {
			t.Errorf("the command is %q", second.Command)
		}
		_, err = w.Enrol(w.system, first.Token, key, remote)
		wants(t, "a token that was replaced", err, fault.Unauthenticated)
		_, err = w.Enrol(w.system, second.Token, key[:5], remote)
		wants(t, "half a key", err, fault.BadUserInput)

		var callers sync.WaitGroup
		var enrolled atomic.Int32
		for range 10 {
			callers.Go(func() {
				id, err := w.Enrol(w.system, second.Token, key, remote)
				if err == nil && id == n.ID {
					enrolled.Add(1)
				} else if fault.CodeOf(err) != fault.Unauthenticated {
					t.Errorf("refused with %v", err)
				}
			})
		}
		callers.Wait()
		if enrolled.Load() != 1 {
			t.Errorf("%d callers spent one token", enrolled.Load())
		}
		if got, err := w.PublicKey(w.system, n.ID); err != nil || !got.Equal(key) {
			t.Errorf("the node's key: %v, %v", got, err)
		}

		_, old, err := w.CreateEnrolmentToken(w.admin, n.ID)
		must(t, err)
		w.write(func(ctx context.Context, x *ent.Tx) error {
			return x.EnrolmentToken.Update().SetExpiresAt(time.Now().Add(-time.Second)).Exec(ctx)
		})
		_, err = w.Enrol(w.system, old.Token, key, remote)
		wants(t, "an expired token", err, fault.Unauthenticated)
	})
}
