package agentlink

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

const (
	maxQueuedEvents     = 512
	maxQueuedEventBytes = 4 << 20
	// maxSeq is the highest sequence number of an event or a line that is believed: it fits every database's integers.
	maxSeq = 1 << 62
)

// receiveEvents keeps the Events stream up while the link lives.
func (s *session) receiveEvents(ctx context.Context, epoch string, acked uint64) {
	select {
	case <-s.synced:
	case <-ctx.Done():
		return
	}
	s.keepUp(ctx, "events", func(ctx context.Context) error {
		return s.eventStream(ctx, epoch, &acked)
	})
}

// keepUp runs a stream again and again, with growing pauses after failures, until the session ends.
func (s *session) keepUp(ctx context.Context, name string, run func(context.Context) error) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		began := time.Now()
		err := run(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > s.link.timing.RetryMax {
			attempt = 0
		}
		s.log.WarnContext(ctx, "a stream of a node has ended early; it is opened again",
			slog.String("stream", name), slog.Any("error", err))
		if sleep(ctx, s.link.timing.pause(attempt)) != nil {
			return
		}
	}
}

// eventStream takes events in, stores them and acknowledges what is stored. It returns when the stream has ended.
func (s *session) eventStream(ctx context.Context, epoch string, acked *uint64) error {
	group, ctx := errgroup.WithContext(ctx)
	stream := s.streams.Events(ctx)
	if err := stream.Send(&protocol.EventsRequest{Acknowledged: *acked}); err != nil {
		_ = stream.CloseResponse()
		return fmt.Errorf("open the stream: %w", err)
	}
	arrived := newQueue[*protocol.EventsResponse](maxQueuedEvents, maxQueuedEventBytes)
	group.Go(func() error {
		for {
			event, err := stream.Receive()
			if err != nil {
				return fmt.Errorf("receive: %w", err)
			}
			if err := arrived.put(ctx, event, proto.Size(event)); err != nil {
				return err
			}
		}
	})
	group.Go(func() error {
		for {
			events, err := arrived.take(ctx)
			if err != nil {
				return err
			}
			if err := s.storeEvents(ctx, stream, epoch, events, acked); err != nil {
				return err
			}
		}
	})
	err := group.Wait()
	_ = stream.CloseRequest()
	_ = stream.CloseResponse()
	return err
}

func (s *session) storeEvents(
	ctx context.Context,
	stream *connect.BidiStreamForClient[protocol.EventsRequest, protocol.EventsResponse],
	epoch string,
	events []*protocol.EventsResponse,
	acked *uint64,
) error {
	last := *acked
	fresh := events[:0]
	for _, event := range events {
		if event.GetSeq() <= last || event.GetSeq() > maxSeq {
			continue // sent again, out of order or nonsense: the agent is told what is acknowledged
		}
		last = event.GetSeq()
		if s.ownEvent(ctx, event) {
			fresh = append(fresh, event)
		}
	}
	if len(fresh) > 0 {
		err := s.persist(ctx, "store events", func(ctx context.Context) error {
			return s.link.cfg.Reports.Events(ctx, s.nodeID, epoch, fresh)
		})
		if err != nil {
			return err
		}
	}
	*acked = last
	if err := stream.Send(&protocol.EventsRequest{Acknowledged: last}); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// ownEvent takes out of an event what is about servers that are obviously not this node's, and reports whether anything
// is left.
func (s *session) ownEvent(ctx context.Context, event *protocol.EventsResponse) bool {
	switch e := event.GetEvent().(type) {
	case *protocol.EventsResponse_ServerState:
		return s.owns(ctx, e.ServerState.GetServerId())
	case *protocol.EventsResponse_InstallProgress:
		return s.owns(ctx, e.InstallProgress.GetServerId())
	case *protocol.EventsResponse_FileActivity:
		return s.owns(ctx, e.FileActivity.GetServerId())
	case *protocol.EventsResponse_RestoreProgress:
		return s.owns(ctx, e.RestoreProgress.GetServerId())
	case *protocol.EventsResponse_Usage:
		own := e.Usage.GetServers()[:0]
		for _, sample := range e.Usage.GetServers() {
			if s.owns(ctx, sample.GetServerId()) {
				own = append(own, sample)
			}
		}
		e.Usage.Servers = own
		return true
	case *protocol.EventsResponse_Dropped:
		return true
	default:
		return false // of a newer agent: nothing here can store it
	}
}
