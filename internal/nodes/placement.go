package nodes

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Allocated is what the servers of a node have been given. An unlimited server counts as nothing.
type Allocated struct {
	// Memory and Disk are bytes, CPU is percent of one core.
	Memory, Disk int64
	CPU          int
}

// Allocated returns what is given away on each of the nodes, which the viewer must be able to see.
func (s *Service) Allocated(ctx context.Context, nodeIDs []string) (map[string]Allocated, error) {
	visible, err := s.Client.Node.Query().Where(node.IDIn(nodeIDs...)).IDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up nodes: %w", err)
	}
	return s.allocated(ctx, visible)
}

// allocated sums over all servers, whoever may see them.
func (s *Service) allocated(ctx context.Context, nodeIDs []string) (map[string]Allocated, error) {
	var rows []struct {
		NodeID string `json:"node_id"`
		Memory int64  `json:"memory"`
		Disk   int64  `json:"disk"`
		CPU    int    `json:"cpu"`
	}
	err := tx.Client(ctx, s.Client).Server.Query().Where(server.NodeIDIn(nodeIDs...), server.DeletedAtIsNil()).
		GroupBy(server.FieldNodeID).
		Aggregate(ent.As(ent.Sum(server.FieldMemory), "memory"), ent.As(ent.Sum(server.FieldDisk), "disk"),
			ent.As(ent.Sum(server.FieldCPU), "cpu")).
		Scan(viewer.System(ctx, nil, "sum what nodes have given away"), &rows)
	if err != nil {
		return nil, fmt.Errorf("sum limits of servers: %w", err)
	}
	sums := make(map[string]Allocated, len(nodeIDs))
	for _, r := range rows {
		sums[r.NodeID] = Allocated{Memory: r.Memory, Disk: r.Disk, CPU: r.CPU}
	}
	return sums, nil
}

// Need is what a server wants of a node.
type Need struct {
	// Memory and Disk are bytes, CPU is percent of one core; 0 is unlimited and counts as nothing.
	Memory, Disk int64
	CPU          int
	// Ports are the free allocations that the server will be given.
	Ports int
	// Containers is whether the server can only run in a container.
	Containers bool
	// Architectures are the processors that the program runs on, as Go names them; any when empty.
	Architectures []string
	// LocationID is where the node has to be, Labels are what it has to be marked with; anywhere and nothing when empty.
	LocationID string
	Labels     map[string]string
}

// Suits reports whether a node has the processor for a need. One whose agent has not said what it has is believed to.
func Suits(n *ent.Node, need Need) bool {
	return len(need.Architectures) == 0 || n.Arch == "" || slices.Contains(need.Architectures, n.Arch)
}

// marked reports whether a node has labels.
func marked(n *ent.Node, labels map[string]string) bool {
	for key, value := range labels {
		if has, ok := n.Labels[key]; !ok || has != value {
			return false
		}
	}
	return true
}

// processRuntime is the name of the runtime that runs programs of the node itself, without containers.
const processRuntime = "process"

// RunsContainers reports whether a node's runtime has containers.
func RunsContainers(n *ent.Node) bool { return n.Runtime != processRuntime }

// Fits reports whether a node has room for a need beside what it has given away. A limit of 0 is none, and what is not
// needed fits even a node that has given away too much.
func Fits(n *ent.Node, given Allocated, need Need) bool {
	within := func(limit, given, need int64) bool {
		return limit == 0 || need <= 0 || float64(given)+float64(need) <= float64(limit)*n.Overcommit
	}
	return within(n.MemoryLimit, given.Memory, need.Memory) && within(n.DiskLimit, given.Disk, need.Disk) &&
		within(int64(n.CPULimit), int64(given.CPU), int64(need.CPU))
}

// Place chooses the node for a new server and holds it until the unit of work ends: of those that are online, not in
// maintenance and have room, enough free allocations and a fitting runtime, the one with the most memory left. It fails
// with CONFLICT or NODE_OFFLINE and says what is missing.
func (s *Service) Place(ctx context.Context, t *ent.Tx, need Need) (*ent.Node, error) {
	sys := viewer.System(ctx, s.Logger, "place a server")
	all, err := t.Node.Query().Order(node.ByID()).All(sys)
	if err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	candidates, given, err := s.candidates(sys, all, need)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(candidates, func(a, b *ent.Node) int {
		return cmp.Compare(room(b, given[b.ID]), room(a, given[a.ID]))
	})
	for _, n := range candidates {
		// What was read may have been taken since: it is read again with the node held.
		held, err := s.hold(ctx, t, n.ID)
		if err != nil {
			return nil, err
		}
		if held == nil {
			continue
		}
		left, _, err := s.candidates(sys, []*ent.Node{held}, need)
		if err == nil && len(left) == 1 {
			return held, nil
		}
		if err != nil && fault.CodeOf(err) == fault.Internal {
			return nil, err
		}
	}
	return nil, fault.New(fault.Conflict, "Other servers have just taken the room: try again, or add a node.")
}

