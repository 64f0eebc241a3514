package service

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Stats answers samples of those servers that run here.
func (s *Service) Stats(ctx context.Context, req *connect.Request[protocol.StatsRequest]) (*connect.Response[protocol.StatsResponse], error) {
	answer := &protocol.StatsResponse{}
	for _, id := range req.Msg.GetServerIds() {
		sample, err := s.config.Supervisor.Sample(ctx, id)
		switch code := fault.CodeOf(err); code {
		case "":
			answer.Samples = append(answer.Samples, sample)
		case fault.NotFound, fault.Conflict:
			// It does not run.
		default:
			return nil, s.fail(ctx, err)
		}
	}
	return connect.NewResponse(answer), nil
}

// WatchStats streams a sample every second. While the server does not run there are none; when it is removed, the
// stream ends with an error.
func (s *Service) WatchStats(ctx context.Context, req *connect.Request[protocol.WatchStatsRequest], stream *connect.ServerStream[protocol.WatchStatsResponse]) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		sample, err := s.sample(ctx, req.Msg.GetServerId())
		switch code := fault.CodeOf(err); {
		case err == nil:
			if err := stream.Send(&protocol.WatchStatsResponse{Sample: sample}); err != nil {
				return err
			}
		case code != fault.Conflict:
			return s.fail(ctx, err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return s.fail(ctx, ctx.Err())
		}
	}
}

func (s *Service) sample(ctx context.Context, id string) (*protocol.StatsSample, error) {
	if id == "" {
		return s.config.Node.Sample(ctx), nil
	}
	return s.config.Supervisor.Sample(ctx, id)
}
