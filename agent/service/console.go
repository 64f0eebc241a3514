package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/supervisor"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// Lines are sent at once while there are few: a flow may send a batch each batchTime, and so many ahead of that
	// when it was quiet (a command and its answer must not wait for each other). After that, lines wait until it is
	// time, or there are batchLines of them.
	batchTime  = 20 * time.Millisecond
	batchAhead = 5
	batchLines = 64
	// Bounds of one batch.
	maxBatchLines = 512
	maxBatchBytes = 256 << 10
	// retryRead is how long a flow waits after its console could not be read.
	retryRead = time.Second
)

// consoleStream is the part of the stream that the flows share.
type consoleStream struct {
	service *Service
	mu      sync.Mutex // held while sending; first come, first served
	stream  *connect.BidiStream[protocol.ConsoleRequest, protocol.ConsoleResponse]
}

// flow is one server's share of a console stream.
type flow struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (f *flow) stop() {
	f.cancel()
	<-f.done
}

// Console streams the lines of the servers that the panel names, each from where it says, for as long as the stream
// lives. A message with a stored number and no after number only says how far the panel has come.
func (s *Service) Console(ctx context.Context, stream *connect.BidiStream[protocol.ConsoleRequest, protocol.ConsoleResponse]) error {
	ctx, cancel := context.WithCancel(ctx)
	shared := &consoleStream{service: s, stream: stream}
	flows := make(map[string]*flow)
	defer func() {
		cancel()
		for _, f := range flows {
			f.stop()
		}
	}()
	for {
		req, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		id := req.GetServerId()
		if !validServer(id) {
			return s.fail(ctx, fault.New(fault.BadUserInput, "A server's id is needed to follow its console."))
		}
		if req.GetStored() > 0 && req.GetAfter() == 0 && !req.GetStop() {
			continue // the log keeps to its own bounds
		}
		if old := flows[id]; old != nil {
			old.stop()
			delete(flows, id)
		}
		if !req.GetStop() {
			flows[id] = shared.begin(ctx, id, req.GetAfter())
		}
	}
}

// begin starts a server's flow, which ends with the context or its stop.
func (c *consoleStream) begin(ctx context.Context, id string, after uint64) *flow {
	ctx, cancel := context.WithCancel(ctx)
	f := &flow{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		if err := c.service.config.Supervisor.Advance(ctx, id, after); err != nil && ctx.Err() == nil {
			c.service.config.Logger.LogAttrs(ctx, slog.LevelWarn, "console numbers do not go on after the panel's",
				slog.String("server_id", id), slog.Any("error", err))
		}
		c.follow(ctx, id, after)
	}()
	return f
}

// follow sends a server's lines after a number until the context or the stream ends.
func (c *consoleStream) follow(ctx context.Context, id string, after uint64) {
	tail := c.service.config.Supervisor.Console(id)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		err := c.pump(ctx, tail, timer, id, &after)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.service.config.Logger.LogAttrs(ctx, slog.LevelWarn, "console cannot be read, trying again",
			slog.String("server_id", id), slog.Any("error", err))
		wait(ctx, timer, retryRead)
	}
}

// pump reads and sends; it returns nil when the stream has ended, and an error when the log could not be read.
func (c *consoleStream) pump(ctx context.Context, tail *supervisor.Tail, timer *time.Timer, id string, after *uint64) error {
	reader, err := console.OpenReader(tail.Dir)
	if err != nil {
		return err
	}
	defer reader.Close()
	var pace pacer
	for {
		changed := tail.Changed()
		lines, missing, err := reader.ReadAfter(*after, maxBatchLines, maxBatchBytes)
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			select {
			case <-changed:
			case <-ctx.Done():
				return nil
			}
			gather(ctx, tail, timer, pace.delay(time.Now()), *after)
			continue
		}
		if err := c.send(ctx, id, lines, missing); err != nil {
			return nil
		}
		*after = lines[len(lines)-1].Seq
		pace.spend(time.Now())
	}
}

// pacer says when the next batch may be sent; see batchTime.
type pacer struct {
	ahead float64 // batches that may be sent at once
	at    time.Time
}

func (p *pacer) refill(now time.Time) {
	p.ahead = min(batchAhead, p.ahead+float64(now.Sub(p.at))/float64(batchTime))
	p.at = now
}

// delay returns how long to gather lines before the next batch.
func (p *pacer) delay(now time.Time) time.Duration {
	p.refill(now)
	if p.ahead >= 1 {
		return 0
	}
	return time.Duration((1 - p.ahead) * float64(batchTime))
}

// spend counts a batch that was sent. Those of a backlog are not held back, and so count no more than one.
func (p *pacer) spend(now time.Time) {
	p.refill(now)
	p.ahead = max(0, p.ahead-1)
}

// gather waits until a batch is worth sending: until the rest of its time is over, or there are batchLines.
func gather(ctx context.Context, tail *supervisor.Tail, timer *time.Timer, rest time.Duration, after uint64) {
	if rest <= 0 {
		return
	}
	timer.Reset(rest)
	for tail.Last() < after+batchLines {
		changed := tail.Changed()
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (c *consoleStream) send(ctx context.Context, id string, lines []console.Line, missing uint64) error {
	batch := &protocol.ConsoleResponse{ServerId: id, Missing: missing, Lines: make([]*protocol.ConsoleLine, len(lines))}
	for i, line := range lines {
		batch.Lines[i] = &protocol.ConsoleLine{
			Seq:    line.Seq,
			AtUs:   line.At.UnixMicro(),
			Stream: protocol.Stream(protocol.Stream_value["STREAM_"+string(line.Stream)]),
			Text:   line.Text,
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.stream.Send(batch)
}

// wait waits for a time or the context.
func wait(ctx context.Context, timer *time.Timer, d time.Duration) {
	timer.Reset(d)
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
