package servers

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// lastWords is how long the console is waited for after an installation has ended: its last lines come on their own way.
	lastWords = 500 * time.Millisecond
	// maxMessage is the longest message of an installation's progress, in bytes.
	maxMessage = 1024
)

// InstallProgress is a step of an installation: its state, how far it is from 0 to 1, a message, and what it has written to
// the console since the step before.
type InstallProgress struct {
	State    kind.ServerState
	Progress float64
	Message  string
	Lines    []console.Line
}

// progress is what a node tells of an installation.
type progress struct {
	Progress float64 `json:"p"`
	Message  string  `json:"m"`
}

// installTopic carries the progress of installations, by server.
var installTopic = bus.NewTopic[progress]("install-progress")

// Installing passes on what a node tells of an installation. Word of another node's servers is dropped.
func (s *Service) Installing(ctx context.Context, nodeID string, p *protocol.InstallProgress) error {
	ctx = viewer.System(ctx, nil, "progress of an installation")
	ours, err := s.Client.Server.Query().
		Where(server.ID(p.GetServerId()), server.NodeID(nodeID), server.StateEQ(kind.ServerStateInstalling)).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for the server of an installation: %w", err)
	}
	far := p.GetProgress()
	if !ours || math.IsNaN(far) {
		return nil
	}
	return installTopic.Publish(ctx, s.Bus, p.GetServerId(), progress{
		Progress: min(max(far, 0), 1), Message: text.Clean(p.GetMessage(), maxMessage),
	})
}

// FollowInstall sends the progress of a server's installation: how it stands, then each step, and as the last one how it
// ended. It needs console.read, since it shows the console, and blocks until then, until ctx ends, or the right is lost.
func (s *Service) FollowInstall(ctx context.Context, id string, send func(InstallProgress) error) error {
	ctx, closeGate, err := s.Gate.Open(ctx, access.ConsoleRead, access.On(id))
	if err != nil {
		return err
	}
	defer closeGate()
	states, err := stateTopic.Subscribe(ctx, s.Bus, id, bus.Options{Buffer: followBuffer, Policy: bus.Latest})
	if err != nil {
		return fmt.Errorf("follow states: %w", err)
	}
	defer states.Close()
	steps, err := installTopic.Subscribe(ctx, s.Bus, id, bus.Options{Buffer: followBuffer, Policy: bus.Latest})
	if err != nil {
		return fmt.Errorf("follow an installation: %w", err)
	}
	defer steps.Close()
	sv, err := s.stored(ctx, id)
	if err != nil {
		return err
	}
	f := installFollower{service: s, id: id, send: send, now: InstallProgress{State: sv.State, Message: sv.StateReason}}
	if sv.State != kind.ServerStateInstalling {
		return f.end(sv.State, sv.StateReason)
	}
	if err := send(f.now); err != nil {
		return err
	}
	return f.follow(ctx, sv, states, steps)
}

// stored reads a server, whoever may see it.
func (s *Service) stored(ctx context.Context, id string) (*ent.Server, error) {
	sv, err := s.Client.Server.Get(viewer.System(ctx, nil, "read a server that is followed"), id)
	if ent.IsNotFound(err) {
		return nil, fault.Missing("server")
	}
	if err != nil {
		return nil, fmt.Errorf("read server: %w", err)
	}
	return sv, nil
}

// installFollower knows how far its reader is.
type installFollower struct {
	service *Service
	id      string
	send    func(InstallProgress) error
	now     InstallProgress
}

// follow passes on steps and lines until the server has left INSTALLING.
func (f *installFollower) follow(
	ctx context.Context, sv *ent.Server, states *bus.Subscription[StateChange], steps *bus.Subscription[progress],
) error {
	lines, stop := f.lines(ctx, uint64(sv.InstallSeq))
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case c, ok := <-states.C():
			switch {
			case !ok:
				return context.Cause(ctx)
			case c.State != kind.ServerStateInstalling:
				return f.finish(ctx, c.State, c.Reason, lines)
			}
		case <-states.Gap():
			sv, err := f.service.stored(ctx, f.id)
			if err != nil {
				return err
			}
			if sv.State != kind.ServerStateInstalling {
				return f.finish(ctx, sv.State, sv.StateReason, lines)
			}
		case p, ok := <-steps.C():
			if !ok {
				return context.Cause(ctx)
			}
			if f.now.Progress = max(f.now.Progress, p.Progress); p.Message != "" {
				f.now.Message = p.Message
			}
			if err := f.send(f.now); err != nil {
				return err
			}
		case batch := <-lines:
			if err := f.pass(batch); err != nil {
				return err
			}
		}
	}
}

// pass sends lines.
func (f *installFollower) pass(batch []console.Line) error {
	step := f.now
	step.Lines = batch
	return f.send(step)
}

// finish sends the last lines, and the end.
func (f *installFollower) finish(ctx context.Context, state kind.ServerState, reason string, lines <-chan []console.Line) error {
	quiet := time.NewTimer(lastWords)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case batch := <-lines:
			if err := f.pass(batch); err != nil {
				return err
			}
		case <-quiet.C:
			return f.end(state, reason)
		}
	}
}

// end sends how it ended.
func (f *installFollower) end(state kind.ServerState, reason string) error {
	f.now.State, f.now.Message = state, reason
	if installed(kind.ServerStateInstalling, state, reason) {
		f.now.Progress = 1
	}
	return f.send(f.now)
}

// lines reads the console after a line beside the caller; stop ends that and waits for it.
func (f *installFollower) lines(ctx context.Context, after uint64) (lines <-chan []console.Line, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	out, done := make(chan []console.Line), make(chan struct{})
	go func() {
		defer close(done)
		// Its errors are those of its end: what else there is to tell comes as a state.
		_ = f.service.Console.Tail(ctx, f.id, after, func(b console.Batch) error {
			select {
			case out <- b.Lines:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}()
	return out, func() { cancel(); <-done }
}
