package metrics

import (
	"context"
	"log/slog"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

// retryFlow is how long a flow waits before it tries a node again that is offline or has broken off.
const retryFlow = time.Second

// source names what a flow samples: one server of a node, or the node itself.
type source struct{ node, server string }

// flow is one stream of samples from a node, shared by everyone who watches. The service's mutex guards watchers.
type flow struct {
	watchers map[chan *protocol.StatsSample]struct{}
	stop     context.CancelFunc
}

// follow passes on the samples of a source until ctx ends. Who is slow misses samples, not the latest one.
func (s *Service) follow(ctx context.Context, from source, send func(*protocol.StatsSample) error) error {
	samples := make(chan *protocol.StatsSample, 1)
	s.join(from, samples) //nolint:contextcheck // a flow lives as long as anybody watches, not as long as the first one
	defer s.leave(from, samples)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.run.Done():
			return context.Cause(s.run) //nolint:contextcheck // it is the cause of the end that is asked for
		case sample := <-samples:
			if err := send(sample); err != nil {
				return err
			}
		}
	}
}

// join adds a watcher, and starts the flow for the first one.
func (s *Service) join(from source, watcher chan *protocol.StatsSample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, running := s.flows[from]
	if !running {
		ctx, cancel := context.WithCancel(s.run)
		f = &flow{watchers: make(map[chan *protocol.StatsSample]struct{}), stop: cancel}
		s.flows[from] = f
		s.wait.Go(func() { s.pump(ctx, from, f) })
	}
	f.watchers[watcher] = struct{}{}
}

// leave removes a watcher, and ends the flow with the last one.
func (s *Service) leave(from source, watcher chan *protocol.StatsSample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flows[from]
	delete(f.watchers, watcher)
	if len(f.watchers) == 0 {
		f.stop()
		delete(s.flows, from)
	}
}

// pump reads the node's stream for as long as somebody watches.
func (s *Service) pump(ctx context.Context, from source, f *flow) {
	for {
		if err := s.stream(ctx, from, f); err != nil && ctx.Err() == nil {
			s.Logger.DebugContext(ctx, "a stream of samples broke off", slog.String("node_id", from.node), slog.Any("error", err))
		}
		timer := time.NewTimer(retryFlow)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (s *Service) stream(ctx context.Context, from source, f *flow) error {
	client, err := s.Link.Client(from.node)
	if err != nil {
		return err
	}
	stream, err := client.WatchStats(ctx, connect.NewRequest(&protocol.WatchStatsRequest{ServerId: from.server}))
	if err != nil {
		return err
	}
	defer stream.Close() //nolint:errcheck // the stream has ended, and Err says how
	for stream.Receive() {
		s.spread(f, stream.Msg().GetSample())
	}
	return stream.Err()
}

// spread hands a sample to every watcher; one that has not taken the last one gets this one in its place.
func (s *Service) spread(f *flow, sample *protocol.StatsSample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for watcher := range f.watchers {
		select {
		case watcher <- sample:
			continue
		default:
		}
		select {
		case <-watcher:
		default:
		}
		watcher <- sample
	}
}
