package nodes

import (
	"context"
	"time"
)

// SweepOnce looks for silent nodes once.
func (s *Service) SweepOnce(ctx context.Context, mended time.Time) error { return s.sweep(ctx, mended) }
