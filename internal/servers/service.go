package servers

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Link reaches the agents.
type Link interface {
	// Dirty makes what is wanted of a server reach its node soon; it never blocks.
	Dirty(ctx context.Context, nodeID, serverID string)
	// Client calls a node's agent, or fails with NODE_OFFLINE.
	Client(nodeID string) (protocol.AgentServiceClient, error)
}

// Gate opens a context that lives as long as the viewer keeps a right.
type Gate interface {
	Open(ctx context.Context, p access.Permission, t access.Target) (context.Context, func(), error)
}

// Placement finds room for servers.
type Placement interface {
	// Place chooses and holds the node of a new server.
	Place(ctx context.Context, t *ent.Tx, need nodes.Need) (*ent.Node, error)
	// Reserve holds a node and fails with CONFLICT when it has no room.
	Reserve(ctx context.Context, t *ent.Tx, nodeID string, need nodes.Need) error
	// Claim gives allocations to a server.
	Claim(ctx context.Context, t *ent.Tx, nodeID, serverID string, allocationIDs []string, count int) error
}

// Console is the stored console. console.Service is one.
type Console interface {
	// Last returns the number of the last line of a server.
	Last(ctx context.Context, serverID string) (uint64, error)
	// Tail sends the lines after a number, until ctx ends; the caller has checked the right.
	Tail(ctx context.Context, serverID string, after uint64, send func(console.Batch) error) error
	// Forget removes the console of a server that goes.
	Forget(ctx context.Context, serverID string) error
}

// Config is what the service needs.
type Config struct {
	Client *ent.Client
	Bus    *bus.Bus
	Link   Link
	Gate   Gate
	Nodes  Placement
	// Console is where the programs' output is.
	Console Console
	// Backups knows how servers are restored.
	Backups Backups
	// Files write what an answer to a program's question needs.
	Files  Files
	Logger *slog.Logger
}

// Service owns the servers.
type Service struct {
	Config

	// order keeps the announcements of a server in the order of their commits: whoever changes a state holds the
	// server's mutex from before the transaction until the announcement is out.
	order [256]sync.Mutex
	// reported is the last report of each server (string to report).
	reported sync.Map
	trail    audit.Trail
}

// New returns the service.
func New(cfg Config) *Service {
	return &Service{Config: cfg, trail: audit.Trail{Client: cfg.Client, Logger: cfg.Logger}}
}

// StateChange is one step in a server's life.
type StateChange struct {
	ServerID string           `json:"serverId"`
	State    kind.ServerState `json:"state"`
	Previous kind.ServerState `json:"previous"`
	At       time.Time        `json:"at"`
	Reason   string           `json:"reason"`
}

// stateTopic carries state changes, by server.
var stateTopic = bus.NewTopic[StateChange]("server-state")

// now is the present in the precision that is stored.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// alone keeps other changes of the same server in this process away until unlock is called.
func (s *Service) alone(id string) (unlock func()) {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	m := &s.order[h%uint32(len(s.order))]
	m.Lock()
	return m.Unlock
}

// deed is the audit entry of an action on a server. Without an action nothing is recorded.
func deed(action, id string) audit.Entry {
	return audit.Entry{Action: action, TargetType: ent.TypeServer, TargetID: id, ServerID: id}
}

// may checks the caller's right to do something to a server; a refusal goes into the audit trail.
func (s *Service) may(ctx context.Context, e audit.Entry, p access.Permission) error {
	if err := access.Check(ctx, s.Client, p, access.On(e.TargetID)); err != nil {
		return s.trail.Refused(ctx, e, err)
	}
	if !kind.ValidID(kind.PrefixServer, e.TargetID) { // something else that the caller may see
		return fault.Missing("server")
	}
	return nil
}

// change runs fn on a locked server within a unit of work, stores what it wrote into the update, and records the deed.
// The caller's right was checked before.
func (s *Service) change(ctx context.Context, e audit.Entry, fn func(ctx context.Context, t *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error) (*ent.Server, error) {
	id := e.TargetID
	defer s.alone(id)()
	var changed *ent.Server
	err := s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		// A write is the lock that both dialects know.
		held, err := t.Server.Update().Where(server.ID(id), server.DeletedAtIsNil()).SetUpdatedAt(now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("lock server: %w", err)
		}
		if held == 0 {
			return fault.Missing("server")
		}
		sv, err := t.Server.Get(viewer.System(ctx, nil, "read a locked server"), id)
		if err != nil {
			return fmt.Errorf("read server: %w", err)
		}
		u := t.Server.UpdateOneID(id)
		if err := fn(ctx, t, sv, u); err != nil {
			return err
		}
		if e.Action == actionUpdate {
			e.Details = map[string]any{"changed": u.Mutation().Fields()}
		}
		saved, err := u.Save(ctx)
		if err != nil {
			return fmt.Errorf("store server: %w", err)
		}
		if saved.State != sv.State {
			if err := s.announce(ctx, saved, sv.State); err != nil {
				return err
			}
		}
		changed = saved.Unwrap()
		return nil
	})
	return changed, err
}

// announce publishes a state change after the commit, here and to those outside who want to hear of it.
func (s *Service) announce(ctx context.Context, sv *ent.Server, previous kind.ServerState) error {
	c := StateChange{
		ServerID: sv.ID, State: sv.State, Previous: previous, At: sv.StateChangedAt, Reason: sv.StateReason,
	}
	tx.AfterCommit(ctx, func(ctx context.Context) {
		if err := stateTopic.Publish(ctx, s.Bus, c.ServerID, c); err != nil {
			s.Logger.ErrorContext(ctx, "could not announce a state", slog.String("server_id", c.ServerID), slog.Any("error", err))
		}
	})
	told := events.Event{
		Name: events.ServerState, ServerID: sv.ID, NodeID: sv.NodeID, Text: "The server is " + word(sv.State) + ".",
		Data: map[string]any{"state": sv.State, "previous": previous, "reason": sv.StateReason},
	}
	if sv.StateReason != "" {
		told.Text = "The server is " + word(sv.State) + ": " + sv.StateReason
	}
	if sv.State == kind.ServerStateCrashed {
		told.Name = events.ServerCrashed
		told.Data["exitCode"], told.Data["oomKilled"], told.Data["lastLines"] = sv.ExitCode, sv.OomKilled, tail(sv.LastLines)
	}
	return events.Emit(ctx, told)
}

// tail is the end of what a program has written: enough to see why it ended.
func tail(lines []string) []string { return lines[max(0, len(lines)-20):] }

// deliver makes what is wanted of the server reach its node after the commit.
func (s *Service) deliver(ctx context.Context, sv *ent.Server) {
	nodeID, id := sv.NodeID, sv.ID
	tx.AfterCommit(ctx, func(ctx context.Context) { s.Link.Dirty(ctx, nodeID, id) })
}

// enter writes a state into an update, or fails with CONFLICT when it cannot follow.
func enter(u *ent.ServerUpdateOne, sv *ent.Server, to kind.ServerState, reason string) error {
	if sv.State == to {
		return nil
	}
	if !kind.CanFollow(sv.State, to) {
		return fault.New(fault.Conflict, "The server cannot become %s while it is %s.", to, sv.State)
	}
	u.SetState(to).SetStateReason(reason).SetStateChangedAt(now())
	return nil
}
