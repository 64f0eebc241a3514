package agentlink_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

func stateEvent(seq uint64, serverID string) *protocol.EventsResponse {
	return &protocol.EventsResponse{Seq: seq, Event: &protocol.EventsResponse_ServerState{
		ServerState: &protocol.Observed{ServerId: serverID, State: protocol.State_STATE_RUNNING},
	}}
}

func (s *store) eventSeqs() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var seqs []uint64
	for _, event := range s.events {
		seqs = append(seqs, event.GetSeq())
	}
	return seqs
}

func (a *agent) lastAck() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.acks) == 0 {
		return 0
	}
	return a.acks[len(a.acks)-1]
}

func span(from, to uint64) []uint64 {
	var s []uint64
	for n := from; n <= to; n++ {
		s = append(s, n)
	}
	return s
}

func TestEventsAreAcknowledgedWhenStored(t *testing.T) {
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	id := serverID()
	s.set(node.nodeID, id, 1)
	hold := make(chan struct{})
	s.hold = hold
	for seq := range uint64(100) {
		node.events = append(node.events, stateEvent(seq+1, id))
	}
	link := node.dial(t, p)
	online(t, p, node)
	eventually(t, "the stream is open", func() bool {
		node.mu.Lock()
		defer node.mu.Unlock()
		return len(node.acks) == 1
	})
	if ack := node.lastAck(); ack != 0 {
		t.Errorf("acknowledged %d before anything was stored", ack)
	}
	s.with(func() { s.failures = 2 })
	close(hold)
	eventually(t, "everything is acknowledged", func() bool { return node.lastAck() == 100 })
	if diff := cmp.Diff(span(1, 100), s.eventSeqs()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}

	// The next link goes on where this one ended.
	_ = link.ws.CloseNow()
	eventually(t, "the node is offline", func() bool { return !p.link.Online(node.nodeID) })
	node.emit(func() { node.events = append(node.events, stateEvent(101, id)) })
	node.dial(t, p)
	eventually(t, "the rest is acknowledged", func() bool { return node.lastAck() == 101 })
	if diff := cmp.Diff(span(1, 101), s.eventSeqs()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}

	// A new epoch begins at zero.
	node.with(func() {
		node.epoch, node.synced = "epoch-2", 0
		node.events = []*protocol.EventsResponse{stateEvent(1, id)}
	})
	node.dial(t, p)
	eventually(t, "the new epoch is acknowledged", func() bool { return node.lastAck() == 1 })
}

// TestForeignEventsAreDropped is abuse case N1: a node speaks about its own servers only.
func TestForeignEventsAreDropped(t *testing.T) {
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	mine, foreign := serverID(), serverID()
	s.set(node.nodeID, mine, 1)
	node.events = []*protocol.EventsResponse{
		stateEvent(1, foreign),
		stateEvent(2, mine),
		stateEvent(2, mine), // twice
		stateEvent(1, mine), // backwards
		{Seq: 3, Event: &protocol.EventsResponse_Usage{Usage: &protocol.Usage{Servers: []*protocol.StatsSample{
			{ServerId: foreign}, {ServerId: mine},
		}}}},
		{Seq: 4}, // of a kind that the panel does not know
	}
	node.console[foreign] = []*protocol.ConsoleLine{{Seq: 1, Text: "not yours"}}
	node.strange = []*protocol.ConsoleResponse{{ServerId: foreign, Lines: node.console[foreign]}}
	node.dial(t, p)
	eventually(t, "everything is acknowledged", func() bool { return node.lastAck() == 4 })
	if diff := cmp.Diff([]uint64{2, 3}, s.eventSeqs()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	s.with(func() {
		if samples := s.events[1].GetUsage().GetServers(); len(samples) != 1 || samples[0].GetServerId() != mine {
			t.Errorf("samples: %v", samples)
		}
		if len(s.lines[foreign]) != 0 {
			t.Error("lines of another's server were stored")
		}
	})
}

func (a *agent) print(serverID string, from, to uint64) {
	a.emit(func() {
		for seq := from; seq <= to; seq++ {
			a.console[serverID] = append(a.console[serverID], &protocol.ConsoleLine{Seq: seq, Text: fmt.Sprint("line ", seq)})
		}
	})
}

func (s *store) lineSeqs(serverID string) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var seqs []uint64
	for _, line := range s.lines[serverID] {
		seqs = append(seqs, line.GetSeq())
	}
	return seqs
}

