package console

import (
	"context"
	"fmt"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serverlog"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// recent is how many lines a follower gets who does not say from where.
	recent = 1000
	// replayLines is how many lines a replay reads at once.
	replayLines = 500
	// followBuffer is how many events wait for a follower before it goes back to the database.
	followBuffer = 128
)

// textCleaner replaces what a text column cannot hold.
var textCleaner = strings.NewReplacer("\x00", "\uFFFD")

// Follow sends the lines of a server's console: first those that are stored after the sequence number after (the last
// 1,000 when it is nil), then every new one, without gap or double. It needs console.read, blocks, and returns the
// reason: the end of ctx, the loss of the right, or send's error.
func (s *Service) Follow(ctx context.Context, serverID string, after *uint64, send func(Batch) error) error {
	ctx, closeGate, err := s.Gate.Open(ctx, access.ConsoleRead, access.On(serverID))
	if err != nil {
		return err
	}
	defer closeGate()
	begin, err := s.start(ctx, serverID, after)
	if err != nil {
		return err
	}
	return s.Tail(ctx, serverID, begin, send)
}

// Tail is Follow for callers that have checked the right and keep watching it.
func (s *Service) Tail(ctx context.Context, serverID string, after uint64, send func(Batch) error) error {
	sub, err := topic.Subscribe(ctx, s.Bus, serverID, bus.Options{Buffer: followBuffer, Policy: bus.Mark})
	if err != nil {
		return fmt.Errorf("follow a console: %w", err)
	}
	defer sub.Close()
	f := follower{service: s, serverID: serverID, position: after, send: send}
	if err := f.replay(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-sub.Gap():
			if err := f.replay(ctx); err != nil {
				return err
			}
		case event, ok := <-sub.C():
			if !ok {
				return context.Cause(ctx)
			}
			if err := f.live(ctx, event); err != nil {
				return err
			}
		}
	}
}

// start returns the sequence number after which a follower begins. One who has seen more than is stored, because the
// database came from a backup, begins at the end: else nothing would come until the numbers have caught up.
func (s *Service) start(ctx context.Context, serverID string, after *uint64) (uint64, error) {
	last, err := s.Last(ctx, serverID)
	if after != nil {
		return min(*after, last), err
	}
	return last - min(last, recent), err
}

// Last returns the number of the last line of a server that is stored; 0 when there is none.
func (s *Service) Last(ctx context.Context, serverID string) (uint64, error) {
	last, err := s.Client.Server.Query().Where(server.ID(serverID)).Select(server.FieldConsoleSeq).Int(
		viewer.System(ctx, nil, "console position"))
	if ent.IsNotFound(err) {
		return 0, fault.Missing("server")
	}
	if err != nil {
		return 0, fmt.Errorf("read console position: %w", err)
	}
	return uint64(max(0, last)), nil
}

// follower is one reader's place in a console.
type follower struct {
	service  *Service
	serverID string
	position uint64
	// begun is whether anything was sent: lines before the first are not missing, they were not asked for.
	begun bool
	send  func(Batch) error
}

// live takes an event from the bus: what comes next is passed on, what was seen is passed over, and before what comes
// too early the database is read.
func (f *follower) live(ctx context.Context, event *stored) error {
	lines := event.Lines
	if lines[len(lines)-1].Seq <= f.position {
		return nil
	}
	if lines[0].Seq > f.position+1 {
		return f.replay(ctx)
	}
	if lines[0].Seq == f.position+1 {
		return f.pass(Batch{Lines: lines, Texts: &event.texts})
	}
	for lines[0].Seq <= f.position {
		lines = lines[1:]
	}
	return f.pass(Batch{Lines: lines})
}

// replay sends what is stored after the position, until there is no more.
func (f *follower) replay(ctx context.Context) error {
	for {
		lines, err := f.service.after(ctx, f.serverID, f.position, replayLines)
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			return nil
		}
		if err := f.pass(Batch{Lines: lines}); err != nil {
			return err
		}
		if len(lines) < replayLines {
			return nil
		}
	}
}

// pass sends a batch and counts the lines that are missing before it.
func (f *follower) pass(batch Batch) error {
	if f.begun || f.position > 0 {
		batch.Skipped = batch.Lines[0].Seq - f.position - 1
	}
	f.begun = true
	f.position = batch.Lines[len(batch.Lines)-1].Seq
	return f.send(batch)
}

// after reads stored lines. The caller has checked the right, which the gate keeps true.
func (s *Service) after(ctx context.Context, serverID string, seq uint64, limit int) ([]Line, error) {
	rows, err := s.Client.ServerLog.Query().
		Where(serverlog.ServerID(serverID), serverlog.SeqGT(int64(min(seq, 1<<62)))).
		Order(serverlog.BySeq()).Limit(limit).All(viewer.System(ctx, nil, "replay a console"))
	if err != nil {
		return nil, fmt.Errorf("read console lines: %w", err)
	}
	return linesOf(rows), nil
}
