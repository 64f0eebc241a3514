package graph

import (
	"context"

	"github.com/catalyst-panel/catalyst/graph/stream"
	"github.com/catalyst-panel/catalyst/internal/changes"
)

// follow starts the stream of a kind's changes; event makes the message of one.
func follow[E, M any](ctx context.Context, r *Resolver, k changes.Kind[E], id *string, event func(changes.Event, *E) *M) <-chan *M {
	return stream.Start(ctx, r.Streams, func(ctx context.Context, send func(*M) error) error {
		return changes.Follow(ctx, r.Changes, k, orEmpty(id), func(e changes.Event, row *E) error {
			return send(event(e, row))
		})
	})
}
