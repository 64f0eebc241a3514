package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/catalyst-panel/catalyst/agent"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is an agent that a test starts and ends.
type node struct {
	t        *testing.T
	config   agent.Config
	programs *chatter
	cancel   context.CancelFunc
	done     chan error
}

func newNode(t *testing.T, p *panel) *node {
	t.Helper()
	n := &node{t: t, programs: newChatter()}
	n.config = agent.Config{
		DataDir: t.TempDir(), PanelURL: p.server.URL, EnrolToken: "token", Runtime: n.programs,
		Logger: slog.New(slog.DiscardHandler), Version: "test",
	}
	return n
}

func (n *node) start() {
	n.t.Helper()
	a, err := agent.New(n.config)
	if err != nil {
		n.t.Fatal(err)
	}
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.WithoutCancel(n.t.Context()))
	n.done = make(chan error, 1)
	go func() { n.done <- a.Run(ctx) }()
	n.t.Cleanup(n.end)
}

func (n *node) end() {
	if n.cancel == nil {
		return
	}
	n.cancel()
	n.cancel = nil
	select {
	case err := <-n.done:
		if err != nil {
			n.t.Errorf("the agent ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		n.t.Error("the agent does not end")
	}
}

func request[T any](msg *T) *connect.Request[T] { return connect.NewRequest(msg) }

func apply(t *testing.T, l *panelLink, id string, generation uint64, power protocol.Power, run uint64) *protocol.Observed {
	t.Helper()
	resp, err := l.calls.ApplyServer(t.Context(), request(&protocol.ApplyServerRequest{
		Spec:    &protocol.ServerSpec{ServerId: id, Argv: []string{"game"}, Stop: &protocol.StopSpec{Command: "stop"}},
		Desired: &protocol.Desired{Generation: generation, Power: power, Run: run},
	}))
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return resp.Msg.GetObserved()
}

type eventStream = connect.BidiStreamForClient[protocol.EventsRequest, protocol.EventsResponse]

func followEvents(t *testing.T, l *panelLink, after uint64) *eventStream {
	t.Helper()
	stream := l.calls.Events(t.Context())
	if err := stream.Send(&protocol.EventsRequest{Acknowledged: after}); err != nil {
		t.Fatal(err)
	}
	return stream
}

// states reads state events until one matches, and returns all of them.
func states(t *testing.T, stream *eventStream, until string) ([]string, uint64) {
	t.Helper()
	var out []string
	for {
		event, err := stream.Receive()
		if err != nil {
			t.Fatalf("events after %v: %v", out, err)
		}
		o := event.GetServerState()
		text := fmt.Sprintf("%d %s g%d r%d", event.GetSeq(), strings.TrimPrefix(o.GetState().String(), "STATE_"), o.GetGeneration(), o.GetRun())
		out = append(out, text)
		if strings.Contains(text, until) {
			return out, event.GetSeq()
		}
	}
}

func equal[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestHelloDescribesTheNode(t *testing.T) {
	p := newPanel(t)
	n := newNode(t, p)
	n.start()
	l := p.link()
	resp, err := l.calls.Hello(t.Context(), request(&protocol.HelloRequest{Version: protocol.Version, NodeId: p.nodeID}))
	if err != nil {
		t.Fatal(err)
	}
	got := resp.Msg
	if got.GetVersion() != protocol.Version || got.GetAgentVersion() != "test" || got.GetRuntime() != "fake" || got.GetEventEpoch() == "" || got.GetSystem().GetMemory() == 0 {
		t.Errorf("hello: %v", got)
	}
	for name, req := range map[string]*protocol.HelloRequest{
		"another version": {Version: 99, NodeId: p.nodeID}, "another node": {Version: protocol.Version, NodeId: kind.NewID(kind.PrefixNode)},
	} {
		_, err := l.calls.Hello(t.Context(), request(req))
		equal(t, name, connect.CodeFailedPrecondition, connect.CodeOf(err))
	}
}

func TestEventsAreReplayedAfterACut(t *testing.T) {
	p := newPanel(t)
	n := newNode(t, p)
	n.start()
	l := p.link()
	id := kind.NewID(kind.PrefixServer)
	stream := followEvents(t, l, 0)
	apply(t, l, id, 1, protocol.Power_POWER_RUN, 1)
	got, last := states(t, stream, "RUNNING")
	equal(t, "first events", []string{"1 STARTING g1 r1", "2 RUNNING g1 r1"}, got)
	if err := stream.Send(&protocol.EventsRequest{Acknowledged: last}); err != nil {
		t.Fatal(err)
	}
	l.cut()

	n.programs.program(id).exit(3) // nobody but the agent sees it
	l = p.link()
	got, _ = states(t, followEvents(t, l, last), "CRASHED")
	equal(t, "events while the link was down", []string{"3 CRASHED g1 r1"}, got)
	l.cut()

	// What was not acknowledged comes again, to a new agent too.
	n.end()
	n.start()
	l = p.link()
	got, _ = states(t, followEvents(t, l, last), "CRASHED")
	equal(t, "events again", []string{"3 CRASHED g1 r1"}, got)

	resp, err := l.calls.Sync(t.Context(), request(&protocol.SyncRequest{Servers: []*protocol.ApplyServerRequest{{
		Spec: &protocol.ServerSpec{ServerId: id}, Desired: &protocol.Desired{Generation: 1, Power: protocol.Power_POWER_RUN, Run: 1},
	}}}))
	if err != nil || len(resp.Msg.GetServers()) != 1 || resp.Msg.GetServers()[0].GetState() != protocol.State_STATE_CRASHED {
		t.Errorf("digest: %v, %v", resp, err)
	}
}

// TestConsoleExactlyOnceOverReconnects cuts the link again and again while a program prints; the panel asks for what
// follows the last line it has.
func TestConsoleExactlyOnceOverReconnects(t *testing.T) {
	const total = 6000
	p := newPanel(t)
	n := newNode(t, p)
	n.start()
	l := p.link()
	id := kind.NewID(kind.PrefixServer)
	apply(t, l, id, 1, protocol.Power_POWER_RUN, 1)
	stream := followEvents(t, l, 0)
	states(t, stream, "RUNNING")

	printed := make(chan error, 1)
	go func() {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for i := range total {
			if i%10 == 0 {
				<-ticker.C
			}
			if _, err := n.programs.program(id).print(kind.StreamStdout, fmt.Sprint("line ", i)); err != nil {
				printed <- err
				return
			}
		}
		printed <- nil
	}()

	var seq uint64
	next, cuts := 0, 0
	for next < total {
		console := l.calls.Console(t.Context())
		if err := console.Send(&protocol.ConsoleRequest{ServerId: id, After: seq}); err != nil {
			t.Fatal(err)
		}
		for next < total {
			batch, err := console.Receive()
			if err != nil {
				break
			}
			for _, line := range batch.GetLines() {
				if line.GetSeq() != seq+1 || batch.GetMissing() != 0 {
					t.Fatalf("line %d follows %d, %d missing", line.GetSeq(), seq, batch.GetMissing())
				}
				seq = line.GetSeq()
				if line.GetStream() != protocol.Stream_STREAM_STDOUT {
					continue
				}
				if line.GetText() != fmt.Sprint("line ", next) {
					t.Fatalf("got %q, want line %d", line.GetText(), next)
				}
				next++
			}
			if cuts < 4 && next > 1000*(cuts+1) && next < total {
				cuts++
				l.cut()
			}
		}
		if next < total {
			if cuts == 2 {
				n.end()
				n.start()
			}
			l = p.link()
		}
	}
	if err := <-printed; err != nil {
		t.Fatal(err)
	}
	equal(t, "cuts", 4, cuts)
}

func TestConsoleOfAQuietServerIsAtOnce(t *testing.T) {
	p := newPanel(t)
	n := newNode(t, p)
	n.start()
	l := p.link()
	id := kind.NewID(kind.PrefixServer)
	console := l.calls.Console(t.Context())
	// The panel may ask before the server is there.
	if err := console.Send(&protocol.ConsoleRequest{ServerId: id}); err != nil {
		t.Fatal(err)
	}
	apply(t, l, id, 1, protocol.Power_POWER_RUN, 1)
	batch, err := console.Receive()
	if err != nil || batch.GetLines()[0].GetText() != "Starting" {
		t.Fatalf("first batch %v, %v", batch, err)
	}
	states(t, followEvents(t, l, 0), "RUNNING")
	for range 20 {
		begun := time.Now()
		resp, err := l.calls.SendInput(t.Context(), request(&protocol.SendInputRequest{ServerId: id, Text: "hello"}))
		if err != nil {
			t.Fatal(err)
		}
		for seq := uint64(0); seq < resp.Msg.GetSeq(); {
			batch, err := console.Receive()
			if err != nil {
				t.Fatal(err)
			}
			seq = batch.GetLines()[len(batch.GetLines())-1].GetSeq()
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("a line took %s", took)
		}
	}
	if err := console.Send(&protocol.ConsoleRequest{ServerId: "../../etc"}); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = console.Receive()
	}
	equal(t, "code of a bad id", connect.CodeInvalidArgument, connect.CodeOf(err))
}

func TestCallsFailWithCodes(t *testing.T) {
	p := newPanel(t)
	n := newNode(t, p)
	n.start()
	l := p.link()
	id, gone := kind.NewID(kind.PrefixServer), kind.NewID(kind.PrefixServer)
	apply(t, l, id, 1, protocol.Power_POWER_STOP, 0)
	for name, tc := range map[string]struct {
		call func() error
		want connect.Code
	}{
		"input to a stopped server": {func() error {
			_, err := l.calls.SendInput(t.Context(), request(&protocol.SendInputRequest{ServerId: id, Text: "x"}))
			return err
		}, connect.CodeFailedPrecondition},
		"input to no server": {func() error {
			_, err := l.calls.SendInput(t.Context(), request(&protocol.SendInputRequest{ServerId: gone, Text: "x"}))
			return err
		}, connect.CodeNotFound},
		"reset of no server": {func() error {
			_, err := l.calls.ResetCrashCount(t.Context(), request(&protocol.ResetCrashCountRequest{ServerId: gone}))
			return err
		}, connect.CodeNotFound},
		"apply without an id": {func() error {
			_, err := l.calls.ApplyServer(t.Context(), request(&protocol.ApplyServerRequest{Desired: &protocol.Desired{Power: protocol.Power_POWER_RUN}}))
			return err
		}, connect.CodeInvalidArgument},
		"removal of a path": {func() error {
			_, err := l.calls.RemoveServer(t.Context(), request(&protocol.RemoveServerRequest{ServerId: ".."}))
			return err
		}, connect.CodeInvalidArgument},
	} {
		equal(t, name, tc.want, connect.CodeOf(tc.call()))
	}
	for range 2 {
		if _, err := l.calls.RemoveServer(t.Context(), request(&protocol.RemoveServerRequest{ServerId: id})); err != nil {
			t.Errorf("removal: %v", err)
		}
	}
}

func TestStats(t *testing.T) {
	p := newPanel(t)
	n := newNode(t, p)
	n.start()
	l := p.link()
	id := kind.NewID(kind.PrefixServer)
	apply(t, l, id, 1, protocol.Power_POWER_RUN, 1)
	states(t, followEvents(t, l, 0), "RUNNING")
	resp, err := l.calls.Stats(t.Context(), request(&protocol.StatsRequest{ServerIds: []string{id, kind.NewID(kind.PrefixServer)}}))
	if err != nil || len(resp.Msg.GetSamples()) != 1 || resp.Msg.GetSamples()[0].GetMemoryBytes() != 1<<20 || resp.Msg.GetNode() != nil {
		t.Errorf("stats of a server: %v, %v", resp, err)
	}
	resp, err = l.calls.Stats(t.Context(), request(&protocol.StatsRequest{Node: true}))
	if err != nil || len(resp.Msg.GetSamples()) != 0 || resp.Msg.GetNode().GetMemoryBytes() == 0 {
		t.Errorf("stats of the node: %v, %v", resp, err)
	}
	l.cut()
}

func TestServersStopOrGoOnWithTheAgent(t *testing.T) {
	for _, stop := range []bool{false, true} {
		t.Run(fmt.Sprint("stop ", stop), func(t *testing.T) {
			p := newPanel(t)
			n := newNode(t, p)
			n.config.StopServersOnExit = stop
			n.start()
			l := p.link()
			id := kind.NewID(kind.PrefixServer)
			apply(t, l, id, 1, protocol.Power_POWER_RUN, 1)
			states(t, followEvents(t, l, 0), "RUNNING")
			n.end()
			equal(t, "runs", !stop, n.programs.program(id).running())
			n.programs.program(id).exit(0)
		})
	}
}

func TestRefusedNodeAsksAgain(t *testing.T) {
	p := newPanel(t)
	p.refuse = http.StatusForbidden
	n := newNode(t, p)
	n.start()
	for range 2 {
		<-p.refused
	}
	p.mu.Lock()
	p.refuse = 0
	p.mu.Unlock()
	p.link()
}

func TestPanelSaysWhyItCloses(t *testing.T) {
	p := newPanel(t)
	n := newNode(t, p)
	said := make(chan string, 16)
	n.config.Logger = slog.New(slog.NewTextHandler(lineWriter(said), nil))
	n.start()
	_ = p.link().conn.Close(4003, "The node was deleted.")
	for line := range said {
		if strings.Contains(line, "not connected") {
			if !strings.Contains(line, "The node was deleted.") {
				t.Errorf("the log says %q", line)
			}
			return
		}
	}
}

// lineWriter hands on what is written; it never waits.
type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) {
	select {
	case w <- string(b):
	default:
	}
	return len(b), nil
}

func TestStartIsRefused(t *testing.T) {
	p := newPanel(t)
	for name, tc := range map[string]struct {
		change func(*agent.Config)
		want   string
	}{
		"not enrolled": {func(c *agent.Config) { c.EnrolToken = "" }, "createEnrolmentToken"},
		"bad token":    {func(c *agent.Config) { c.EnrolToken = "wrong" }, "Make a new token."},
		"no URL":       {func(c *agent.Config) { c.PanelURL = "panel" }, "https://panel.example.com"},
		"bad scheme":   {func(c *agent.Config) { c.PanelURL = "ftp://panel" }, "http://"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, p)
			tc.change(&n.config)
			a, err := agent.New(n.config)
			if err == nil {
				err = a.Run(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestOneAgentPerDirectory(t *testing.T) {
	p := newPanel(t)
	n := newNode(t, p)
	n.start()
	p.link()
	a, err := agent.New(n.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("a second agent: %v", err)
	}
	if _, err := os.Stat(filepath.Join(n.config.DataDir, "agent", "node.key")); err != nil {
		t.Error(err)
	}
}
