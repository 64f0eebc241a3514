package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// answerTimeout bounds a question to one node: a list of servers must not wait for a node that is slow.
const answerTimeout = 2 * time.Second

// Link reaches the agents.
type Link interface {
	// Client calls a node's agent, or fails with NODE_OFFLINE.
	Client(nodeID string) (protocol.AgentServiceClient, error)
}

// Gate opens a context that lives as long as the viewer keeps a right.
type Gate interface {
	Open(ctx context.Context, p access.Permission, t access.Target) (context.Context, func(), error)
}

// Config is what the service needs.
type Config struct {
	Client *ent.Client
	Link   Link
	Gate   Gate
	Logger *slog.Logger
	// Dialect is the SQL dialect of the database, in ent's terms.
	Dialect string
	// Retention says how long points are kept.
	Retention Retention
}

// Service owns samples.
type Service struct {
	Config

	// flows outlive the watcher that started them, but not the service.
	run    context.Context //nolint:containedctx // the life of the flows, which belong to no single call
	cancel context.CancelFunc
	wait   sync.WaitGroup
	mu     sync.Mutex
	flows  map[source]*flow
}

// New returns the service. Its flows end with ctx or with Close.
func New(ctx context.Context, cfg Config) *Service {
	s := &Service{Config: cfg, flows: make(map[source]*flow)}
	s.run, s.cancel = context.WithCancel(ctx)
	return s
}

// Close ends all flows and waits for them.
func (s *Service) Close() {
	s.cancel()
	s.wait.Wait()
}

// Stats is one sample of a server.
type Stats struct {
	At time.Time
	// CPUPercent is in percent of one core.
	CPUPercent float64
	// MemoryBytes are in use; MemoryLimit is 0 when there is none, and MemoryPercent then too.
	MemoryBytes, MemoryLimit int64
	MemoryPercent            float64
	// NetworkRxBytes and NetworkTxBytes count since the program started.
	NetworkRxBytes, NetworkTxBytes int64
	// DiskBytes are in use; DiskLimit is 0 when there is none.
	DiskBytes, DiskLimit int64
	Processes            int
	Uptime               time.Duration
}

// NodeUsage is one sample of a node.
type NodeUsage struct {
	At time.Time
	// CPUPercent is in percent of one core.
	CPUPercent             float64
	MemoryBytes, DiskBytes int64
	// NetworkRxBytes and NetworkTxBytes count since the node booted.
	NetworkRxBytes, NetworkTxBytes int64
}

// Latest returns the present samples of those of the servers that the viewer may see, that run, and whose node
// answers. It asks each node once.
func (s *Service) Latest(ctx context.Context, serverIDs []string) (map[string]*Stats, error) {
	rows, err := s.Client.Server.Query().Where(server.IDIn(serverIDs...)).Select(server.FieldID, server.FieldNodeID, server.FieldState).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read servers: %w", err)
	}
	byNode := make(map[string][]string)
	for _, sv := range rows {
		if sv.State.Alive() {
			byNode[sv.NodeID] = append(byNode[sv.NodeID], sv.ID)
		}
	}
	var mu sync.Mutex
	out := make(map[string]*Stats, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	for nodeID, ids := range byNode {
		group.Go(func() error {
			answer := s.ask(ctx, nodeID, &protocol.StatsRequest{ServerIds: ids})
			mu.Lock()
			defer mu.Unlock()
			for _, sample := range answer.GetSamples() {
				if slices.Contains(ids, sample.GetServerId()) { // a node speaks about its own servers only
					out[sample.GetServerId()] = statsOf(sample)
				}
			}
			return nil
		})
	}
	return out, group.Wait()
}

// ask returns a node's answer; an empty one when it cannot be reached, which is no error for a list or a flow.
func (s *Service) ask(ctx context.Context, nodeID string, question *protocol.StatsRequest) *protocol.StatsResponse {
	client, err := s.Link.Client(nodeID)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	answer, err := client.Stats(ctx, connect.NewRequest(question))
	if err != nil {
		s.Logger.DebugContext(ctx, "a node did not answer with samples", slog.String("node_id", nodeID), slog.Any("error", err))
		return nil
	}
	return answer.Msg
}

// FollowServer sends a sample of a server every second while it runs. It needs server.read and blocks until ctx ends,
// the right is lost, or send fails.
func (s *Service) FollowServer(ctx context.Context, id string, send func(*Stats) error) error {
	ctx, closeGate, err := s.Gate.Open(ctx, access.ServerRead, access.On(id))
	if err != nil {
		return err
	}
	defer closeGate()
	sv, err := s.Client.Server.Get(viewer.System(ctx, nil, "find the node of a stream"), id)
	if err != nil {
		return fmt.Errorf("read server: %w", err)
	}
	return s.follow(ctx, source{node: sv.NodeID, server: id}, func(sample *protocol.StatsSample) error {
		return send(statsOf(sample))
	})
}

// FollowNode sends a sample of a node every second while it is online. It needs node.read and blocks like FollowServer.
func (s *Service) FollowNode(ctx context.Context, id string, send func(*NodeUsage) error) error {
	ctx, closeGate, err := s.Gate.Open(ctx, access.NodeRead, access.On(id))
	if err != nil {
		return err
	}
	defer closeGate()
	return s.follow(ctx, source{node: id}, func(u *protocol.StatsSample) error {
		return send(&NodeUsage{
			At: at(u), CPUPercent: u.GetCpuPercent(), MemoryBytes: u.GetMemoryBytes(), DiskBytes: u.GetDiskBytes(),
			NetworkRxBytes: u.GetNetworkRxBytes(), NetworkTxBytes: u.GetNetworkTxBytes(),
		})
	})
}

func statsOf(s *protocol.StatsSample) *Stats {
	out := &Stats{
		At: at(s), CPUPercent: s.GetCpuPercent(), MemoryBytes: s.GetMemoryBytes(), MemoryLimit: s.GetMemoryLimit(),
		NetworkRxBytes: s.GetNetworkRxBytes(), NetworkTxBytes: s.GetNetworkTxBytes(),
		DiskBytes: s.GetDiskBytes(), DiskLimit: s.GetDiskLimit(), Processes: int(s.GetProcesses()),
		Uptime: time.Duration(s.GetUptimeMs()) * time.Millisecond,
	}
	if out.MemoryLimit > 0 {
		out.MemoryPercent = 100 * float64(out.MemoryBytes) / float64(out.MemoryLimit)
	}
	return out
}

func at(s *protocol.StatsSample) time.Time { return protocol.Time(s.GetAtUs()) }
