package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// TestPowerStorm has a hundred calls race for one server: each is done or refused, and the server's history stays one.
func TestPowerStorm(t *testing.T) {
	t.Parallel()
	w := allInOne(t)
	id := w.running("in a storm")
	states := w.admin.Watch(stateQuery, vars{"s": id})
	verbs := []string{"startServer", "stopServer", "restartServer", "killServer"}
	var calls sync.WaitGroup
	answers := make(chan error, 100)
	for i := range cap(answers) {
		calls.Go(func() { answers <- w.admin.Do(t.Context(), powerQuery(verbs[i%len(verbs)]), vars{"id": id}, nil) })
	}
	calls.Wait()
	close(answers)
	done := 0
	for err := range answers {
		switch code := harness.Code(err); {
		case err == nil:
			done++
		case code != "CONFLICT":
			t.Errorf("a call ended with %v, want success or CONFLICT", err)
		}
	}
	if done == 0 {
		t.Error("no call succeeded")
	}
	settled := w.awaitState(id, "RUNNING", "STOPPED")
	var since time.Time // a restart stops and starts: what counts is a state that stays
	harness.Eventually(t, soon, "the state is what is", func() error {
		s, err := w.state(id)
		if err != nil {
			return err
		}
		if settled != s.State || since.IsZero() {
			settled, since = s.State, time.Now()
		}
		if settled != "RUNNING" && settled != "STOPPED" {
			return fmt.Errorf("the state is %s, which passes", settled)
		}
		if programs := len(harness.Game(w.nodeDir, id)); (programs == 1) != (settled == "RUNNING") || programs > 1 {
			return fmt.Errorf("the state is %s, and %d programs run", settled, programs)
		}
		if time.Since(since) < 2*time.Second {
			return fmt.Errorf("the state is %s, which may pass", settled)
		}
		return nil
	})
	checkHistory(t, states, "RUNNING", settled)

	// Nothing is stuck: it starts, and it is killed in time.
	if settled == "STOPPED" {
		w.power("startServer", id)
		w.awaitState(id, "RUNNING")
	}
	begin := time.Now()
	w.power("killServer", id)
	w.awaitState(id, "STOPPED")
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the kill took %v, want at most 5 s", took)
	}
	w.gone(id)
}

// checkHistory reads state changes until the last state is reached and none follows: each begins where the one before
// ended.
func checkHistory(t *testing.T, states *harness.Subscription, from, last string) {
	t.Helper()
	at, changes := from, 0
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		var got stateChange
		err := states.Next(ctx, &got)
		cancel()
		if err != nil {
			if at == last && errors.Is(err, context.DeadlineExceeded) {
				t.Logf("%d changes of state", changes)
				return
			}
			t.Fatalf("after %d changes at %s: %v; want %s", changes, at, err, last)
		}
		if changes == 0 { // nothing says when a subscription has begun: what came before that is not its fault
			at = got.ServerStateChanged.Previous
		}
		if got.ServerStateChanged.Previous != at {
			t.Errorf("a change from %s to %s follows the state %s", got.ServerStateChanged.Previous, got.ServerStateChanged.State, at)
		}
		at, changes = got.ServerStateChanged.State, changes+1
	}
}

// TestBurst prints ten thousand lines at once to fifty viewers.
func TestBurst(t *testing.T) {
	t.Parallel()
	const viewers, count = 50, 10_000
	w := allInOne(t)
	id := w.running("loud")
	consoles := make([]*harness.Console, viewers)
	for i := range consoles {
		consoles[i] = w.admin.Console(id, "0")
		consoles[i].Await(soon, "STDOUT", "ready")
	}
	w.command(id, fmt.Sprintf("burst %d", count))
	want := burstLines(count)
	for i, c := range consoles {
		c.Await(30*time.Second, "STDOUT", want[count])
		n := 0
		for _, l := range c.Lines {
			if len(l.Text) < 6 || l.Text[:6] != "burst " || l.Stream != "STDOUT" {
				continue
			}
			if n > count || l.Text != want[n] {
				t.Fatalf("viewer %d got %q as line %d", i, l.Text, n+1)
			}
			n++
		}
		if n != len(want) {
			t.Errorf("viewer %d got %d lines, want %d", i, n, len(want))
		}
	}
}

// TestAccessRevoked lets somebody into a server and shuts them out again: an open console ends at once.
func TestAccessRevoked(t *testing.T) {
	t.Parallel()
	w := allInOne(t)
	id := w.running("shared")
	friend, stranger, nobody := w.panel.Register("friend"), w.panel.Register("stranger"), w.panel.Anonymous()

	const query = `subscription($s: ID!) { console(serverId: $s) { lines { text } } }`
	refusal := func(c *harness.Client) string {
		sub, err := c.Subscribe(t.Context(), query, vars{"s": id})
		if err != nil {
			return err.Error()
		}
		defer sub.Close()
		return harness.Code(sub.Ended(soon))
	}
	if code := refusal(stranger); code != "NOT_FOUND" {
		t.Errorf("a stranger's console: %s, want NOT_FOUND", code)
	}
	if code := refusal(nobody); code != "UNAUTHENTICATED" {
		t.Errorf("an anonymous console: %s, want UNAUTHENTICATED", code)
	}
	for _, verb := range []string{"startServer", "stopServer", "killServer"} {
		stranger.Refused("NOT_FOUND", powerQuery(verb), vars{"id": id})
		nobody.Refused("UNAUTHENTICATED", powerQuery(verb), vars{"id": id})
	}

	w.admin.Run(`mutation($s: ID!, $u: ID!) { grantServerAccess(input: {serverId: $s, userId: $u, permissions: ["console.read"]}) {
		serverAccess { id } } }`, vars{"s": id, "u": friend.UserID}, nil)
	lines := friend.Console(id, nil)
	lines.Await(soon, "STDOUT", "ready")
	friend.Refused("FORBIDDEN", powerQuery("stopServer"), vars{"id": id})
	w.admin.Run(`mutation($s: ID!, $u: ID!) { revokeServerAccess(input: {serverId: $s, userId: $u}) { deletedId } }`,
		vars{"s": id, "u": friend.UserID}, nil)
	begin := time.Now()
	err := lines.Ended(5 * time.Second)
	if code := harness.Code(err); code != "NOT_FOUND" && code != "FORBIDDEN" {
		t.Errorf("the console ended with %v, want a refusal", err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("the console ended %v after the right, want at most 1 s", took)
	}
	if code := refusal(friend); code != "NOT_FOUND" {
		t.Errorf("a former friend's console: %s, want NOT_FOUND", code)
	}
	var out struct{ Server json.RawMessage }
	if err := friend.Do(t.Context(), `query($id: ID!) { server(id: $id) { id } }`, vars{"id": id}, &out); err == nil && string(out.Server) != "null" {
		t.Errorf("a former friend sees %s", out.Server)
	}
}
