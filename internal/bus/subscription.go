package bus

import (
	"context"
	"sync"
)

// Policy says what happens to a subscription whose reader is too slow for its buffer.
type Policy int

const (
	// Mark drops the new event and notes a gap, which the reader learns from Gap or Overflowed; it then reads the
	// database again. For streams in which every event counts.
	Mark Policy = iota
	// Latest drops the oldest event in the buffer, so that the reader catches up with the present. For samples and
	// states of which the newest matters. The gap is noted too.
	Latest
)

// defaultBuffer is the number of events a subscription holds unless its options say otherwise.
const defaultBuffer = 64

// Options tune one subscription.
type Options struct {
	// Buffer is the number of events that wait for the reader; 0 takes 64.
	Buffer int
	// Policy says what happens when the buffer is full.
	Policy Policy
}

// Subscription is one reader's view of a topic. One goroutine reads it.
type Subscription[T any] struct {
	hub    *hub[T]
	policy Policy
	events chan T
	gaps   chan struct{}

	mu       sync.Mutex
	closed   bool
	overflow bool
	dropped  uint64
	unwatch  func() bool // stops watching the context
}

func newSubscription[T any](h *hub[T], opts Options) *Subscription[T] {
	size := opts.Buffer
	if size <= 0 {
		size = defaultBuffer
	}
	return &Subscription[T]{
		hub:    h,
		policy: opts.Policy,
		events: make(chan T, size),
		gaps:   make(chan struct{}, 1),
	}
}

// C is the channel of events. It is closed when the subscription ends. The values are shared with other readers and
// must not be changed.
func (s *Subscription[T]) C() <-chan T { return s.events }

// Gap wakes the reader when events may have been missed: its buffer was full, or the connection to NATS was lost.
// After receiving from it, the reader calls Overflowed and reads the database again.
func (s *Subscription[T]) Gap() <-chan struct{} { return s.gaps }

// Overflowed reports whether events may have been missed since it was last called. Everything missed was published
// before it returns, so what the reader then reads from the database covers it.
func (s *Subscription[T]) Overflowed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	missed := s.overflow
	s.overflow = false
	select {
	case <-s.gaps:
	default:
	}
	return missed
}

// Dropped returns how many events the full buffer has cost this reader so far. Events lost with the connection to NATS
// are not counted, since nobody knows them.
func (s *Subscription[T]) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Close ends the subscription and closes its channel; what is still in the buffer can be read. It may be called more
// than once and from anywhere.
func (s *Subscription[T]) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.events)
	unwatch := s.unwatch
	s.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	s.hub.remove(s)
}

// endWith closes the subscription with the context.
func (s *Subscription[T]) endWith(ctx context.Context) {
	stop := context.AfterFunc(ctx, s.Close)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unwatch = stop
	if s.closed {
		stop()
	}
}

// offer hands over one event without ever waiting for the reader.
func (s *Subscription[T]) offer(v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	select {
	case s.events <- v:
		s.hub.bus.delivered.Add(1)
		return
	default:
	}
	s.dropped++
	s.hub.bus.dropped.Add(1)
	s.noteGap()
	if s.policy != Latest {
		return
	}
	// The lock makes this the only sender, so that the place that is freed here is still free below.
	select {
	case <-s.events:
	default:
	}
	s.events <- v
	s.hub.bus.delivered.Add(1)
}

func (s *Subscription[T]) markGap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.noteGap()
	}
}

func (s *Subscription[T]) noteGap() {
	s.overflow = true
	select {
	case s.gaps <- struct{}{}:
	default:
	}
}
