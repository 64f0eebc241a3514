package nodes

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/location"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Config is what the service needs.
type Config struct {
	Client *ent.Client
	Bus    *bus.Bus
	Logger *slog.Logger
	// PublicURL is the panel's address as nodes reach it, for the enrolment command.
	PublicURL string
	// Recheck, when not nil, makes the instance that holds a node's link look at its right to go on at once.
	Recheck func(ctx context.Context, nodeID string)
}

// Service owns the nodes.
type Service struct{ Config }

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg} }

// CreateInput describes a new node. Limits are what servers may be given in total.
type CreateInput struct {
	Name, LocationID, PublicAddress string
	// MemoryLimit and DiskLimit are bytes, CPULimit is percent of one core.
	MemoryLimit int64
	CPULimit    int
	DiskLimit   int64
	Overcommit  *float64
	Labels      map[string]string
	Maintenance *bool
}

// UpdateInput changes a node; nil leaves a field as it is.
type UpdateInput struct {
	ID                              string
	Name, LocationID, PublicAddress *string
	MemoryLimit                     *int64
	CPULimit                        *int
	DiskLimit                       *int64
	Overcommit                      *float64
	Labels                          map[string]string
	Maintenance                     *bool
}

// Create makes a node and its first enrolment token. It needs node.create.
func (s *Service) Create(ctx context.Context, in CreateInput) (*ent.Node, *Enrolment, error) {
	if err := access.Check(ctx, s.Client, access.NodeCreate, access.Anywhere); err != nil {
		return nil, nil, err
	}
	fields := UpdateInput{
		Name: &in.Name, LocationID: &in.LocationID, PublicAddress: &in.PublicAddress, MemoryLimit: &in.MemoryLimit,
		CPULimit: &in.CPULimit, DiskLimit: &in.DiskLimit, Overcommit: in.Overcommit, Labels: in.Labels, Maintenance: in.Maintenance,
	}
	if err := s.validate(ctx, fields); err != nil {
		return nil, nil, err
	}
	var made *ent.Node
	var enrolment *Enrolment
	err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		create := t.Node.Create()
		fields.apply(create.Mutation())
		saved, err := create.Save(ctx)
		if ent.IsConstraintError(err) {
			return fault.New(fault.Conflict, "There already is a node with this name: choose another one.").Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("store node: %w", err)
		}
		if enrolment, err = s.issue(ctx, t, saved.ID); err != nil {
			return err
		}
		made = saved.Unwrap()
		return nil
	})
	return made, enrolment, err
}

// Update changes a node. It needs node.update. Lower limits do not touch the servers that are there.
func (s *Service) Update(ctx context.Context, in UpdateInput) (*ent.Node, error) {
	if err := access.Check(ctx, s.Client, access.NodeUpdate, access.On(in.ID)); err != nil {
		return nil, err
	}
	if err := s.validate(ctx, in); err != nil {
		return nil, err
	}
	var changed *ent.Node
	err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		update := t.Node.UpdateOneID(in.ID)
		in.apply(update.Mutation())
		saved, err := update.Save(ctx)
		if ent.IsConstraintError(err) {
			return fault.New(fault.Conflict, "There already is a node with this name: choose another one.").Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("store node: %w", err)
		}
		changed = saved.Unwrap()
		return nil
	})
	return changed, err
}

// Delete removes a node; its agent's key is worth nothing from then on. It needs node.delete and fails with CONFLICT
// while servers are on the node, those that wait for the node to remove them included.
func (s *Service) Delete(ctx context.Context, id string) error {
	if err := access.Check(ctx, s.Client, access.NodeDelete, access.On(id)); err != nil {
		return err
	}
	err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		sys := viewer.System(ctx, s.Logger, "count the servers of a node")
		count, err := t.Server.Query().Where(server.NodeID(id)).Count(sys)
		if err != nil {
			return fmt.Errorf("count servers of the node: %w", err)
		}
		if count > 0 {
			return fault.New(fault.Conflict, "%d servers are on this node: delete them or transfer them to another node first. A server deleted while its node is offline goes when the node returns.", count)
		}
		if err := t.Node.DeleteOneID(id).Exec(ctx); err != nil {
			return fmt.Errorf("delete node: %w", err)
		}
		return nil
	})
	if err == nil && s.Recheck != nil {
		s.Recheck(context.WithoutCancel(ctx), id)
	}
	return err
}

