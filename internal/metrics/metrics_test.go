package metrics_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/metrics"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// node is an agent that counts questions, and the link to it.
type node struct {
	protocol.AgentServiceClient

	mu        sync.Mutex
	offline   bool
	questions int
}

// Client returns the node, unless it is offline.
func (n *node) Client(string) (protocol.AgentServiceClient, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.offline {
		return nil, fault.New(fault.NodeOffline, "The node is offline.")
	}
	return n, nil
}

// Stats answers with the number of the question as the use of memory.
func (n *node) Stats(_ context.Context, r *connect.Request[protocol.StatsRequest]) (*connect.Response[protocol.StatsResponse], error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.questions++
	answer := &protocol.StatsResponse{}
	for _, id := range r.Msg.GetServerIds() {
		answer.Samples = append(answer.Samples, &protocol.StatsSample{ServerId: id, MemoryBytes: int64(n.questions), MemoryLimit: 4})
	}
	if r.Msg.GetNode() {
		answer.Node = &protocol.StatsSample{MemoryBytes: int64(n.questions)}
	}
	return connect.NewResponse(answer), nil
}

func (n *node) asked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.questions
}

func (n *node) setOffline(offline bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.offline = offline
}

// open lets everybody through: rights are the gate's own tests'.
type open struct{}

// Open returns the context as it is.
func (open) Open(ctx context.Context, _ access.Permission, _ access.Target) (context.Context, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	return ctx, cancel, nil
}

func start(ctx context.Context, client *ent.Client, n *node) *metrics.Service {
	return metrics.New(ctx, metrics.Config{Client: client, Link: n, Gate: open{}, Logger: slog.New(slog.DiscardHandler)})
}

// TestFlow has two people watch one node: it is asked once a second for both, goes on after it was offline, and is left
// alone when the last one has gone.
func TestFlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &node{}
		s := start(t.Context(), nil, n)
		ctx, leave := context.WithCancel(t.Context())
		var watchers sync.WaitGroup
		var seen [2][]int64
		for i := range seen {
			watchers.Go(func() {
				err := s.FollowNode(ctx, "node", func(u *metrics.NodeUsage) error {
					seen[i] = append(seen[i], u.MemoryBytes)
					return nil
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("a watcher was told %v", err)
				}
			})
			synctest.Wait()
		}
		time.Sleep(2500 * time.Millisecond)
		n.setOffline(true)
		time.Sleep(10 * time.Second)
		n.setOffline(false)
		time.Sleep(time.Second)
		synctest.Wait()
		leave()
		watchers.Wait()
		if diff := cmp.Diff([2][]int64{{1, 2, 3, 4}, {2, 3, 4}}, seen); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		if got := n.asked(); got != 4 {
			t.Errorf("the node was asked %d times", got)
		}
		s.Close()
	})
}

// TestCloseEndsFlows has a watcher when the service ends.
func TestCloseEndsFlows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t.Context(), nil, &node{})
		ended := make(chan error, 1)
		go func() { ended <- s.FollowNode(t.Context(), "node", func(*metrics.NodeUsage) error { return nil }) }()
		synctest.Wait()
		s.Close()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the watcher was told %v", err)
		}
	})
}

// TestLatest asks for three servers: one that runs, one that does not, and one that another tenant has.
func TestLatest(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, db *store.Store) {
		var ids []string
		var owner *ent.User
		system := testkit.System(t.Context())
		err := tx.Do(system, db.Client, func(ctx context.Context, x *ent.Tx) error {
			place := x.Location.Create().SetName("here").SaveX(ctx)
			host := x.Node.Create().SetName("n").SetLocation(place).SetPublicAddress("127.0.0.1").SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0).SaveX(ctx)
			game := x.Template.Create().SetName("t").SaveX(ctx)
			owner = x.User.Create().SetEmail("a@example.com").SetUsername("a").SetUsernameKey("a").SetPasswordHash("-").SaveX(ctx)
			other := x.User.Create().SetEmail("b@example.com").SetUsername("b").SetUsernameKey("b").SetPasswordHash("-").SaveX(ctx)
			for _, sv := range []struct {
				owner string
				state kind.ServerState
			}{{owner.ID, kind.ServerStateRunning}, {owner.ID, kind.ServerStateStopped}, {other.ID, kind.ServerStateRunning}} {
				ids = append(ids, x.Server.Create().SetName("s").SetTemplateID(game.ID).SetNodeID(host.ID).SetOwnerID(sv.owner).SetState(sv.state).SaveX(ctx).ID)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		n := &node{}
		s := start(t.Context(), db.Client, n)
		defer s.Close()
		got, err := s.Latest(viewer.NewContext(t.Context(), &viewer.Viewer{UserID: owner.ID}), ids)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[ids[0]] == nil || got[ids[0]].MemoryPercent != 25 {
			t.Errorf("the owner got %v", got)
		}
		n.setOffline(true)
		if got, err := s.Latest(system, ids); err != nil || len(got) != 0 {
			t.Errorf("a node that is offline: %v, %v", got, err)
		}
	})
}
