package agentlink

import (
	"context"
	"sync"
)

// queue takes what a stream brings until its one reader has time, bounded in number and in bytes. A full queue makes the
// writer wait, so that HTTP/2's flow control slows the agent down.
type queue[T any] struct {
	maxItems, maxBytes int

	mu    sync.Mutex
	items []T
	bytes int
	added chan struct{}
	taken chan struct{}
}

func newQueue[T any](maxItems, maxBytes int) *queue[T] {
	return &queue[T]{
		maxItems: maxItems,
		maxBytes: maxBytes,
		added:    make(chan struct{}, 1),
		taken:    make(chan struct{}, 1),
	}
}

// put appends an item; an item larger than the whole queue is taken when the queue is empty.
func (q *queue[T]) put(ctx context.Context, item T, size int) error {
	for {
		q.mu.Lock()
		if len(q.items) == 0 || len(q.items) < q.maxItems && q.bytes+size <= q.maxBytes {
			q.items = append(q.items, item)
			q.bytes += size
			q.mu.Unlock()
			signal(q.added)
			return nil
		}
		q.mu.Unlock()
		select {
		case <-q.taken:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// take returns everything that is there, and waits while there is nothing.
func (q *queue[T]) take(ctx context.Context) ([]T, error) {
	for {
		q.mu.Lock()
		items := q.items
		q.items, q.bytes = nil, 0
		q.mu.Unlock()
		if len(items) > 0 {
			signal(q.taken)
			return items, nil
		}
		select {
		case <-q.added:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
