package service

import "time"

// Pacer is the pacing of one console flow.
type Pacer struct{ p pacer }

// Delay returns how long to gather lines.
func (p *Pacer) Delay(now time.Time) time.Duration { return p.p.delay(now) }

// Spend counts a batch.
func (p *Pacer) Spend(now time.Time) { p.p.spend(now) }
