package servers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// maxCommandBytes is the longest command; a console line is not longer either.
	maxCommandBytes = 8 << 10
	// callTimeout bounds one call of an agent.
	callTimeout = 10 * time.Second
)

// SendCommand writes one line to a server's standard input; it appears in the console as an INPUT line. It needs
// console.write and fails with CONFLICT when the server does not run. That it was sent is in the audit trail, what is in
// the console only: it may hold a password.
func (s *Service) SendCommand(ctx context.Context, id, command string) (*ent.Server, error) {
	e := deed("server.command", id)
	if err := s.may(ctx, e, access.ConsoleWrite); err != nil {
		return nil, err
	}
	switch {
	case len(command) > maxCommandBytes:
		return nil, fault.Input("command", "A command may be %d bytes long at the most.", maxCommandBytes)
	case strings.ContainsAny(command, "\r\n\x00"):
		return nil, fault.Input("command", "A command is one line: send several commands one by one.")
	}
	sv, err := s.running(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.input(ctx, sv, command); err != nil {
		return nil, err
	}
	// The program has it: a caller who has gone meanwhile takes nothing back, and leaves no gap in the trail.
	return sv, s.trail.Do(context.WithoutCancel(ctx), e, func(context.Context, *ent.Tx, *audit.Entry) error { return nil })
}

// running reads a server whose program can be spoken to.
func (s *Service) running(ctx context.Context, id string) (*ent.Server, error) {
	sv, err := s.Client.Server.Query().Where(server.ID(id)).Only(viewer.System(ctx, nil, "read the server of a command"))
	if ent.IsNotFound(err) {
		return nil, fault.Missing("server")
	}
	if err != nil {
		return nil, fmt.Errorf("read server: %w", err)
	}
	if !sv.State.Alive() {
		return nil, fault.New(fault.Conflict, "The server does not run: it is %s. Start it first.", word(sv.State))
	}
	return sv, nil
}

// input has the node write a line to a program.
func (s *Service) input(ctx context.Context, sv *ent.Server, line string) error {
	client, err := s.Link.Client(sv.NodeID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = client.SendInput(ctx, connect.NewRequest(&protocol.SendInputRequest{ServerId: sv.ID, Text: line}))
	return callFault(err)
}

// callFault says what a failed call of an agent means to a user.
func callFault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	switch connect.CodeOf(err) {
	case connect.CodeFailedPrecondition, connect.CodeNotFound:
		return fault.New(fault.Conflict, "The server does not run: start it first.").Wrap(err)
	case connect.CodeDeadlineExceeded:
		return fault.New(fault.Timeout, "The server did not take it in time: its program may not be reading commands.").Wrap(err)
	case connect.CodeUnavailable, connect.CodeCanceled:
		return fault.New(fault.NodeOffline, "The connection to the server's node was lost: try again when it is back.").Wrap(err)
	default:
		return err
	}
}
