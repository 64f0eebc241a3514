package nodes

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql/sqlgraph"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/allocation"
	"github.com/catalyst-panel/catalyst/ent/location"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// The widths of the columns, in bytes, and what else is bounded.
const (
	maxNodeName     = 64
	maxLocationName = 64
	maxDescription  = 1024
	maxAddress      = 255
	maxLabels       = 64
	maxLabelKey     = 63
	maxLabelValue   = 255
	// maxLimit is what a JSON number holds without loss.
	maxLimit = 1<<53 - 1
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
type Service struct {
	Config
	trail audit.Trail
}

// New returns the service.
func New(cfg Config) *Service {
	return &Service{Config: cfg, trail: audit.Trail{Client: cfg.Client, Logger: cfg.Logger}}
}

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
	e := audit.Entry{Action: "node.create", TargetType: "Node"}
	if err := access.Check(ctx, s.Client, access.NodeCreate, access.Anywhere); err != nil {
		return nil, nil, s.trail.Refused(ctx, e, err)
	}
	fields := UpdateInput{
		Name: &in.Name, LocationID: &in.LocationID, PublicAddress: &in.PublicAddress, MemoryLimit: &in.MemoryLimit,
		CPULimit: &in.CPULimit, DiskLimit: &in.DiskLimit, Overcommit: in.Overcommit, Labels: in.Labels, Maintenance: in.Maintenance,
	}
	if err := s.validate(ctx, fields); err != nil {
		return nil, nil, err
	}
	e.Details = map[string]any{"name": in.Name}
	var made *ent.Node
	var enrolment *Enrolment
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		create := t.Node.Create()
		fields.apply(create.Mutation())
		saved, err := create.Save(ctx)
		if err != nil {
			return storeNode(err)
		}
		if enrolment, err = s.issue(ctx, t, saved.ID); err != nil {
			return err
		}
		e.TargetID = saved.ID
		made = saved.Unwrap()
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return made, enrolment, nil
}

// Update changes a node. It needs node.update. Lower limits do not touch the servers that are there.
func (s *Service) Update(ctx context.Context, in UpdateInput) (*ent.Node, error) {
	e := audit.Entry{Action: "node.update", TargetType: "Node", TargetID: in.ID}
	if err := access.Check(ctx, s.Client, access.NodeUpdate, access.On(in.ID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if err := s.validate(ctx, in); err != nil {
		return nil, err
	}
	var changed *ent.Node
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		update := t.Node.UpdateOneID(in.ID)
		in.apply(update.Mutation())
		e.Details = map[string]any{"changed": update.Mutation().Fields()}
		saved, err := update.Save(ctx)
		if err != nil {
			return storeNode(err)
		}
		changed = saved.Unwrap()
		return nil
	})
	return changed, err
}

// storeNode says what a failed write of a node means.
func storeNode(err error) error {
	switch {
	case ent.IsNotFound(err):
		return fault.Missing("node")
	case sqlgraph.IsForeignKeyConstraintError(err):
		return fault.New(fault.NotFound, "There is no such location, or you may not see it: create one with createLocation.").Wrap(err)
	case ent.IsConstraintError(err):
		return fault.New(fault.Conflict, "There already is a node with this name: choose another one.").Wrap(err)
	}
	return fmt.Errorf("store node: %w", err)
}

// DeleteInput says how a node is deleted.
type DeleteInput struct {
	ID string
	// Force gives up servers that were deleted but which the node has not removed: for a node that will not return.
	Force bool
}

// Delete removes a node; its agent's key is worth nothing from then on. It needs node.delete and fails with CONFLICT
// while servers are on the node; unless forced, those that wait for the node to remove them included.
func (s *Service) Delete(ctx context.Context, in DeleteInput) error {
	id := in.ID
	e := audit.Entry{Action: "node.delete", TargetType: "Node", TargetID: id}
	if err := access.Check(ctx, s.Client, access.NodeDelete, access.On(id)); err != nil {
		return s.trail.Refused(ctx, e, err)
	}
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		sys := viewer.System(ctx, s.Logger, "delete a node")
		row, err := t.Node.Get(sys, id)
		if ent.IsNotFound(err) {
			return fault.Missing("node")
		}
		if err != nil {
			return fmt.Errorf("read node: %w", err)
		}
		e.Details = map[string]any{"name": row.Name}
		if err := s.vacate(sys, t, in, e); err != nil {
			return err
		}
		err = t.Node.DeleteOneID(id).Exec(ctx)
		switch {
		case ent.IsNotFound(err):
			return fault.Missing("node")
		case ent.IsConstraintError(err):
			return occupied("A server has just come").Wrap(err)
		case err != nil:
			return fmt.Errorf("delete node: %w", err)
		}
		return nil
	})
	if err == nil && s.Recheck != nil {
		s.Recheck(context.WithoutCancel(ctx), id)
	}
	return err
}

