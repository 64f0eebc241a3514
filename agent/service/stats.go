package service

import (
	"context"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Stats answers samples of those servers that run here, and of the node when it is asked for.
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
	if req.Msg.GetNode() {
		answer.Node = s.config.Node.Sample(ctx)
	}
	return connect.NewResponse(answer), nil
}