// validate checks the fields that are given.
func (s *Service) validate(ctx context.Context, in UpdateInput) error {
	if in.Name != nil {
		*in.Name = strings.TrimSpace(*in.Name)
		if n := len(*in.Name); n == 0 || n > 64 {
			return fault.Input("name", "Give the node a name of 1 to 64 characters.")
		}
	}
	if in.PublicAddress != nil {
		*in.PublicAddress = strings.TrimSpace(*in.PublicAddress)
		if n := len(*in.PublicAddress); n == 0 || n > 255 || strings.ContainsAny(*in.PublicAddress, " /\n\t") {
			return fault.Input("publicAddress", "Give the host name or IP address at which players reach the node.")
		}
	}
	numbers := []struct {
		field string
		bad   bool
	}{
		{"memoryLimit", in.MemoryLimit != nil && *in.MemoryLimit < 0},
		{"diskLimit", in.DiskLimit != nil && *in.DiskLimit < 0},
		{"cpuLimit", in.CPULimit != nil && *in.CPULimit < 0},
	}
	for _, n := range numbers {
		if n.bad {
			return fault.Input(n.field, "A limit cannot be negative.")
		}
	}
	if in.Overcommit != nil && (*in.Overcommit < 0.1 || *in.Overcommit > 100) {
		return fault.Input("overcommit", "The overcommit factor must be from 0.1 to 100; 1 means none.")
	}
	if in.LocationID == nil {
		return nil
	}
	exists, err := s.Client.Location.Query().Where(location.ID(*in.LocationID)).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look up location: %w", err)
	}
	if !exists {
		return fault.Input("locationId", "There is no such location, or you may not see it: create one with createLocation.")
	}
	return nil
}

// apply writes the fields that are given.
func (in UpdateInput) apply(m *ent.NodeMutation) {
	set(in.Name, m.SetName)
	set(in.LocationID, m.SetLocationID)
	set(in.PublicAddress, m.SetPublicAddress)
	set(in.MemoryLimit, m.SetMemoryLimit)
	set(in.CPULimit, m.SetCPULimit)
	set(in.DiskLimit, m.SetDiskLimit)
	set(in.Overcommit, m.SetOvercommit)
	set(in.Maintenance, m.SetMaintenance)
	if in.Labels != nil {
		m.SetLabels(in.Labels)
	}
}

func set[T any](v *T, to func(T)) {
	if v != nil {
		to(*v)
	}
}

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
}

// Fits reports whether a node has room for a need beside what it has given away.
func Fits(n *ent.Node, given Allocated, need Need) bool {
	return float64(given.Memory+need.Memory) <= float64(n.MemoryLimit)*n.Overcommit &&
		float64(given.Disk+need.Disk) <= float64(n.DiskLimit)*n.Overcommit &&
		float64(given.CPU+need.CPU) <= float64(n.CPULimit)*n.Overcommit
}

// Place chooses the node for a new server: of those that are online, not in maintenance and have room and enough free
// allocations, the one with the most memory left. It fails with CONFLICT and says what is missing.
func (s *Service) Place(ctx context.Context, need Need, ports int) (*ent.Node, error) {
	ctx = viewer.System(ctx, s.Logger, "place a server")
	all, err := tx.Client(ctx, s.Client).Node.Query().Order(node.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Conflict, "There is no node yet: create one with createNode and run the command it shows on a machine.")
	}
	ready := slices.DeleteFunc(slices.Clone(all), func(n *ent.Node) bool { return !n.Online || n.Maintenance })
	if len(ready) == 0 {
		return nil, fault.New(fault.NodeOffline, "No node is online and out of maintenance: start the agent on one, or end its maintenance.")
	}
	ids := make([]string, len(ready))
	for i, n := range ready {
		ids[i] = n.ID
	}
	given, err := s.allocated(ctx, ids)
	if err != nil {
		return nil, err
	}
	ready = slices.DeleteFunc(ready, func(n *ent.Node) bool { return !Fits(n, given[n.ID], need) })
	if len(ready) == 0 {
		return nil, fault.New(fault.Conflict, "No node has room for this server: ask for less memory, CPU or disk, raise a node's limits, or add a node.")
	}
	free, err := s.freePorts(ctx, ids)
	if err != nil {
		return nil, err
	}
	ready = slices.DeleteFunc(ready, func(n *ent.Node) bool { return free[n.ID] < ports })
	if len(ready) == 0 {
		return nil, fault.New(fault.Conflict, "No node with room has %d free ports: add some with createAllocations.", ports)
	}
	return slices.MaxFunc(ready, func(a, b *ent.Node) int {
		return int((a.MemoryLimit-given[a.ID].Memory)>>20) - int((b.MemoryLimit-given[b.ID].Memory)>>20)
	}), nil
}

// CheckRoom fails with CONFLICT when the node has no room for a need beside what it has given away.
func (s *Service) CheckRoom(ctx context.Context, n *ent.Node, need Need) error {
	given, err := s.allocated(ctx, []string{n.ID})
	if err != nil {
		return err
	}
	if !Fits(n, given[n.ID], need) {
		return fault.New(fault.Conflict, "The node %s has no room for this server: ask for less memory, CPU or disk, raise the node's limits, or choose another node.", n.Name)
	}
	return nil
}

// now is the present in the precision that is stored.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
