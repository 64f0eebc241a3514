package servers

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	maxReasonBytes = 1024
	maxLastLines   = 100
)

// states translates the wire's states.
var states = map[protocol.State]kind.ServerState{
	protocol.State_STATE_INSTALLING: kind.ServerStateInstalling, protocol.State_STATE_STOPPED: kind.ServerStateStopped,
	protocol.State_STATE_STARTING: kind.ServerStateStarting, protocol.State_STATE_RUNNING: kind.ServerStateRunning,
	protocol.State_STATE_STOPPING: kind.ServerStateStopping, protocol.State_STATE_CRASHED: kind.ServerStateCrashed,
	protocol.State_STATE_TRANSFERRING: kind.ServerStateTransferring, protocol.State_STATE_RESTORING: kind.ServerStateRestoring,
	protocol.State_STATE_ERROR: kind.ServerStateError,
}

// Observed takes in what a node reports of its servers. Reports about other nodes' servers, about deleted ones and of
// an older generation are passed over.
func (s *Service) Observed(ctx context.Context, nodeID string, reports []*protocol.Observed) error {
	ctx = viewer.System(ctx, nil, "report of a node")
	for _, o := range reports {
		if err := s.observe(ctx, nodeID, o); err != nil {
			return err
		}
	}
	return nil
}

// maxGeneration is the highest generation and run that is believed of a node.
const maxGeneration = 1 << 53

// overtake is for a node that knows more than the panel: the panel's database came from a backup. What the panel wants
// gets a newer number than the node has seen, or the node would pass over every order for ever.
func (s *Service) overtake(ctx context.Context, sv *ent.Server, u *ent.ServerUpdateOne, o *protocol.Observed) error {
	if o.GetGeneration() > maxGeneration || o.GetRun() > maxGeneration {
		return errStale
	}
	s.Logger.WarnContext(ctx, "a node has seen newer orders than are stored here; they are given anew",
		slog.String("server_id", sv.ID), slog.Uint64("node_has", o.GetGeneration()), slog.Int64("stored", sv.Generation))
	u.SetGeneration(int64(o.GetGeneration()) + 1).SetRun(max(sv.Run, int64(o.GetRun())))
	s.deliver(ctx, sv)
	return nil
}

func (s *Service) observe(ctx context.Context, nodeID string, o *protocol.Observed) error {
	state, known := states[o.GetState()]
	if !known {
		return nil
	}
	ours, err := s.Client.Server.Query().Where(server.ID(o.GetServerId()), server.NodeID(nodeID), server.DeletedAtIsNil()).Exist(ctx)
	if err != nil {
		return err
	}
	if !ours {
		s.Logger.WarnContext(ctx, "passed over a report about a server that is not the node's",
			slog.String("node_id", nodeID), slog.String("server_id", o.GetServerId()))
		return nil
	}
	_, err = s.change(ctx, deed("", o.GetServerId()), func(ctx context.Context, _ *ent.Tx, sv *ent.Server, u *ent.ServerUpdateOne) error {
		if o.GetGeneration() > uint64(sv.Generation) {
			return s.overtake(ctx, sv, u, o)
		}
		if o.GetGeneration() != uint64(sv.Generation) || s.outdated(o) {
			return errStale
		}
		return s.accept(ctx, sv, u, o, state)
	})
	var missing *fault.Error
	if errors.Is(err, errStale) || (errors.As(err, &missing) && missing.Code == fault.NotFound) {
		return nil
	}
	return err
}

// report is what is remembered of the last report that was taken in.
type report struct {
	generation uint64
	atUs       int64
}

// outdated reports whether a later report of the server was taken in already: the digest of a new link overtakes the
// events that the node still has to send. Times are the node's own, compared with each other only, and within one
// generation only: a clock that was set back must not freeze the server's state. The caller holds the server's mutex.
func (s *Service) outdated(o *protocol.Observed) bool {
	last, _ := s.reported.Load(o.GetServerId())
	if r, ok := last.(report); ok && r.generation == o.GetGeneration() && o.GetAtUs() < r.atUs {
		return true
	}
	s.reported.Store(o.GetServerId(), report{o.GetGeneration(), o.GetAtUs()})
	return false
}

// errStale ends a unit of work whose report says nothing about what is wanted now.
var errStale = errors.New("the report says nothing about what is wanted now")

// accept writes a report of the present generation.
func (s *Service) accept(ctx context.Context, sv *ent.Server, u *ent.ServerUpdateOne, o *protocol.Observed, state kind.ServerState) error {
	if sv.State != state {
		if !kind.CanFollow(sv.State, state) {
			s.Logger.ErrorContext(ctx, "refused a state that cannot follow", slog.String("server_id", sv.ID),
				slog.String("from", string(sv.State)), slog.String("to", string(state)))
			return errStale
		}
		u.SetState(state).SetStateReason(clean(o.GetReason())).SetStateChangedAt(protocol.Time(o.GetAtUs()))
		if installed(sv.State, state, o.GetReason()) {
			u.SetInstalledAt(now())
		}
		if state == kind.ServerStateStarting { // anew, and not still: what was changed meanwhile waits for the next start
			u.SetPendingRestart(false)
		}
	}
	u.SetObservedGeneration(sv.Generation).SetCrashCount(int(max(0, o.GetCrashCount()))).SetOomKilled(o.GetOomKilled())
	if o.ExitCode != nil {
		u.SetExitCode(int(o.GetExitCode()))
	}
	if lines := o.GetLastLines(); len(lines) > 0 {
		kept := make([]string, 0, min(len(lines), maxLastLines))
		for _, l := range lines[max(0, len(lines)-maxLastLines):] {
			kept = append(kept, strings.ReplaceAll(strings.ToValidUTF8(l, "\uFFFD"), "\x00", "\uFFFD"))
		}
		u.SetLastLines(kept)
	}
	return nil
}

// clean makes a node's text fit for the column: valid, without NUL, bounded.
func clean(reason string) string {
	reason = strings.ReplaceAll(strings.ToValidUTF8(reason, "\uFFFD"), "\x00", "\uFFFD")
	if len(reason) > maxReasonBytes {
		reason = strings.ToValidUTF8(reason[:maxReasonBytes], "")
	}
	return reason
}
