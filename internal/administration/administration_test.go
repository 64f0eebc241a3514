package administration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/administration"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// link reaches one node only.
type link struct {
	protocol.AgentServiceClient
	there string
}

// Client returns the one node.
func (l *link) Client(nodeID string) (protocol.AgentServiceClient, error) {
	if nodeID != l.there {
		return nil, fault.New(fault.NodeOffline, "The node is offline.")
	}
	return l, nil
}

// Stats answers.
func (*link) Stats(context.Context, *connect.Request[protocol.StatsRequest]) (*connect.Response[protocol.StatsResponse], error) {
	return connect.NewResponse(&protocol.StatsResponse{}), nil
}

func TestAdministration(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		l, broken := &link{}, error(nil)
		svc := administration.New(administration.Config{
			Client: s.Client, Link: l, Version: "v1", Database: s.DB.PingContext, Bus: func(context.Context) error { return broken },
		})
		err := tx.Do(testkit.System(t.Context()), s.Client, func(ctx context.Context, x *ent.Tx) error {
			user := x.User.Create().SetEmail("a@example.com").SetUsername("a").SetUsernameKey("a").SetPasswordHash("-").SaveX(ctx)
			place := x.Location.Create().SetName("here").SaveX(ctx)
			game := x.Template.Create().SetName("t").SaveX(ctx)
			node := x.Node.Create().SetName("a").SetPublicAddress("::1").SetLocation(place).SetMemoryLimit(100).SetCPULimit(200).SetDiskLimit(300).SetOnline(true).SaveX(ctx)
			x.Node.Create().SetName("b").SetPublicAddress("::1").SetLocation(place).SetMemoryLimit(1).SetCPULimit(2).SetDiskLimit(3).ExecX(ctx)
			x.Server.Create().SetName("s").SetOwner(user).SetNode(node).SetTemplate(game).SetMemory(10).SetCPU(20).SetDisk(30).ExecX(ctx)
			sv := x.Server.Query().OnlyX(testkit.System(ctx))
			task := x.ScheduledTask.Create().SetName("t").SetServerID(sv.ID).SetAuthor(user).SetSchedule("* * * * *").
				SetNextRunAt(time.Now().Add(-time.Hour)).SaveX(ctx)
			x.TaskRun.Create().SetTask(task).SetState(kind.TaskRunStateFailed).SetScheduledAt(time.Now()).ExecX(ctx)
			l.there = node.ID
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		admin := viewer.NewContext(t.Context(), &viewer.Viewer{UserID: "user_x", Permissions: []string{"admin.read"}})
		stats, err := svc.Stats(admin)
		if err != nil || stats.Users != 1 || stats.Nodes != 2 || stats.NodesOnline != 1 || stats.Servers != 1 ||
			stats.Memory != (administration.Total{Limit: 101, Allocated: 10}) || stats.CPU != (administration.Processors{Limit: 202, Allocated: 20}) {
			t.Errorf("counted %+v, %v", stats, err)
		}
		work, err := svc.Work(admin)
		if err != nil || work.TasksOverdue != 1 || work.TaskRuns[kind.TaskRunStateFailed] != 1 || work.Deliveries[kind.DeliveryStatePending] != 0 {
			t.Errorf("work %+v, %v", work, err)
		}
		health, err := svc.Health(admin)
		if err != nil || !health.Healthy || len(health.Nodes) != 2 || !health.Nodes[0].Healthy || health.Nodes[1].Healthy || health.Nodes[1].Error == nil {
			t.Errorf("health %+v, %v", health, err)
		}
		broken = errors.New("no connection")
		if health, err := svc.Health(admin); err != nil || health.Healthy || health.Bus.Error == nil {
			t.Errorf("with a broken bus: %+v, %v", health, err)
		}
		for name, ctx := range map[string]context.Context{"anybody": viewer.NewContext(t.Context(), &viewer.Viewer{UserID: "user_x"})} {
			if _, err := svc.Stats(ctx); fault.CodeOf(err) != fault.Forbidden {
				t.Errorf("%s may count: %v", name, err)
			}
			if _, err := svc.Work(ctx); fault.CodeOf(err) != fault.Forbidden {
				t.Errorf("%s may count what is done: %v", name, err)
			}
			if _, err := svc.Health(ctx); fault.CodeOf(err) != fault.Forbidden {
				t.Errorf("%s may ask: %v", name, err)
			}
		}
	})
}
