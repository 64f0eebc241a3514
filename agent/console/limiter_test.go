package console_test

import (
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/console"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	allowed := func(l *console.Limiter, n, size int) int {
		count := 0
		for range n {
			if l.Allow(now, size) {
				count++
			}
		}
		return count
	}
	l := console.NewLimiter(console.Limits{BurstLines: 100, LinesPerSecond: 40})
	if got := allowed(l, 1000, 10); got != 100 {
		t.Errorf("burst let %d lines through, want 100", got)
	}
	now = now.Add(200 * time.Millisecond)
	if got := allowed(l, 10, 10); got != 0 {
		t.Errorf("%d lines passed 200 ms after the bucket was emptied, want 0 until it is worth it", got)
	}
	now = now.Add(50 * time.Millisecond)
	if got := allowed(l, 1000, 10); got != 10 {
		t.Errorf("%d lines passed after 250 ms, want 10", got)
	}
	now = now.Add(time.Hour)
	if got := allowed(l, 1000, 10); got != 100 {
		t.Errorf("%d lines passed after an hour, want the bucket's 100", got)
	}
	now = now.Add(-2 * time.Hour)
	if got := allowed(l, 10, 10); got != 0 {
		t.Errorf("%d lines passed after the clock went back, want 0", got)
	}

	l = console.NewLimiter(console.Limits{BurstBytes: 1000, BytesPerSecond: 1000})
	if got := allowed(l, 100, 100); got != 10 {
		t.Errorf("%d lines of 100 bytes passed, want 10", got)
	}
	now = now.Add(10 * time.Second)
	if !l.Allow(now, 5000) {
		t.Error("a line larger than the bucket never passes")
	}
}

func TestLimiterDefaults(t *testing.T) {
	t.Parallel()
	l, now, count := console.NewLimiter(console.Limits{}), time.Unix(0, 0), 0
	for range 30_000 {
		if l.Allow(now, 20) {
			count++
		}
	}
	if count != 20_000 {
		t.Errorf("burst of %d lines, want 20000", count)
	}
}
