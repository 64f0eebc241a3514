package service_test

import (
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/service"
)

// TestPace: a quiet flow sends at once, a busy one 50 batches a second.
func TestPace(t *testing.T) {
	t.Parallel()
	var p service.Pacer
	now := time.Now()
	for i := range 5 {
		if d := p.Delay(now); d != 0 {
			t.Errorf("batch %d of a quiet flow waits %s", i, d)
		}
		p.Spend(now)
	}
	begun := now
	for range 100 {
		d := p.Delay(now)
		if d <= 0 || d > 21*time.Millisecond {
			t.Fatalf("a batch of a busy flow waits %s", d)
		}
		now = now.Add(d)
		p.Spend(now)
	}
	if took := now.Sub(begun); took < 1990*time.Millisecond || took > 2010*time.Millisecond {
		t.Errorf("100 batches took %s, want 2s", took)
	}
	if d := p.Delay(now.Add(time.Second)); d != 0 {
		t.Errorf("a flow that was quiet for a second waits %s", d)
	}
}