// room is the memory that a node has left; a node without a limit has the most.
func room(n *ent.Node, given Allocated) float64 {
	if n.MemoryLimit == 0 {
		return math.Inf(1)
	}
	return float64(n.MemoryLimit)*n.Overcommit - float64(given.Memory)
}

// candidates leaves the nodes that could take the need, or says what none of them has.
func (s *Service) candidates(ctx context.Context, all []*ent.Node, need Need) ([]*ent.Node, map[string]Allocated, error) {
	if len(all) == 0 {
		return nil, nil, fault.New(fault.Conflict, "There is no node yet: create one with createNode and run the command it shows on a machine.")
	}
	without := func(bad func(*ent.Node) bool) bool {
		all = slices.DeleteFunc(slices.Clone(all), bad)
		return len(all) == 0
	}
	if without(func(n *ent.Node) bool { return need.LocationID != "" && n.LocationID != need.LocationID }) {
		return nil, nil, fault.Input("locationId", "There is no node at this location: choose another one, or leave it out.")
	}
	if without(func(n *ent.Node) bool { return !marked(n, need.Labels) }) {
		return nil, nil, fault.Input("labels", "No node has these labels: choose others, or leave them out.")
	}
	if without(func(n *ent.Node) bool { return !n.Online || n.Maintenance }) {
		return nil, nil, fault.New(fault.NodeOffline, "No node that could take the server is online and out of maintenance: start the agent on one, or end its maintenance.")
	}
	if without(func(n *ent.Node) bool { return need.Containers && !RunsContainers(n) }) {
		return nil, nil, fault.New(fault.Conflict, "The server needs containers, and every node that is online runs programs without them: add a node with containerd.")
	}
	if without(func(n *ent.Node) bool { return !Suits(n, need) }) {
		return nil, nil, fault.New(fault.Conflict, "The program runs on %s only, which no node has that could take it: add such a node.", strings.Join(need.Architectures, " and "))
	}
	ids := make([]string, len(all))
	for i, n := range all {
		ids[i] = n.ID
	}
	given, err := s.allocated(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	if without(func(n *ent.Node) bool { return !Fits(n, given[n.ID], need) }) {
		return nil, nil, fault.New(fault.Conflict, "No node has room for this server: ask for less memory, CPU or disk, raise a node's limits, or add a node.")
	}
	free, err := s.freePorts(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	if without(func(n *ent.Node) bool { return free[n.ID] < need.Ports }) {
		return nil, nil, fault.New(fault.Conflict, "No node with room has %d free ports: add some with createAllocations.", need.Ports)
	}
	return all, given, nil
}

// Reserve holds a node until the unit of work ends, so that nobody else gives its room or its ports away meanwhile, and
// fails with CONFLICT when it has no room for a need beside what it has given away.
func (s *Service) Reserve(ctx context.Context, t *ent.Tx, nodeID string, need Need) error {
	n, err := s.hold(ctx, t, nodeID)
	if err != nil {
		return err
	}
	if n == nil {
		return fault.Missing("node")
	}
	given, err := s.allocated(ctx, []string{n.ID})
	if err != nil {
		return err
	}
	if !Fits(n, given[n.ID], need) {
		return fault.New(fault.Conflict, "The server's node has no room for this: ask for less memory, CPU or disk, or raise the node's limits.")
	}
	return nil
}

// hold locks a node's row and reads it; nil when it is gone. A write is the lock that both databases know.
func (s *Service) hold(ctx context.Context, t *ent.Tx, nodeID string) (*ent.Node, error) {
	found, err := t.Node.Update().Where(node.ID(nodeID)).AddLinkEpoch(0).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("hold node: %w", err)
	}
	if found == 0 {
		return nil, nil //nolint:nilnil // the caller knows what it means that it is gone
	}
	n, err := t.Node.Get(viewer.System(ctx, nil, "read a node that is held"), nodeID)
	if err != nil {
		return nil, fmt.Errorf("read node: %w", err)
	}
	return n, nil
}
