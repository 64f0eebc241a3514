package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

const (
	// maxUnacknowledged is how many events are sent ahead of the panel's acknowledgement.
	maxUnacknowledged = 1024
	// Bounds of one reading of the spool.
	eventsAtOnce     = 256
	eventBytesAtOnce = 256 << 10
)

// acks is how far the panel has stored the events of one stream.
type acks struct {
	seq  atomic.Uint64
	news chan struct{} // holds one token when seq has grown
	err  error         // why there will be no more; valid once ended is closed
	done chan struct{}
}

// Events sends the spooled events that follow the number that the panel's first message names, and then what happens.
// It stops ahead of a panel that does not acknowledge.
func (s *Service) Events(ctx context.Context, stream *connect.BidiStream[protocol.EventsRequest, protocol.EventsResponse]) error {
	first, err := stream.Receive()
	if err != nil {
		return err
	}
	cursor := first.GetAcknowledged()
	if err := s.config.Spool.Ack(cursor); err != nil {
		return s.fail(ctx, err)
	}
	a := &acks{news: make(chan struct{}, 1), done: make(chan struct{})}
	a.seq.Store(cursor)
	// The receiver ends with the stream, which ends with this method.
	s.receivers.Go(func() { s.receiveAcks(stream, a) })
	for {
		changed := s.config.Spool.Changed()
		cursor, err = s.sendEvents(stream, cursor, a)
		if err != nil {
			return s.fail(ctx, err)
		}
		select {
		case <-changed:
		case <-a.news:
		case <-a.done:
			return a.err
		case <-ctx.Done():
			return s.fail(ctx, ctx.Err())
		}
	}
}

// sendEvents sends what the spool has after the cursor and the window allows, and returns the new cursor.
func (s *Service) sendEvents(stream *connect.BidiStream[protocol.EventsRequest, protocol.EventsResponse], cursor uint64, a *acks) (uint64, error) {
	for {
		acknowledged := a.seq.Load()
		if cursor >= acknowledged+maxUnacknowledged {
			return cursor, nil
		}
		room := int(acknowledged + maxUnacknowledged - cursor)
		events, err := s.config.Spool.ReadAfter(cursor, min(room, eventsAtOnce), eventBytesAtOnce)
		if err != nil || len(events) == 0 {
			return cursor, err
		}
		for _, event := range events {
			if err := stream.Send(event); err != nil {
				return cursor, err
			}
			cursor = event.GetSeq()
		}
	}
}

func (s *Service) receiveAcks(stream *connect.BidiStream[protocol.EventsRequest, protocol.EventsResponse], a *acks) {
	defer close(a.done)
	for {
		message, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			a.err = err
			return
		}
		seq := message.GetAcknowledged()
		if seq > s.config.Spool.Last() {
			a.err = connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("event %d was acknowledged, but never sent", seq))
			return
		}
		if seq <= a.seq.Load() {
			continue
		}
		if err := s.config.Spool.Ack(seq); err != nil {
			a.err = err
			return
		}
		a.seq.Store(seq)
		select {
		case a.news <- struct{}{}:
		default:
		}
	}
}
