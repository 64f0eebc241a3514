package service

import (
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

// Abridge leaves last lines out of a digest.
func Abridge(digest []*protocol.Observed) { abridge(digest, maxLastLines) }

// Pacer is the pacing of one console flow.
type Pacer struct{ p pacer }

// Delay returns how long to gather lines.
func (p *Pacer) Delay(now time.Time) time.Duration { return p.p.delay(now) }

// Spend counts a batch.
func (p *Pacer) Spend(now time.Time) { p.p.spend(now) }
