package agentlink_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// book keeps what is logged.
type book struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines.Write(p)
}

func (b *book) read() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines.String()
}

// TestErrorsOfAgentsAreCut is abuse case N4: whatever an agent says with an error, on whatever call, is short in the log
// and for people.
func TestErrorsOfAgentsAreCut(t *testing.T) {
	t.Parallel()
	s, log := newStore(), &book{}
	s.log = slog.New(slog.NewJSONHandler(log, nil))
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	id := serverID()
	s.set(node.nodeID, id, 1)
	long := "\x1b[2J\n\u202e" + strings.Repeat("x", 256<<10)
	node.refuse[id] = connect.NewError(connect.CodeInternal, errors.New(long))
	node.failing = connect.NewError(connect.CodeInternal, errors.New(long))
	node.dial(t, p)
	eventually(t, "everything has failed", func() bool {
		p.link.Dirty(t.Context(), node.nodeID, id)
		text := log.read()
		return strings.Contains(text, `"work":"sync"`) && strings.Contains(text, `"stream":"events"`) &&
			strings.Contains(text, "could not bring a server to its node")
	})
	for line := range strings.Lines(log.read()) {
		if len(line) > 4<<10 || strings.Contains(line, "\u202e") {
			t.Fatalf("%d bytes were logged: %.300s", len(line), line)
		}
	}
}

// TestRefusalsOfAgentsCanBeShown has an agent refuse a call with text that is not fit for a screen.
func TestRefusalsOfAgentsCanBeShown(t *testing.T) {
	t.Parallel()
	s := newStore()
	p := start(t, s, "", fast)
	node := newAgent(t, s)
	node.dial(t, p)
	online(t, p, node)
	client, err := p.link.Client(node.nodeID)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.SendInput(t.Context(), connect.NewRequest(&protocol.SendInputRequest{Text: "ugly"}))
	refusal, ok := errors.AsType[*fault.Error](err)
	if !ok || refusal.Code != fault.Conflict || refusal.Message != "No\uFFFD[2J\uFFFDway." {
		t.Errorf("refused with %q", err)
	}
}
