package nodes

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/allocation"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// maxPortsPerCall bounds one createAllocations.
const maxPortsPerCall = 1000

// CreateAllocationsInput names ports of one address: single ones ("27015") and ranges ("30000-30050").
type CreateAllocationsInput struct {
	NodeID, IP string
	Ports      []string
}

// CreateAllocations adds ports to a node; those that it has already are left alone. It needs node.update.
func (s *Service) CreateAllocations(ctx context.Context, in CreateAllocationsInput) ([]*ent.Allocation, error) {
	e := audit.Entry{Action: "allocation.create", TargetType: "Node", TargetID: in.NodeID}
	if err := access.Check(ctx, s.Client, access.NodeUpdate, access.On(in.NodeID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if !kind.ValidID(kind.PrefixNode, in.NodeID) {
		return nil, fault.Missing("node")
	}
	ip, err := netip.ParseAddr(strings.TrimSpace(in.IP))
	if err != nil || ip.Zone() != "" {
		return nil, fault.Input("ip", "Give an IPv4 or IPv6 address of the node, such as 203.0.113.5; 0.0.0.0 stands for all of them.")
	}
	ip = ip.Unmap()
	ports, err := parsePorts(in.Ports)
	if err != nil {
		return nil, err
	}
	var made []*ent.Allocation
	err = s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		made = nil
		// Held, so that two callers do not add the same port.
		held, err := s.hold(ctx, t, in.NodeID)
		if err != nil {
			return err
		}
		if held == nil {
			return fault.Missing("node")
		}
		there, err := t.Allocation.Query().Where(allocation.NodeID(in.NodeID), allocation.IP(ip.String()), allocation.PortIn(ports...)).
			All(viewer.System(ctx, nil, "look for ports that exist"))
		if err != nil {
			return fmt.Errorf("read allocations: %w", err)
		}
		exists := make(map[int]bool, len(there))
		for _, a := range there {
			exists[a.Port] = true
		}
		for _, port := range ports {
			if exists[port] {
				continue
			}
			a, err := t.Allocation.Create().SetNodeID(in.NodeID).SetIP(ip.String()).SetPort(port).Save(ctx)
			if err != nil {
				return fmt.Errorf("store allocation: %w", err)
			}
			made = append(made, a.Unwrap())
		}
		e.Details = map[string]any{"ip": ip.String(), "count": len(made)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// DeleteAllocations removes allocations and returns their ids. It needs node.update on the node of each, and fails
// with CONFLICT, removing none, when a server uses one.
func (s *Service) DeleteAllocations(ctx context.Context, ids []string) ([]string, error) {
	if len(ids) == 0 || len(ids) > maxPortsPerCall {
		return nil, fault.Input("ids", "Name 1 to %d allocations.", maxPortsPerCall)
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	e := audit.Entry{Action: "allocation.delete", TargetType: "Allocation", TargetID: ids[0], Details: map[string]any{"ids": ids}}
	for _, id := range ids {
		if !kind.ValidID(kind.PrefixAllocation, id) {
			return nil, fault.Missing("allocation")
		}
		if err := access.Check(ctx, s.Client, access.NodeUpdate, access.On(id)); err != nil {
			return nil, s.trail.Refused(ctx, e, err)
		}
	}
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, _ *audit.Entry) error {
		for _, id := range ids {
			// Free when it goes: a server may take it between the check and the deletion.
			err := t.Allocation.DeleteOneID(id).Where(allocation.ServerIDIsNil()).Exec(ctx)
			if ent.IsNotFound(err) {
				return fault.New(fault.Conflict, "A server uses one of these allocations: unassign it first.")
			}
			if err != nil {
				return fmt.Errorf("delete allocation: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// Claim gives allocations of a node, which the unit of work holds, to a server: those named, or count free ones. The first
// becomes the primary one.
func (s *Service) Claim(ctx context.Context, t *ent.Tx, nodeID, serverID string, ids []string, count int) error {
	sys := viewer.System(ctx, nil, "claim allocations")
	if len(ids) == 0 && count > 0 {
		free, err := t.Allocation.Query().Where(allocation.NodeID(nodeID), allocation.ServerIDIsNil()).
			Order(allocation.ByIP(), allocation.ByPort()).Limit(count).IDs(sys)
		if err != nil {
			return fmt.Errorf("read free allocations: %w", err)
		}
		if len(free) < count {
			return fault.New(fault.Conflict, "The node has %d free ports and the server needs %d: add some with createAllocations.", len(free), count)
		}
		ids = free
	}
	for i, id := range ids {
		err := t.Allocation.UpdateOneID(id).Where(allocation.NodeID(nodeID), allocation.ServerIDIsNil()).
			SetServerID(serverID).SetPrimary(i == 0).Exec(ctx)
		if ent.IsNotFound(err) {
			return fault.New(fault.Conflict, "An allocation is in use, or is not one of the server's node: choose a free one of that node.")
		}
		if err != nil {
			return fmt.Errorf("claim allocation: %w", err)
		}
	}
	return nil
}

// freePorts counts the free allocations of each node.
func (s *Service) freePorts(ctx context.Context, nodeIDs []string) (map[string]int, error) {
	var rows []struct {
		NodeID string `json:"node_id"`
		Count  int    `json:"count"`
	}
	err := tx.Client(ctx, s.Client).Allocation.Query().Where(allocation.NodeIDIn(nodeIDs...), allocation.ServerIDIsNil()).
		GroupBy(allocation.FieldNodeID).Aggregate(ent.Count()).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("count free allocations: %w", err)
	}
	free := make(map[string]int, len(rows))
	for _, r := range rows {
		free[r.NodeID] = r.Count
	}
	return free, nil
}

// parsePorts expands ports and ranges, without doubles, in the order given.
func parsePorts(specs []string) ([]int, error) {
	var ports []int
	seen := map[int]bool{}
	for i, spec := range specs {
		from, to, isRange := strings.Cut(strings.TrimSpace(spec), "-")
		low, err := strconv.Atoi(from)
		high := low
		if err == nil && isRange {
			high, err = strconv.Atoi(to)
		}
		if err != nil || low < 1 || high > 65535 || low > high {
			return nil, fault.Input(fmt.Sprintf("ports[%d]", i), "Write a port from 1 to 65535, as in 27015, or a range, as in 30000-30050.")
		}
		for port := low; port <= high; port++ {
			if !seen[port] {
				seen[port] = true
				ports = append(ports, port)
			}
			if len(ports) > maxPortsPerCall {
				return nil, fault.Input("ports", "Add %d ports at once at the most.", maxPortsPerCall)
			}
		}
	}
	if len(ports) == 0 {
		return nil, fault.Input("ports", "Name at least one port.")
	}
	return ports, nil
}
