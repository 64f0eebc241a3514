package agentlink_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/agentlink"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

func input(text string) *connect.Request[protocol.SendInputRequest] {
	return connect.NewRequest(&protocol.SendInputRequest{ServerId: "srv", Text: text})
}

func serverID() string { return kind.NewID(kind.PrefixServer) }

func TestSyncHandsOverEverything(t *testing.T) {
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	one, two, old, unnamed := serverID(), serverID(), serverID(), serverID()
	s.set(node.nodeID, one, 3)
	s.set(node.nodeID, two, 4)
	s.unset(node.nodeID, old)
	node.extra = []*protocol.Observed{{ServerId: unnamed, State: protocol.State_STATE_RUNNING}, {ServerId: "nonsense"}}
	node.dial(t, p)
	online(t, p, node)
	eventually(t, "the digest is stored and the old server removed", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.observed[one].GetGeneration() == 3 && s.observed[two].GetGeneration() == 4 &&
			s.observed[unnamed] != nil && len(s.removals[node.nodeID]) == 0
	})
	node.with(func() {
		if diff := cmp.Diff([]string{old}, node.removed); diff != "" {
			t.Errorf("removed (-want +got):\n%s", diff)
		}
	})
	s.with(func() {
		if s.observed["nonsense"] != nil {
			t.Error("a server without a proper id was passed on")
		}
		info := s.infos[0]
		if info.NodeID != node.nodeID || info.AgentVersion != "0.9" || info.Runtime != "fake" || info.EventEpoch != "epoch-1" ||
			info.Instance != p.bus.Instance() || info.SessionID == "" || !info.RemoteAddr.IsLoopback() || info.System.GetOs() != "linux" {
			t.Errorf("got %+v", info)
		}
	})
	if latency, ok := p.link.Latency(node.nodeID); !ok || latency < 0 {
		t.Errorf("latency: %v %v", latency, ok)
	}
}

func TestDirtyDelivery(t *testing.T) {
	t.Parallel()
	s := newStore()
	slow := fast
	slow.Reconcile = time.Hour // so that only Dirty delivers
	p := start(t, s, "", slow)
	node := newAgent(t, s)
	stuck, fine := serverID(), serverID()
	node.refuse[stuck] = connect.NewError(connect.CodeInternal, errors.New("disk full"))
	node.dial(t, p)
	online(t, p, node)

	s.set(node.nodeID, stuck, 1)
	p.link.Dirty(t.Context(), node.nodeID, stuck)
	for generation := uint64(1); generation <= 20; generation++ {
		s.set(node.nodeID, fine, generation)
		p.link.Dirty(t.Context(), node.nodeID, fine)
	}
	eventually(t, "a failing server holds up no other", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.observed[fine].GetGeneration() == 20
	})
	node.with(func() {
		if !slices.IsSorted(node.applied[fine]) {
			t.Errorf("generations went backwards: %v", node.applied[fine])
		}
		delete(node.refuse, stuck)
	})
	eventually(t, "the failing server is tried again", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.observed[stuck].GetGeneration() == 1
	})

	s.unset(node.nodeID, fine)
	p.link.Dirty(t.Context(), node.nodeID, fine)
	eventually(t, "the removal is recorded", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.removals[node.nodeID]) == 0
	})
}

func TestReconcileFindsWhatNobodyAnnounced(t *testing.T) {
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	node.dial(t, p)
	online(t, p, node)
	id := serverID()
	s.set(node.nodeID, id, 5)
	eventually(t, "the server is delivered", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.observed[id].GetGeneration() == 5
	})
}

// TestNewerFencesOlder is abuse case N3.
func TestNewerFencesOlder(t *testing.T) {
	t.Parallel()
	for _, instances := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d instances", instances), func(t *testing.T) {
			t.Parallel()
			s := newStore()
			slow := fast
			slow.Heartbeat = time.Hour // so that the fence does not depend on the heart-beat
			natsURL := ""
			if instances == 2 {
				natsURL = natsServer(t)
			}
			first := start(t, s, natsURL, slow)
			second := first
			if instances == 2 {
				second = start(t, s, natsURL, slow)
			}
			node := newAgent(t, s)
			older := node.dial(t, first)
			online(t, first, node)
			newer := node.dial(t, second)
			refusal, ok := errors.AsType[websocket.CloseError](ended(t, older))
			if !ok || refusal.Code != agentlink.StatusReplaced {
				t.Errorf("the older link ended with %v", older.err)
			}
			eventually(t, "the newer one holds the node", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return len(s.infos) == 2 && len(s.gone) == 1 && s.gone[0] == s.infos[0].SessionID &&
					s.holder[node.nodeID] == s.infos[1].SessionID && second.link.Online(node.nodeID)
			})
			select {
			case <-newer.closed:
				t.Errorf("the newer link ended: %v", newer.err)
			default:
			}
			if instances == 2 && first.link.Online(node.nodeID) {
				t.Error("the first instance still holds the node")
			}
		})
	}
}

