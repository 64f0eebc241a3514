package servers

import (
	"context"
	"fmt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// followBuffer is how many state changes wait for a follower before the oldest is left out.
const followBuffer = 256

// Follow sends the state changes of a server, in order. It needs server.read and blocks until ctx ends, the right is
// lost, or send fails. One who may have missed changes is sent the state that they led to.
func (s *Service) Follow(ctx context.Context, id string, send func(StateChange) error) error {
	ctx, closeGate, err := s.Gate.Open(ctx, access.ServerRead, access.On(id))
	if err != nil {
		return err
	}
	defer closeGate()
	sub, err := stateTopic.Subscribe(ctx, s.Bus, id, bus.Options{Buffer: followBuffer, Policy: bus.Latest})
	if err != nil {
		return fmt.Errorf("follow states: %w", err)
	}
	defer sub.Close()
	f := stateFollower{send: send}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case c, ok := <-sub.C():
			if !ok {
				return context.Cause(ctx)
			}
			if err := f.pass(c); err != nil {
				return err
			}
		case <-sub.Gap():
			if err := f.catchUp(ctx, s, id, sub.C()); err != nil {
				return err
			}
		}
	}
}

// stateFollower knows what its reader was sent last.
type stateFollower struct {
	send func(StateChange) error
	last StateChange
}

// pass sends a change that was not sent already.
func (f *stateFollower) pass(c StateChange) error {
	if c.State == f.last.State && c.At.Equal(f.last.At) {
		return nil
	}
	f.last = c
	return f.send(c)
}

// catchUp sends what still waits, then what is stored, which is no older.
func (f *stateFollower) catchUp(ctx context.Context, s *Service, id string, waiting <-chan StateChange) error {
	for {
		select {
		case c, ok := <-waiting:
			if !ok {
				return context.Cause(ctx)
			}
			if err := f.pass(c); err != nil {
				return err
			}
			continue
		default:
		}
		break
	}
	sv, err := s.Client.Server.Get(viewer.System(ctx, nil, "read the state of a server that is followed"), id)
	if ent.IsNotFound(err) {
		return fault.Missing("server")
	}
	if err != nil {
		return fmt.Errorf("read server: %w", err)
	}
	previous := f.last.State
	if previous == "" {
		previous = sv.State // nothing was sent yet: all that is known is where it led
	}
	return f.pass(StateChange{ServerID: id, State: sv.State, Previous: previous, At: sv.StateChangedAt, Reason: sv.StateReason})
}
