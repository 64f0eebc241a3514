package ratelimit_test

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/internal/ratelimit"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func allowed(l *ratelimit.Limiter, key string, calls int) int {
	n := 0
	for range calls {
		if _, ok := l.Allow(key); ok {
			n++
		}
	}
	return n
}

func TestLimitPerKey(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := ratelimit.New(ratelimit.Config{Limit: 10, Window: time.Minute, Now: c.now})
	if got := allowed(l, "a", 25); got != 10 {
		t.Errorf("a was allowed %d of 25 calls, want 10", got)
	}
	if got := allowed(l, "b", 3); got != 3 {
		t.Errorf("b was allowed %d of 3 calls, want 3: keys must not share a bucket", got)
	}
}

func TestRetryAfterIsExact(t *testing.T) {
	t.Parallel()
	for _, start := range []time.Duration{0, time.Second, 31 * time.Second, 59 * time.Second, 200 * time.Second} {
		for _, limit := range []int{1, 2, 10, 200} {
			t.Run(fmt.Sprintf("limit %d after %s", limit, start), func(t *testing.T) {
				t.Parallel()
				c := newClock()
				l := ratelimit.New(ratelimit.Config{Limit: limit, Window: time.Minute, Now: c.now})
				c.at = c.at.Add(start)
				allowed(l, "k", limit)
				for range 5 { // the wait that is told is the shortest that works, several times over
					wait, ok := l.Allow("k")
					if ok {
						t.Fatal("a used-up key was allowed")
					}
					if wait <= 0 || wait > 2*time.Minute {
						t.Fatalf("retryAfter is %s", wait)
					}
					c.at = c.at.Add(wait - time.Millisecond)
					if _, ok := l.Allow("k"); ok {
						t.Fatalf("allowed a millisecond before the %s that were asked for", wait)
					}
					c.at = c.at.Add(time.Millisecond)
					if _, ok := l.Allow("k"); !ok {
						t.Fatalf("refused after waiting the %s that were asked for", wait)
					}
					allowed(l, "k", limit)
				}
			})
		}
	}
}

func TestSteadyCallsStayWithinTheLimit(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := ratelimit.New(ratelimit.Config{Limit: 60, Window: time.Minute, Now: c.now})
	passed := 0
	for range 10 * 60 * 4 { // ten minutes, four calls a second
		if _, ok := l.Allow("k"); ok {
			passed++
		}
		c.at = c.at.Add(250 * time.Millisecond)
	}
	if passed < 540 || passed > 660 {
		t.Errorf("%d calls passed in ten minutes at a limit of 60 a minute", passed)
	}
}

func TestRefusedCallsDoNotCount(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := ratelimit.New(ratelimit.Config{Limit: 5, Window: time.Minute, Now: c.now})
	allowed(l, "k", 10_000)
	c.at = c.at.Add(2 * time.Minute)
	if got := allowed(l, "k", 10); got != 5 {
		t.Errorf("after two quiet minutes %d calls were allowed, want 5", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := ratelimit.New(ratelimit.Config{Limit: 1, MaxKeys: 100, Now: c.now})
	for i := range 10_000 {
		l.Allow(fmt.Sprint(i))
		l.Allow("busy")
	}
	if got := l.Len(); got != 100 {
		t.Errorf("%d keys are remembered, want 100", got)
	}
	if _, ok := l.Allow("busy"); ok {
		t.Error("a key that is in use was forgotten")
	}
}

func TestZeroLimitAllowsEverything(t *testing.T) {
	t.Parallel()
	l := ratelimit.New(ratelimit.Config{})
	if got := allowed(l, "k", 1000); got != 1000 {
		t.Errorf("%d of 1000 calls were allowed", got)
	}
	if l.Len() != 0 {
		t.Error("a limiter without a limit remembers keys")
	}
}

func TestConcurrentCallsShareTheLimit(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := ratelimit.New(ratelimit.Config{Limit: 50, Now: c.now})
	var passed atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { passed.Add(int64(allowed(l, "k", 100))) })
	}
	group.Wait()
	if passed.Load() != 50 {
		t.Errorf("%d calls passed, want 50", passed.Load())
	}
}

func TestAddrKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
	} {
		same := ratelimit.AddrKey(netip.MustParseAddr(c.a)) == ratelimit.AddrKey(netip.MustParseAddr(c.b))
		if same != c.same {
			t.Errorf("%s and %s share a key: %t, want %t", c.a, c.b, same, c.same)
		}
	}
}
