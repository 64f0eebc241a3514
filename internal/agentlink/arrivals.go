package agentlink

import (
	"context"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// maxArriving is how many connections of one node may be between their upgrade and their session.
	maxArriving = 4
	// arrivingRetry is when a node that has more than these may come back.
	arrivingRetry = 5 * time.Second
)

// arrivals bounds and orders the connections of each node that are not sessions yet: they become sessions one after the
// other, so that the one which the database knows as the newest is the newest here too.
type arrivals struct {
	mu    sync.Mutex
	nodes map[string]*arrival
}

type arrival struct {
	count int
	turn  chan struct{}
}

// place is one connection's place among its node's arrivals. It is used by one goroutine.
type place struct {
	all    *arrivals
	nodeID string
	node   *arrival
	held   bool
	left   bool
}

func newArrivals() *arrivals { return &arrivals{nodes: make(map[string]*arrival)} }

// enter takes a place, or refuses when the node has too many already.
func (a *arrivals) enter(nodeID string) (*place, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	node := a.nodes[nodeID]
	if node == nil {
		node = &arrival{turn: make(chan struct{}, 1)}
		a.nodes[nodeID] = node
	}
	if node.count >= maxArriving {
		return nil, fault.Limited(arrivingRetry, "This node is connecting several times already. Wait a moment.")
	}
	node.count++
	return &place{all: a, nodeID: nodeID, node: node}, nil
}

// await waits for this place's turn.
func (p *place) await(ctx context.Context) error {
	select {
	case p.node.turn <- struct{}{}:
		p.held = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave gives the place up. It may be called twice.
func (p *place) leave() {
	if p.left {
		return
	}
	p.left = true
	if p.held {
		<-p.node.turn
	}
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	p.node.count--
	if p.node.count == 0 {
		delete(p.all.nodes, p.nodeID)
	}
}
