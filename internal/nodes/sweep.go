package nodes

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// silence is how long a node may be silent until it is taken for offline: the instance that held its link has died.
	silence = 30 * time.Second
	// sweepInterval is how often silent nodes are looked for.
	sweepInterval = 10 * time.Second
)

// Sweep marks nodes as offline that have been silent for too long, until ctx ends.
func (s *Service) Sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	w := newSweeper(s, now())
	for {
		if err := w.sweep(ctx, now()); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "could not look for silent nodes", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sweeper tells nodes that are silent from nodes whose heart-beats could not be stored.
type sweeper struct {
	service *Service
	last    time.Time // when it last looked
	trusted time.Time // since when silence means something
}

// newSweeper returns one that begins at a time. The only instance of a panel knows that nobody holds a link before it
// does; one of several may have come back together with the database.
func newSweeper(s *Service, at time.Time) *sweeper {
	w := &sweeper{service: s, last: at}
	if !s.Bus.Single() {
		w.trusted = at
	}
	return w
}

// sweep marks the nodes that are silent at a time. While the database was away or did not answer, this instance was
// suspended or the clock was set, heart-beats were not stored or seem to be old: after that every node has its time again.
func (w *sweeper) sweep(ctx context.Context, at time.Time) error {
	if gap := at.Sub(w.last); gap < 0 || gap > 2*sweepInterval {
		w.trusted = at
	}
	w.last = at
	err := w.mark(ctx, at.Add(-silence))
	if err != nil {
		w.trusted = at.Add(sweepInterval) // whatever failed may go on failing until the next look
	}
	return err
}

// mark marks the nodes as offline that have not been seen since a time.
func (w *sweeper) mark(ctx context.Context, since time.Time) error {
	ctx = viewer.System(ctx, nil, "look for silent nodes")
	silent, err := w.service.Client.Node.Query().Where(node.Online(true), node.LastSeenAtLT(since)).IDs(ctx)
	if err != nil {
		return fmt.Errorf("read silent nodes: %w", err)
	}
	if since.Before(w.trusted) {
		return nil
	}
	for _, id := range silent {
		if err := w.service.offline(ctx, id, node.LastSeenAtLT(since)); err != nil {
			return err
		}
	}
	return nil
}
