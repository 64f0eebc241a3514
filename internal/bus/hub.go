package bus

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// hub feeds the local readers of one subject from one NATS subscription. It exists while it has readers.
type hub[T any] struct {
	bus      *Bus
	subject  string
	upstream *nats.Subscription
	flushed  atomic.Bool // the server is known to have taken the NATS subscription

	refs int // guarded by bus.mu

	mu      sync.Mutex
	readers []*Subscription[T] // replaced, never changed in place: deliver works on a snapshot
}

// acquire returns the subject's hub, which it makes when there is none, and counts one more reader.
func acquire[T any](b *Bus, subject string) (*hub[T], error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	if known, ok := b.hubs[subject]; ok {
		h, ok := known.(*hub[T])
		if !ok {
			return nil, fmt.Errorf("the topic carries another type of event than %T", *new(T))
		}
		h.refs++
		return h, nil
	}
	h := &hub[T]{bus: b, subject: subject, refs: 1}
	sub, err := b.conn.Subscribe(subject, h.deliver)
	if err != nil {
		return nil, natsError(err)
	}
	h.upstream = sub
	b.hubs[subject] = h
	return h, nil
}

// release counts one reader less and ends the NATS subscription after the last one.
func (h *hub[T]) release() {
	h.bus.mu.Lock()
	defer h.bus.mu.Unlock()
	h.refs--
	if h.refs > 0 || h.bus.hubs[h.subject] != upstream(h) {
		return
	}
	delete(h.bus.hubs, h.subject)
	if err := h.upstream.Unsubscribe(); err != nil && !h.bus.closed {
		h.bus.log.Warn("could not end a NATS subscription", slog.Any("error", err))
	}
}

func (h *hub[T]) add(opts Options) *Subscription[T] {
	sub := newSubscription(h, opts)
	h.mu.Lock()
	h.readers = append(slices.Clip(slices.Clone(h.readers)), sub)
	h.mu.Unlock()
	h.bus.subscriptions.Add(1)
	return sub
}

// remove takes a reader out; it is called once per reader.
func (h *hub[T]) remove(sub *Subscription[T]) {
	h.mu.Lock()
	h.readers = slices.DeleteFunc(slices.Clone(h.readers), func(s *Subscription[T]) bool { return s == sub })
	h.mu.Unlock()
	h.bus.subscriptions.Add(-1)
	h.release()
}

func (h *hub[T]) snapshot() []*Subscription[T] {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.readers
}

// deliver is called by NATS for one message after the other.
func (h *hub[T]) deliver(msg *nats.Msg) {
	h.bus.received.Add(1)
	var e envelope[T]
	if err := json.Unmarshal(msg.Data, &e); err != nil {
		h.bus.log.Error("could not decode an event",
			slog.String("subject", msg.Subject), slog.Any("error", err))
		h.markGap()
		return
	}
	for _, sub := range h.snapshot() {
		sub.offer(e.Data)
	}
}

func (h *hub[T]) natsSubscription() *nats.Subscription { return h.upstream }

func (h *hub[T]) markGap() {
	for _, sub := range h.snapshot() {
		sub.markGap()
	}
}

func (h *hub[T]) closeAll() {
	for _, sub := range h.snapshot() {
		sub.Close()
	}
}
