package ratelimit

import (
	"container/list"
	"math"
	"net/netip"
	"sync"
	"time"
)

// DefaultMaxKeys is how many keys a Limiter remembers when its Config does not say.
const DefaultMaxKeys = 1 << 16

// Config describes a Limiter.
type Config struct {
	// Limit is how many calls a key may make in a window. Zero or less allows every call.
	Limit int
	// Window is the length of the window; a minute when it is zero.
	Window time.Duration
	// MaxKeys bounds the table; DefaultMaxKeys when it is zero.
	MaxKeys int
	// Now is the clock; time.Now when it is nil.
	Now func() time.Time
}

// Limiter limits calls per key. It is safe for concurrent use.
type Limiter struct {
	limit   float64
	window  time.Duration
	maxKeys int
	now     func() time.Time
	epoch   time.Time

	mu      sync.Mutex
	entries map[string]*list.Element
	recent  *list.List // of *entry, the most recently seen first
}

type entry struct {
	key string
	// window is the number of the fixed window that current counts, since the limiter's epoch.
	window            int64
	previous, current float64
}

// New returns a Limiter.
func New(c Config) *Limiter {
	if c.Window <= 0 {
		c.Window = time.Minute
	}
	if c.MaxKeys <= 0 {
		c.MaxKeys = DefaultMaxKeys
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Limiter{
		limit:   float64(c.Limit),
		window:  c.Window,
		maxKeys: c.MaxKeys,
		now:     c.Now,
		epoch:   c.Now(),
		entries: make(map[string]*list.Element),
		recent:  list.New(),
	}
}

// Allow counts one call of key. When the key has used up its window, ok is false, nothing is counted, and retryAfter
// is how long the key has to wait until a call will be allowed.
func (l *Limiter) Allow(key string) (retryAfter time.Duration, ok bool) {
	_, retryAfter, ok = l.Spend(key, 1)
	return retryAfter, ok
}

// Spend counts n calls of key at once, or none of them: then ok is false, and retryAfter is how long the key has to wait
// until n will be allowed. More than the limit counts as all of it. It returns what the key has left in its window.
func (l *Limiter) Spend(key string, n int) (remaining int, retryAfter time.Duration, ok bool) {
	if l.limit <= 0 {
		return 0, 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()

	window, into := l.clock()
	e := l.entry(key, window)
	calls := min(float64(n), l.limit)
	if wait := l.wait(e, into, calls); wait > 0 {
		return l.left(e, into), wait, false
	}
	e.current += calls
	return l.left(e, into), 0, true
}

// left returns how many calls are left at this moment of the window.
func (l *Limiter) left(e *entry, into time.Duration) int {
	fading := e.previous * (1 - float64(into)/float64(l.window))
	return max(int(l.limit-e.current-fading), 0)
}

// Len returns how many keys are remembered.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// clock returns the number of the present window and how far into it we are. A clock that runs backwards stays in the
// first window.
func (l *Limiter) clock() (window int64, into time.Duration) {
	elapsed := max(l.now().Sub(l.epoch), 0)
	return int64(elapsed / l.window), elapsed % l.window
}

// entry returns the counters of key, moved on to the present window.
func (l *Limiter) entry(key string, window int64) *entry {
	if element, ok := l.entries[key]; ok {
		l.recent.MoveToFront(element)
		e, _ := element.Value.(*entry)
		e.advance(window)
		return e
	}
	if len(l.entries) >= l.maxKeys {
		l.forgetOldest()
	}
	e := &entry{key: key, window: window}
	l.entries[key] = l.recent.PushFront(e)
	return e
}

func (l *Limiter) forgetOldest() {
	oldest := l.recent.Back()
	e, _ := l.recent.Remove(oldest).(*entry)
	delete(l.entries, e.key)
}

func (e *entry) advance(window int64) {
	switch {
	case window == e.window+1:
		e.previous, e.current = e.current, 0
	case window != e.window:
		e.previous, e.current = 0, 0
	}
	e.window = window
}

// wait returns how long it takes until the calls fit, counting the previous window in proportion to the part of
// it that the sliding window still covers; zero when it fits now.
func (l *Limiter) wait(e *entry, into time.Duration, calls float64) time.Duration {
	if wait := l.fits(e.previous, e.current, into, calls); wait <= l.window-into {
		return wait
	}
	// It never fits in this window. In the next one, what is counted now fades in turn.
	return l.window - into + l.fits(e.current, 0, 0, calls)
}

// fits returns how long after into the sum of the fading and the counted calls leaves room for the new ones, or more
// than a window when counting alone leaves none.
func (l *Limiter) fits(fading, counted float64, into time.Duration, calls float64) time.Duration {
	room := l.limit - counted - calls
	if room < 0 {
		return l.window + 1
	}
	if fading <= room {
		return 0
	}
	at := time.Duration(math.Ceil((1 - room/fading) * float64(l.window)))
	return max(at-into, 0)
}

// AddrKey returns the key of a client address: the address itself for IPv4, its /64 for IPv6, since one customer has
// all of those.
func AddrKey(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}
