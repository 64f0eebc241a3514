package protocol_test

import (
	"math"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

func TestTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 2, 3, 4, 5, 6, 789_000, time.UTC)
	for _, good := range []time.Time{at, at.AddDate(-20, 0, 0), at.AddDate(100, 0, 0)} {
		if got := protocol.Time(good.UnixMicro()); !got.Equal(good) || got.Location() != time.UTC {
			t.Errorf("%v became %v", good, got)
		}
	}
	for _, bad := range []int64{math.MinInt64, -1, 0, 253_402_300_800_000_000, math.MaxInt64} {
		if got := protocol.Time(bad); time.Since(got).Abs() > time.Minute {
			t.Errorf("%d became %v", bad, got)
		}
	}
}