// vacate removes what a node that is to be deleted still has, or says why it cannot go.
func (s *Service) vacate(ctx context.Context, t *ent.Tx, in DeleteInput, e *audit.Entry) error {
	waiting, err := t.Server.Query().Where(server.NodeID(in.ID), server.DeletedAtNotNil()).IDs(ctx)
	if err != nil {
		return fmt.Errorf("find deleted servers of the node: %w", err)
	}
	there, err := t.Server.Query().Where(server.NodeID(in.ID), server.DeletedAtIsNil()).Count(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("count servers of the node: %w", err)
	case there > 0:
		return occupied(fmt.Sprintf("%d servers are", there))
	case len(waiting) > 0 && !in.Force:
		return fault.New(fault.Conflict, "%d servers were deleted but wait for this node to remove them, which it does when it returns. "+
			"If it will not return, delete it with force.", len(waiting))
	case len(waiting) > 0:
		e.Details["abandoned"] = waiting
		if _, err := t.Server.Delete().Where(server.IDIn(waiting...), server.DeletedAtNotNil()).Exec(ctx); err != nil {
			return fmt.Errorf("give up deleted servers: %w", err)
		}
	}
	ports, err := t.Allocation.Query().Where(allocation.NodeID(in.ID)).IDs(ctx)
	if err != nil {
		return fmt.Errorf("find allocations of the node: %w", err)
	}
	for _, id := range ports { // one by one, since each deletion is announced
		if err := t.Allocation.DeleteOneID(id).Exec(ctx); err != nil {
			return fmt.Errorf("delete allocation: %w", err)
		}
	}
	return nil
}

// occupied is the refusal to delete a node; who begins the sentence.
func occupied(who string) *fault.Error {
	return fault.New(fault.Conflict, "%s on this node: delete them or transfer them to another node first.", who)
}

// validate checks the fields that are given.
func (s *Service) validate(ctx context.Context, in UpdateInput) error {
	if in.Name != nil {
		name, err := text.Name("name", "the node", *in.Name, maxNodeName)
		if err != nil {
			return err
		}
		*in.Name = name
	}
	if in.PublicAddress != nil {
		*in.PublicAddress = strings.TrimSpace(*in.PublicAddress)
		if *in.PublicAddress == "" || strings.ContainsAny(*in.PublicAddress, " /@") || text.Line("", in.PublicAddress, maxAddress) != nil {
			return fault.Input("publicAddress", "Give the host name or IP address at which players reach the node.")
		}
	}
	for _, n := range []struct {
		field string
		value *int64
	}{{"memoryLimit", in.MemoryLimit}, {"diskLimit", in.DiskLimit}, {"cpuLimit", wide(in.CPULimit)}} {
		if n.value != nil && (*n.value < 0 || *n.value > maxLimit) {
			return fault.Input(n.field, "A limit must be from 0, which is none, to %d.", int64(maxLimit))
		}
	}
	if err := checkLabels(in.Labels); err != nil {
		return err
	}
	if in.Overcommit != nil && !(*in.Overcommit >= 0.1 && *in.Overcommit <= 100) {
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

// checkLabels bounds a node's labels.
func checkLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return fault.Input("labels", "A node may have %d labels at the most.", maxLabels)
	}
	for key, value := range labels {
		if key == "" || text.Line("", &key, maxLabelKey) != nil || text.Line("", &value, maxLabelValue) != nil {
			return fault.Input("labels", "A label has a name of 1 to %d bytes and a value of up to %d bytes, both on one line.", maxLabelKey, maxLabelValue)
		}
	}
	return nil
}

func wide(n *int) *int64 {
	if n == nil {
		return nil
	}
	return new(int64(*n))
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

// now is the present in the precision that is stored.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
