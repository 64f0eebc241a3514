package link

import (
	"math/rand/v2"
	"time"
)

const (
	baseWait = 500 * time.Millisecond
	maxWait  = 30 * time.Second
	// A panel that refuses the node itself will most likely go on doing so: it is asked rarely, but for ever, since an
	// administrator may mend it. The first refusals may be those of a panel that has just started.
	patientAfter = 3
	refusedWait  = 2 * time.Minute
)

// backoff is the time between attempts: exponential, with full jitter.
type backoff struct {
	attempts, refusals int
	random             func(time.Duration) time.Duration
}

func newBackoff() *backoff {
	return &backoff{random: rand.N[time.Duration]}
}

func (b *backoff) reset() { b.attempts, b.refusals = 0, 0 }

// next returns how long to wait before the next attempt.
func (b *backoff) next(refused bool) time.Duration {
	if !refused {
		b.refusals = 0
	} else if b.refusals++; b.refusals >= patientAfter {
		return refusedWait/2 + b.random(refusedWait)
	}
	limit := min(maxWait, baseWait<<min(b.attempts, 10))
	b.attempts++
	return b.random(limit)
}
