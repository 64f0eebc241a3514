package link

import "time"

// Waits returns the waits after attempts that were refused or merely failed, with the greatest jitter.
func Waits(refused ...bool) []time.Duration {
	b := newBackoff()
	b.random = func(limit time.Duration) time.Duration { return limit }
	var out []time.Duration
	for _, r := range refused {
		out = append(out, b.next(r))
	}
	return out
}

// RandomWait returns a wait after one failure, with its true jitter.
func RandomWait() time.Duration { return newBackoff().next(false) }