func TestConsoleArrivesCompleteAndInOrder(t *testing.T) {
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	one, two := serverID(), serverID()
	s.set(node.nodeID, one, 1)
	hold := make(chan struct{})
	s.hold = hold
	node.print(one, 1, 10_000)
	link := node.dial(t, p)
	online(t, p, node)
	close(hold)
	eventually(t, "all lines are stored", func() bool { return len(s.lineSeqs(one)) == 10_000 })
	s.with(func() {
		if s.ingests > 100 {
			t.Errorf("a burst took %d transactions", s.ingests)
		}
	})

	// A server that is created now flows as well, without a new link.
	s.set(node.nodeID, two, 1)
	node.print(two, 1, 5)
	p.link.Dirty(t.Context(), node.nodeID, two)
	eventually(t, "the new server's lines are stored", func() bool { return len(s.lineSeqs(two)) == 5 })
	eventually(t, "the agent knows what is stored", func() bool {
		node.mu.Lock()
		defer node.mu.Unlock()
		return slices.ContainsFunc(node.requests, func(r *protocol.ConsoleRequest) bool {
			return r.GetServerId() == one && r.GetStored() == 10_000
		})
	})

	// After a cut the next link goes on behind what is stored.
	_ = link.ws.CloseNow()
	eventually(t, "the node is offline", func() bool { return !p.link.Online(node.nodeID) })
	node.with(func() { node.requests = nil })
	node.print(one, 10_001, 10_100)
	node.dial(t, p)
	eventually(t, "the rest is stored", func() bool { return len(s.lineSeqs(one)) == 10_100 })
	if diff := cmp.Diff(span(1, 10_100), s.lineSeqs(one)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	node.with(func() {
		if !slices.ContainsFunc(node.requests, func(r *protocol.ConsoleRequest) bool {
			return r.GetServerId() == one && r.GetAfter() == 10_000
		}) {
			t.Errorf("the flow did not start after what was stored: %v", node.requests)
		}
	})

	// A server that is removed flows no more.
	s.unset(node.nodeID, two)
	p.link.Dirty(t.Context(), node.nodeID, two)
	eventually(t, "the flow is ended", func() bool {
		node.mu.Lock()
		defer node.mu.Unlock()
		return slices.ContainsFunc(node.requests, func(r *protocol.ConsoleRequest) bool {
			return r.GetServerId() == two && r.GetStop()
		})
	})
}

// TestHostileAgent is abuse case N4: an agent that breaks the rules harms its own streams only.
func TestHostileAgent(t *testing.T) {
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	hostile, honest := newAgent(t, s), newAgent(t, s)
	bad, good := serverID(), serverID()
	s.set(hostile.nodeID, bad, 1)
	s.set(honest.nodeID, good, 1)
	// Lines that repeat, run backwards and are far too long, and an event that is too large to be taken at all.
	hostile.strange = []*protocol.ConsoleResponse{
		{ServerId: bad, Lines: []*protocol.ConsoleLine{{Seq: 5}, {Seq: 5}, {Seq: 4}, {Seq: 1 << 63}, {Seq: 1 << 61}, {Seq: 6, Text: strings.Repeat("x", 1<<20)}}},
	}
	hostile.events = []*protocol.EventsResponse{stateEvent(1, strings.Repeat("x", 4<<20))}
	hostile.dial(t, p)
	honest.dial(t, p)
	online(t, p, hostile)
	online(t, p, honest)
	honest.emit(func() { honest.events = append(honest.events, stateEvent(1, good)) })
	honest.print(good, 1, 100)
	eventually(t, "the honest node is served", func() bool { return honest.lastAck() == 1 && len(s.lineSeqs(good)) == 100 })
	client, err := p.link.Client(hostile.nodeID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.SendInput(t.Context(), input("x")); err != nil {
		t.Errorf("calls to the hostile node: %v", err)
	}
	eventually(t, "the event stream is opened again and again", func() bool {
		hostile.mu.Lock()
		defer hostile.mu.Unlock()
		return len(hostile.acks) > 1
	})
	eventually(t, "what comes after nonsense is stored", func() bool { return slices.Contains(s.lineSeqs(bad), 6) })
	for _, seq := range s.lineSeqs(bad) {
		if seq != 5 && seq != 6 {
			t.Errorf("stored line %d", seq)
		}
	}
	s.with(func() {
		for _, line := range s.lines[bad] {
			if len(line.GetText()) > 24<<10 {
				t.Errorf("a line of %d bytes was stored", len(line.GetText()))
			}
		}
	})
}
