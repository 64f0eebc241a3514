package administration

import (
	"context"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/alert"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// patience is how long a part may take to answer.
	patience = 2 * time.Second
	// questions is how many nodes are asked at once.
	questions = 16
)

// Link reaches the agents.
type Link interface {
	// Client calls a node's agent, or fails with NODE_OFFLINE.
	Client(nodeID string) (protocol.AgentServiceClient, error)
}

// Config is what the service needs.
type Config struct {
	Client *ent.Client
	Link   Link
	// Database and Bus ask whether the database and the event bus answer.
	Database, Bus func(ctx context.Context) error
	// Version is the panel's.
	Version string
}

// Service answers how a panel is doing.
type Service struct {
	Config

	begun time.Time
}

// New returns the service.
func New(cfg Config) *Service { return &Service{Config: cfg, begun: time.Now()} }

// Stats is how much of everything there is.
type Stats struct {
	Users, SuspendedUsers        int
	Servers                      int
	ServersByState               []StateCount
	Nodes, NodesOnline           int
	Memory, Disk                 Total
	CPU                          Processors
	Templates, Locations, Alerts int
}

// StateCount is how many servers are in a state.
type StateCount struct {
	State kind.ServerState
	Count int
}

// Total is what nodes have of a resource and what of it was given to servers, in bytes.
type Total struct{ Limit, Allocated int64 }

// Processors are what nodes have and what of it was given to servers, in percent of one core.
type Processors struct{ Limit, Allocated int }

// Stats counts everything. It needs admin.read.
func (s *Service) Stats(ctx context.Context) (*Stats, error) {
	if err := access.Check(ctx, s.Client, access.AdminRead, access.Anywhere); err != nil {
		return nil, err
	}
	sys := viewer.System(ctx, nil, "count everything")
	out := &Stats{}
	for _, count := range []struct {
		into *int
		of   func(context.Context) (int, error)
	}{
		{&out.Users, s.Client.User.Query().Count},
		{&out.SuspendedUsers, s.Client.User.Query().Where(user.Suspended(true)).Count},
		{&out.Nodes, s.Client.Node.Query().Count},
		{&out.NodesOnline, s.Client.Node.Query().Where(node.Online(true)).Count},
		{&out.Templates, s.Client.Template.Query().Count},
		{&out.Locations, s.Client.Location.Query().Count},
	} {
		n, err := count.of(sys)
		if err != nil {
			return nil, fmt.Errorf("count: %w", err)
		}
		*count.into = n
	}
	if err := s.servers(sys, out); err != nil {
		return nil, err
	}
	return out, s.limits(sys, out)
}

// servers counts the servers by their states, and adds up what they were given.
func (s *Service) servers(ctx context.Context, out *Stats) error {
	var rows []struct {
		State  kind.ServerState `json:"state"`
		Count  int              `json:"count"`
		Memory int64            `json:"memory"`
		Disk   int64            `json:"disk"`
		CPU    int              `json:"cpu"`
	}
	err := s.Client.Server.Query().Where(server.DeletedAtIsNil()).GroupBy(server.FieldState).Aggregate(
		ent.As(ent.Count(), "count"), ent.As(ent.Sum(server.FieldMemory), "memory"), ent.As(ent.Sum(server.FieldDisk), "disk"),
		ent.As(ent.Sum(server.FieldCPU), "cpu")).Scan(ctx, &rows)
	if err != nil {
		return fmt.Errorf("count servers: %w", err)
	}
	counted := map[kind.ServerState]int{}
	for _, r := range rows {
		counted[r.State] = r.Count
		out.Servers += r.Count
		out.Memory.Allocated += r.Memory
		out.Disk.Allocated += r.Disk
		out.CPU.Allocated += r.CPU
	}
	for _, name := range kind.ServerState("").Values() {
		out.ServersByState = append(out.ServersByState, StateCount{kind.ServerState(name), counted[kind.ServerState(name)]})
	}
	return nil
}

// limits adds up what nodes have.
func (s *Service) limits(ctx context.Context, out *Stats) error {
	rows, err := s.Client.Node.Query().Select(node.FieldMemoryLimit, node.FieldDiskLimit, node.FieldCPULimit).All(ctx)
	if err != nil {
		return fmt.Errorf("read what nodes have: %w", err)
	}
	for _, n := range rows {
		out.Memory.Limit += n.MemoryLimit
		out.Disk.Limit += n.DiskLimit
		out.CPU.Limit += n.CPULimit
	}
	open, err := s.Client.Alert.Query().Where(alert.Resolved(false)).Count(ctx)
	if err != nil {
		return fmt.Errorf("count alerts: %w", err)
	}
	out.Alerts = open
	return nil
}

// Health is whether what a panel is made of answers.
type Health struct {
	Version       string
	Uptime        time.Duration
	Healthy       bool
	Database, Bus Part
	Nodes         []NodeHealth
}

// Part is one thing that a panel is made of.
type Part struct {
	Healthy bool
	Latency time.Duration
	// Error says why it does not answer; nil when it does.
	Error *string
}

// NodeHealth is whether a node answers.
type NodeHealth struct {
	Node *ent.Node
	Part
}

// Health asks everything at once. It needs admin.read.
func (s *Service) Health(ctx context.Context) (*Health, error) {
	if err := access.Check(ctx, s.Client, access.AdminRead, access.Anywhere); err != nil {
		return nil, err
	}
	out := &Health{Version: s.Version, Uptime: time.Since(s.begun).Round(time.Second)}
	var asked sync.WaitGroup
	asked.Go(func() { out.Database = ask(ctx, "The database does not answer.", s.Database) })
	asked.Go(func() { out.Bus = ask(ctx, "The event bus does not answer.", s.Bus) })
	asked.Wait()
	out.Healthy = out.Database.Healthy && out.Bus.Healthy
	if !out.Database.Healthy {
		return out, nil // nobody knows the nodes then
	}
	rows, err := s.Client.Node.Query().Order(node.ByName()).All(viewer.System(ctx, nil, "ask the nodes"))
	if err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	out.Nodes = make([]NodeHealth, len(rows))
	turns := make(chan struct{}, questions)
	for i, n := range rows {
		turns <- struct{}{}
		asked.Go(func() {
			defer func() { <-turns }()
			out.Nodes[i] = NodeHealth{n, ask(ctx, "The node does not answer.", func(ctx context.Context) error { return s.ping(ctx, n.ID) })}
		})
	}
	asked.Wait()
	return out, nil
}

func (s *Service) ping(ctx context.Context, nodeID string) error {
	client, err := s.Link.Client(nodeID)
	if err != nil {
		return err
	}
	_, err = client.Stats(ctx, connect.NewRequest(&protocol.StatsRequest{}))
	return err
}

// ask measures how long a part takes to answer.
func ask(ctx context.Context, otherwise string, question func(context.Context) error) Part {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begun := time.Now()
	if err := question(ctx); err != nil {
		return Part{Latency: time.Since(begun), Error: &otherwise}
	}
	return Part{Healthy: true, Latency: time.Since(begun)}
}
