package servers

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// verb is one power action: what it needs and what it makes of a server.
type verb struct {
	action     string
	permission access.Permission
	// decide returns the state that the server enters at once, or why it may not.
	decide func(sv *ent.Server) (kind.ServerState, error)
	power  kind.Power
	// starts is whether it asks for a new instance of the program.
	starts bool
	reason string
}

// The power actions.
var (
	start = verb{
		action: "server.start", permission: access.ServerStart, power: kind.PowerRun, starts: true, reason: "asked to start",
		decide: func(sv *ent.Server) (kind.ServerState, error) {
			switch sv.State {
			case kind.ServerStateStarting, kind.ServerStateRunning:
				return "", fault.New(fault.Conflict, "The server is %s already: use restartServer for a fresh start.", word(sv.State))
			case kind.ServerStateStopping:
				return kind.ServerStateStopping, startable(sv)
			case kind.ServerStateStopped, kind.ServerStateCrashed, kind.ServerStateError, kind.ServerStateInstalling,
				kind.ServerStateTransferring, kind.ServerStateRestoring:
			}
			return kind.ServerStateStarting, startable(sv)
		},
	}
	stop = verb{
		action: "server.stop", permission: access.ServerStop, power: kind.PowerStop, reason: "asked to stop",
		decide: func(sv *ent.Server) (kind.ServerState, error) {
			switch sv.State {
			case kind.ServerStateStarting, kind.ServerStateRunning, kind.ServerStateStopping:
				return kind.ServerStateStopping, nil
			case kind.ServerStateCrashed:
				// It may be about to be started again.
				return kind.ServerStateStopping, nil
			case kind.ServerStateStopped, kind.ServerStateError, kind.ServerStateInstalling,
				kind.ServerStateTransferring, kind.ServerStateRestoring:
			}
			return "", fault.New(fault.Conflict, "The server does not run: it is %s.", word(sv.State))
		},
	}
	restart = verb{
		action: "server.restart", permission: access.ServerRestart, power: kind.PowerRun, starts: true, reason: "asked to restart",
		decide: func(sv *ent.Server) (kind.ServerState, error) {
			if sv.State.Alive() {
				return kind.ServerStateStopping, startable(sv)
			}
			return kind.ServerStateStarting, startable(sv)
		},
	}
	kill = verb{
		action: "server.kill", permission: access.ServerKill, power: kind.PowerKill, reason: "asked to stop at once",
		decide: func(sv *ent.Server) (kind.ServerState, error) {
			switch sv.State {
			case kind.ServerStateStopped:
				return kind.ServerStateStopped, nil
			case kind.ServerStateTransferring, kind.ServerStateRestoring:
				return "", busy(sv)
			case kind.ServerStateInstalling, kind.ServerStateStarting, kind.ServerStateRunning, kind.ServerStateStopping,
				kind.ServerStateCrashed, kind.ServerStateError:
			}
			return kind.ServerStateStopping, nil
		},
	}
)

// Start starts a server. It needs server.start and fails with CONFLICT when the server runs, is suspended or is busy.
func (s *Service) Start(ctx context.Context, id string) (*ent.Server, error) {
	return s.do(ctx, id, start)
}

// Stop stops a server as its template says. It needs server.stop and fails with CONFLICT when it does not run.
func (s *Service) Stop(ctx context.Context, id string) (*ent.Server, error) {
	return s.do(ctx, id, stop)
}

// Restart stops a server that runs and starts it. It needs server.restart.
func (s *Service) Restart(ctx context.Context, id string) (*ent.Server, error) {
	return s.do(ctx, id, restart)
}

// Kill stops a server at once and drops whatever was asked of it before. It needs server.kill, and succeeds on a
// server that does not run.
func (s *Service) Kill(ctx context.Context, id string) (*ent.Server, error) {
	return s.do(ctx, id, kill)
}

// do carries out a power action: the wish is stored, the state changes, the node is told.
func (s *Service) do(ctx context.Context, id string, v verb) (*ent.Server, error) {
	e := deed(v.action, id)
	if err := s.may(ctx, e, v.permission); err != nil {
		return nil, err
	}
	return s.change(ctx, e, func(ctx context.Context, t *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error {
		to, err := v.decide(sv)
		if err != nil {
			return err
		}
		if err := online(ctx, t, sv); err != nil {
			return err
		}
		if err := enter(u, sv, to, v.reason); err != nil {
			return err
		}
		u.SetPower(v.power).AddGeneration(1)
		if v.starts {
			u.AddRun(1).SetPendingRestart(false)
		}
		s.deliver(ctx, sv)
		return nil
	})
}

// startable refuses a server that may not run now.
func startable(sv *ent.Server) error {
	if sv.Suspended {
		return fault.New(fault.Conflict, "The server is suspended: an administrator must unsuspend it first.")
	}
	if sv.State.Busy() {
		return busy(sv)
	}
	return nil
}

func busy(sv *ent.Server) error {
	return fault.New(fault.Conflict, "The server is %s: wait until that has ended, or cancel it.", word(sv.State))
}

// online fails with NODE_OFFLINE unless the server's node is connected.
func online(ctx context.Context, t *ent.Tx, sv *ent.Server) error {
	n, err := t.Node.Get(viewer.System(ctx, nil, "look whether a node is online"), sv.NodeID)
	if err != nil {
		return fmt.Errorf("read the server's node: %w", err)
	}
	if !n.Online {
		return fault.New(fault.NodeOffline, "The server's node is offline: try again when its agent is connected.")
	}
	return nil
}

// words are the states in a sentence.
var words = map[kind.ServerState]string{
	kind.ServerStateInstalling: "being installed", kind.ServerStateStopped: "stopped", kind.ServerStateStarting: "starting",
	kind.ServerStateRunning: "running", kind.ServerStateStopping: "stopping", kind.ServerStateCrashed: "crashed",
	kind.ServerStateTransferring: "being transferred", kind.ServerStateRestoring: "being restored",
	kind.ServerStateError: "in error",
}

func word(s kind.ServerState) string { return words[s] }
