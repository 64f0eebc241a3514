package servers_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

// TestSlowFollowerCatchesUp has a reader that takes nothing while more happens than is kept for it: afterwards it knows
// where things stand, and has seen nothing twice.
func TestSlowFollowerCatchesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, "sqlite3"))
	sv := w.create(t)
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	first, goOn := make(chan struct{}), make(chan struct{})
	seen := make(chan servers.StateChange, 2000)
	var hold sync.Once
	var reading sync.WaitGroup
	reading.Go(func() {
		_ = w.Follow(ctx, sv.ID, func(c servers.StateChange) error {
			hold.Do(func() { close(first); <-goOn })
			seen <- c
			return nil
		})
	})
	flip := func() {
		started, err := w.Start(w.ctx, sv.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.report(t, sv, protocol.State_STATE_STOPPED, started.Generation, 0)
	}
	for waiting := true; waiting; { // until the subscription is there
		flip()
		select {
		case <-first:
			waiting = false
		default:
		}
	}
	for range 300 {
		flip()
	}
	if _, err := w.Start(w.ctx, sv.ID); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	stored := w.store.Client.Server.GetX(w.ctx, sv.ID)
	var last servers.StateChange
	for count := 0; last.State != kind.ServerStateStarting || !last.At.Equal(stored.StateChangedAt); count++ {
		select {
		case c := <-seen:
			if c.State == last.State && c.At.Equal(last.At) {
				t.Fatalf("%+v was sent twice", c)
			}
			last = c
		case <-deadline.C:
			t.Fatalf("after %d changes the reader knows %+v, stored is %s of %s", count, last, stored.State, stored.StateChangedAt)
		}
	}
	cancel()
	reading.Wait()
}
