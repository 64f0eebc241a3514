package output

import "time"

// Limits are the size and the refill of a Limiter's two buckets. A zero takes the default.
type Limits struct {
	// BurstLines and BurstBytes are what may come at once: 20,000 lines and 8 MiB by default.
	BurstLines int64 `json:"burst_lines,omitempty"`
	BurstBytes int64 `json:"burst_bytes,omitempty"`
	// LinesPerSecond and BytesPerSecond refill them: 5,000 lines and 1 MiB by default.
	LinesPerSecond int64 `json:"lines_per_second,omitempty"`
	BytesPerSecond int64 `json:"bytes_per_second,omitempty"`
}

func (l Limits) withDefaults() Limits {
	set := func(v *int64, def int64) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&l.BurstLines, 20_000)
	set(&l.BurstBytes, 8<<20)
	set(&l.LinesPerSecond, 5_000)
	set(&l.BytesPerSecond, 1<<20)
	return l
}

// Limiter is a token bucket for lines and bytes. Once empty it stays shut until a quarter of a second's refill is
// there, so that a flood leaves few, long gaps, each with its record, instead of one between every two lines.
//
// It is not safe for concurrent use. Time is what the caller says it is.
type Limiter struct {
	limits       Limits
	lines, bytes float64
	last         time.Time
	shut         bool
}

// NewLimiter returns a Limiter with full buckets.
func NewLimiter(limits Limits) *Limiter {
	limits = limits.withDefaults()
	return &Limiter{limits: limits, lines: float64(limits.BurstLines), bytes: float64(limits.BurstBytes)}
}

// Allow takes the tokens of one line of size bytes, if they are there.
func (l *Limiter) Allow(now time.Time, size int) bool {
	l.refill(now)
	// A line that is larger than the bucket passes when the bucket is full, or it would never pass.
	need := min(float64(size), float64(l.limits.BurstBytes))
	if l.shut {
		l.shut = l.lines < reopen(l.limits.LinesPerSecond, l.limits.BurstLines, 1) ||
			l.bytes < reopen(l.limits.BytesPerSecond, l.limits.BurstBytes, need)
	}
	if !l.shut && (l.lines < 1 || l.bytes < need) {
		l.shut = true
	}
	if l.shut {
		return false
	}
	l.lines--
	l.bytes -= need
	return true
}

// reopen is the level at which an emptied bucket serves again.
func reopen(perSecond, burst int64, need float64) float64 {
	return min(max(float64(perSecond)/4, need), float64(burst))
}

func (l *Limiter) refill(now time.Time) {
	elapsed := now.Sub(l.last).Seconds()
	if l.last.IsZero() || elapsed < 0 {
		// The first call, or a clock that went back: start counting from here.
		l.last = now
		return
	}
	l.last = now
	l.lines = min(l.lines+elapsed*float64(l.limits.LinesPerSecond), float64(l.limits.BurstLines))
	l.bytes = min(l.bytes+elapsed*float64(l.limits.BytesPerSecond), float64(l.limits.BurstBytes))
}
