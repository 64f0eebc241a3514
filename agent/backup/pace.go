package backup

import (
	"context"

	"golang.org/x/time/rate"
)

// paceBurst is how much may be read at once, in bytes.
const paceBurst = 1 << 20

// pace slows reading down.
type pace struct{ limiter *rate.Limiter }

// newPace allows so many bytes in a second; 0 allows all.
func newPace(bytes int64) *pace {
	if bytes <= 0 {
		return &pace{}
	}
	return &pace{rate.NewLimiter(rate.Limit(bytes), paceBurst)}
}

// wait returns when so much may have been read, or the context has ended.
func (p *pace) wait(ctx context.Context, n int64) {
	for p.limiter != nil && n > 0 {
		piece := min(n, paceBurst)
		if p.limiter.WaitN(ctx, int(piece)) != nil {
			return // whoever reads sees the end, too
		}
		n -= piece
	}
}
