package nodes

import (
	"context"
	"time"
)

// NewSweeper returns what looks for silent nodes, with the time told.
func NewSweeper(s *Service, at time.Time) func(ctx context.Context, at time.Time) error {
	return newSweeper(s, at).sweep
}