func TestRecheckEndsARevokedNode(t *testing.T) {
	t.Parallel()
	s := newStore()
	slow := fast
	slow.Heartbeat = time.Hour
	p := start(t, s, "", slow)
	node := newAgent(t, s)
	link := node.dial(t, p)
	online(t, p, node)
	s.with(func() { delete(s.holder, node.nodeID) })
	p.link.Recheck(t.Context(), node.nodeID)
	if refusal, ok := errors.AsType[websocket.CloseError](ended(t, link)); !ok || refusal.Code != agentlink.StatusReplaced {
		t.Errorf("got %v", link.err)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	s := newStore()
	natsURL := natsServer(t)
	here, there := start(t, s, natsURL, fast), start(t, s, natsURL, fast)
	node := newAgent(t, s)
	link := node.dial(t, here)
	online(t, here, node)

	for _, p := range []*panel{here, there} {
		client, err := p.link.Client(node.nodeID)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.SendInput(t.Context(), input("say hi"))
		if err != nil || response.Msg.GetSeq() == 0 {
			t.Errorf("got %v, %v", response, err)
		}
		_, err = client.SendInput(t.Context(), input("stopped"))
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != fault.Conflict || f.Message != "The server is not running." {
			t.Errorf("a refusal: %v", err)
		}
		if connect.CodeOf(err) != connect.CodeFailedPrecondition {
			t.Errorf("the Connect code is lost: %v", err)
		}
		if _, err = client.SendInput(t.Context(), input("hang")); fault.CodeOf(err) != fault.Timeout {
			t.Errorf("a call that hangs: %v", err)
		}
		if _, err = client.Stats(t.Context(), connect.NewRequest(&protocol.StatsRequest{})); fault.CodeOf(err) != fault.Internal {
			t.Errorf("a call that the agent does not know: %v", err)
		}
	}
	node.with(func() {
		if diff := cmp.Diff([]string{"say hi", "say hi"}, node.inputs); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})

	// A changed server reaches the agent from the instance that does not hold its link.
	id := serverID()
	s.set(node.nodeID, id, 1)
	there.link.Dirty(t.Context(), node.nodeID, id)
	eventually(t, "the server is delivered", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.observed[id].GetGeneration() == 1
	})

	_ = link.ws.CloseNow()
	eventually(t, "the node is offline", func() bool { return !here.link.Online(node.nodeID) })
	for _, p := range []*panel{here, there} {
		client, err := p.link.Client(node.nodeID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.SendInput(t.Context(), input("x")); fault.CodeOf(err) != fault.NodeOffline {
			t.Errorf("a node that is offline: %v", err)
		}
	}
	if _, err := start(t, s, "", fast).link.Client(node.nodeID); fault.CodeOf(err) != fault.NodeOffline {
		t.Errorf("a node that is offline, one instance: %v", err)
	}
}

func TestHalfOpenLinkEnds(t *testing.T) {
	t.Parallel()
	s := newStore()
	timing := fast
	timing.PongTimeout = 200 * time.Millisecond
	p := start(t, s, "", timing)
	node := newAgent(t, s)
	link := node.dial(t, p)
	online(t, p, node)
	link.frozen.mu.Lock()
	link.frozen.ice = make(chan struct{})
	link.frozen.mu.Unlock()
	eventually(t, "the silent link is given up", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.gone) == 1 && !p.link.Online(node.nodeID)
	})
}

func TestCloseSaysGoodbye(t *testing.T) {
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	var links []*connection
	for range 5 {
		node := newAgent(t, s)
		links = append(links, node.dial(t, p))
		online(t, p, node)
	}
	began := time.Now()
	if err := p.link.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
	for _, link := range links {
		// The WebSocket library turns a going-away into the end of the stream.
		if err := ended(t, link); !strings.Contains(err.Error(), "EOF") {
			t.Errorf("got %v", err)
		}
	}
	s.with(func() {
		if len(s.gone) != 5 {
			t.Errorf("%d of 5 sessions were reported as ended", len(s.gone))
		}
	})
}
