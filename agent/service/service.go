package service

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/spool"
	"github.com/catalyst-panel/catalyst/agent/supervisor"
	"github.com/catalyst-panel/catalyst/agent/system"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// maxRequest bounds one message of the panel: a Sync of thousands of servers fits.
	maxRequest = 32 << 20
	// applyAtOnce is how many servers of a Sync are applied at the same time.
	applyAtOnce = 8
	// maxLastLines bounds the last lines in a digest, in bytes, well below the 16 MiB that an answer may have.
	maxLastLines = 8 << 20
)

// Backups are the backups on the node. backup.Keeper has them.
type Backups interface {
	// RemoveServer removes all backups of a server.
	RemoveServer(ctx context.Context, serverID string) error
}

// Config is what a Service needs.
type Config struct {
	// NodeID is the node's TypeID.
	NodeID string
	// Version is that of the agent's build.
	Version string
	// RuntimeName is how the node's runtime is called.
	RuntimeName string
	// Dir lies on the file system that holds the servers.
	Dir string
	// Supervisor owns the servers.
	Supervisor *supervisor.Supervisor
	// Backups are the backups on the node.
	Backups Backups
	// Spool holds the events.
	Spool *spool.Spool
	// Node samples the node's own use.
	Node *system.Sampler
	// Logger is for operators.
	Logger *slog.Logger
}

// Service answers the panel's calls.
type Service struct {
	config    Config
	receivers sync.WaitGroup
}

var _ protocol.AgentServiceHandler = (*Service)(nil)

// New returns a service.
func New(config Config) *Service { return &Service{config: config} }

// Register makes the service answer on a mux. Messages are not compressed: they are small or already compact, and
// latency matters more.
func (s *Service) Register(mux *http.ServeMux) {
	mux.Handle(protocol.NewAgentServiceHandler(s, connect.WithReadMaxBytes(maxRequest), connect.WithCompression("gzip", nil, nil)))
}

// Wait returns when nothing of the streams that have ended is left. It is called after the last link has ended.
func (s *Service) Wait() { s.receivers.Wait() }

// Hello agrees on the version and describes the node.
func (s *Service) Hello(ctx context.Context, req *connect.Request[protocol.HelloRequest]) (*connect.Response[protocol.HelloResponse], error) {
	if v := req.Msg.GetVersion(); v != protocol.Version {
		return nil, s.fail(ctx, fault.New(fault.Conflict,
			"The panel speaks version %d of the agent protocol, this agent version %d: install matching releases.", v, protocol.Version))
	}
	if id := req.Msg.GetNodeId(); id != s.config.NodeID {
		return nil, s.fail(ctx, fault.New(fault.Conflict, "The panel takes this node for another one: check that the agent's directory was not copied."))
	}
	return connect.NewResponse(&protocol.HelloResponse{
		Version:      protocol.Version,
		AgentVersion: s.config.Version,
		System:       system.Info(ctx, s.config.Dir),
		EventEpoch:   s.config.Spool.Epoch(),
		Runtime:      s.config.RuntimeName,
	}), nil
}

// Sync applies every server that the panel names. One that cannot be applied does not keep the others from it: the
// digest shows what is held.
func (s *Service) Sync(ctx context.Context, req *connect.Request[protocol.SyncRequest]) (*connect.Response[protocol.SyncResponse], error) {
	var group errgroup.Group
	group.SetLimit(applyAtOnce)
	for _, server := range req.Msg.GetServers() {
		group.Go(func() error {
			if _, err := s.config.Supervisor.Apply(ctx, server.GetSpec(), server.GetDesired()); err != nil && ctx.Err() == nil {
				s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "server is not applied",
					slog.String("server_id", server.GetSpec().GetServerId()), slog.Any("error", err))
			}
			return nil
		})
	}
	_ = group.Wait() // it never fails
	digest := s.config.Supervisor.Digest()
	abridge(digest, maxLastLines)
	return connect.NewResponse(&protocol.SyncResponse{Servers: digest}), nil
}

// abridge leaves last lines out of a digest once those before have so many bytes together: hundreds of crashed servers must
// not make it larger than the panel takes, which has the lines from the events.
func abridge(digest []*protocol.Observed, most int) {
	for _, o := range digest {
		for _, line := range o.GetLastLines() {
			most -= len(line)
		}
		if most < 0 {
			o.LastLines = nil
		}
	}
}

// ApplyServer applies one server.
func (s *Service) ApplyServer(ctx context.Context, req *connect.Request[protocol.ApplyServerRequest]) (*connect.Response[protocol.ApplyServerResponse], error) {
	observed, err := s.config.Supervisor.Apply(ctx, req.Msg.GetSpec(), req.Msg.GetDesired())
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return connect.NewResponse(&protocol.ApplyServerResponse{Observed: observed}), nil
}

// RemoveServer removes one server and returns when it is gone.
func (s *Service) RemoveServer(ctx context.Context, req *connect.Request[protocol.RemoveServerRequest]) (*connect.Response[protocol.RemoveServerResponse], error) {
	if err := s.config.Backups.RemoveServer(ctx, req.Msg.GetServerId()); err != nil {
		return nil, s.fail(ctx, err)
	}
	if err := s.config.Supervisor.Remove(ctx, req.Msg.GetServerId(), req.Msg.GetKeepFiles()); err != nil {
		return nil, s.fail(ctx, err)
	}
	return connect.NewResponse(&protocol.RemoveServerResponse{}), nil
}

// SendInput writes one line to a running server.
func (s *Service) SendInput(ctx context.Context, req *connect.Request[protocol.SendInputRequest]) (*connect.Response[protocol.SendInputResponse], error) {
	seq, err := s.config.Supervisor.Input(ctx, req.Msg.GetServerId(), req.Msg.GetText())
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return connect.NewResponse(&protocol.SendInputResponse{Seq: seq}), nil
}

// ResetCrashCount forgets a server's crashes.
func (s *Service) ResetCrashCount(ctx context.Context, req *connect.Request[protocol.ResetCrashCountRequest]) (*connect.Response[protocol.ResetCrashCountResponse], error) {
	if err := s.config.Supervisor.ResetCrashCount(ctx, req.Msg.GetServerId()); err != nil {
		return nil, s.fail(ctx, err)
	}
	return connect.NewResponse(&protocol.ResetCrashCountResponse{}), nil
}

// fail turns an error into one of the wire. A fault keeps its sentence; anything else is logged here and told without
// details.
func (s *Service) fail(ctx context.Context, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return connect.NewError(protocol.ConnectCode(f.Code), errors.New(f.Message))
	}
	if errors.Is(err, context.Canceled) {
		return connect.NewError(connect.CodeCanceled, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return connect.NewError(connect.CodeDeadlineExceeded, errors.New("The node did not get it done in time: try again."))
	}
	s.config.Logger.LogAttrs(ctx, slog.LevelError, "call failed", slog.Any("error", err))
	return connect.NewError(connect.CodeInternal, errors.New("The node could not do it: its agent's log says why."))
}

func validServer(id string) bool { return kind.ValidID(kind.PrefixServer, id) }
