package model

import "github.com/catalyst-panel/catalyst/ent"

// CreateAllocationsPayload holds the new allocations.
type CreateAllocationsPayload struct {
	Allocations []*ent.Allocation
}
