package link_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/link"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	for name, tc := range map[string]struct {
		refused []bool
		want    []time.Duration
	}{
		"doubles up to the cap": {make([]bool, 9), []time.Duration{500 * ms, s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s, 30 * s}},
		"refused for good":      {[]bool{true, true, true, true}, []time.Duration{500 * ms, s, 180 * s, 180 * s}},
		"refused and mended":    {[]bool{true, true, true, false, true}, []time.Duration{500 * ms, s, 180 * s, 2 * s, 4 * s}},
	} {
		if diff := cmp.Diff(tc.want, link.Waits(tc.refused...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBackoffIsRandom(t *testing.T) {
	t.Parallel()
	seen := make(map[time.Duration]bool)
	for range 100 {
		w := link.RandomWait()
		if w < 0 || w >= 500*time.Millisecond {
			t.Errorf("wait of %s", w)
		}
		seen[w] = true
	}
	if len(seen) < 90 {
		t.Errorf("only %d different waits of 100", len(seen))
	}
}
