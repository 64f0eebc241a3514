package metrics

import (
	"context"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

// pace is the time between two samples of a flow.
const pace = time.Second

// source names what a flow samples: one server of a node, or the node itself.
type source struct{ node, server string }

// flow is one series of questions to a node, shared by everyone who watches. The service's mutex guards watchers.
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

// pump asks the node for as long as somebody watches. It asks instead of listening to a stream since a question also
// reaches a node whose link another instance holds.
func (s *Service) pump(ctx context.Context, from source, f *flow) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		if sample := s.sample(ctx, from); sample != nil {
			s.spread(f, sample)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sample returns the source's present sample; nil while it does not run or the node does not answer.
func (s *Service) sample(ctx context.Context, from source) *protocol.StatsSample {
	if from.server == "" {
		return s.ask(ctx, from.node, &protocol.StatsRequest{Node: true}).GetNode()
	}
	for _, sample := range s.ask(ctx, from.node, &protocol.StatsRequest{ServerIds: []string{from.server}}).GetSamples() {
		return sample
	}
	return nil
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
