package servers_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/auditlog"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

// talker is an agent whose program answers what is typed.
type talker struct {
	protocol.AgentServiceClient

	lines  *console.Service
	server *ent.Server
	seq    uint64
	answer func(say func(stream protocol.Stream, text string), command string)
}

// SendInput has the program answer.
func (k *talker) SendInput(ctx context.Context, r *connect.Request[protocol.SendInputRequest]) (*connect.Response[protocol.SendInputResponse], error) {
	ctx = context.WithoutCancel(ctx) // what is written later is not part of the call
	var failed error
	say := func(stream protocol.Stream, text string) {
		k.seq++
		err := k.lines.Ingest(ctx, k.server.NodeID, []*protocol.ConsoleResponse{{ServerId: k.server.ID, Lines: []*protocol.ConsoleLine{
			{Seq: k.seq, AtUs: time.Now().UnixMicro(), Stream: stream, Text: text},
		}}})
		if failed == nil {
			failed = err
		}
	}
	say(protocol.Stream_STREAM_STDOUT, "from before")
	say(protocol.Stream_STREAM_INPUT, r.Msg.GetText())
	k.answer(say, r.Msg.GetText())
	return connect.NewResponse(&protocol.SendInputResponse{}), failed
}

func TestExecute(t *testing.T) {
	t.Parallel()
	short := 700 * time.Millisecond
	tests := []struct {
		name    string
		timeout *time.Duration
		answer  func(say func(protocol.Stream, string), command string)
		want    servers.Output
	}{
		{"an answer of two lines", nil, func(say func(protocol.Stream, string), command string) {
			say(protocol.Stream_STREAM_STDOUT, "you said: "+command)
			say(protocol.Stream_STREAM_STDERR, "and that is all")
		}, servers.Output{Text: "you said: list\nand that is all"}},
		{"no answer", nil, func(func(protocol.Stream, string), string) {}, servers.Output{}},
		{"more than fits", nil, func(say func(protocol.Stream, string), _ string) {
			for range 40 {
				say(protocol.Stream_STREAM_STDOUT, strings.Repeat("x", 8000))
			}
		}, servers.Output{Text: strings.TrimSuffix(strings.Repeat(strings.Repeat("x", 8000)+"\n", 32), "\n"), Truncated: true}},
		{"no end", &short, func(say func(protocol.Stream, string), _ string) {
			for i := range 3 {
				say(protocol.Stream_STREAM_STDOUT, fmt.Sprint("line ", i))
			}
		}, servers.Output{Text: "line 0\nline 1\nline 2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testkit.Store(t, testkit.Dialects()[0]))
			sv := w.running(t)
			w.link.agent = &talker{lines: w.console, server: sv, answer: tt.answer}
			got, err := w.Execute(w.ctx, servers.ExecuteInput{ServerID: sv.ID, Command: "list", Timeout: tt.timeout})
			if err != nil || got != tt.want {
				t.Errorf("got %.200v, %v", got, err)
			}
			if n := w.store.Client.AuditLog.Query().Where(auditlog.Action("server.command")).CountX(w.ctx); n != 1 {
				t.Errorf("%d commands in the audit trail", n)
			}
		})
	}
}

// TestExecuteWithoutEnd has a program that never stops writing.
func TestExecuteWithoutEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, testkit.Dialects()[0]))
	sv := w.running(t)
	ctx, cancel := context.WithCancel(w.ctx)
	writing := make(chan struct{})
	w.link.agent = &talker{lines: w.console, server: sv, answer: func(say func(protocol.Stream, string), _ string) {
		say(protocol.Stream_STREAM_STDOUT, "tick")
		go func() {
			defer close(writing)
			every := time.NewTicker(100 * time.Millisecond)
			defer every.Stop()
			for ctx.Err() == nil {
				<-every.C
				say(protocol.Stream_STREAM_STDOUT, "tick")
			}
		}()
	}}
	wait := 800 * time.Millisecond
	got, err := w.Execute(w.ctx, servers.ExecuteInput{ServerID: sv.ID, Command: "chatter", Timeout: &wait})
	if err != nil || !got.TimedOut || !strings.HasPrefix(got.Text, "tick\ntick") {
		t.Errorf("got %v, %v", got, err)
	}
	cancel()
	<-writing
}

func TestExecuteRefusals(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		stopped := w.create(t)
		long := time.Minute
		for name, tt := range map[string]struct {
			in   servers.ExecuteInput
			want fault.Code
		}{
			"of a stopped server":   {servers.ExecuteInput{ServerID: stopped.ID, Command: "list"}, fault.Conflict},
			"for too long":          {servers.ExecuteInput{ServerID: stopped.ID, Command: "list", Timeout: &long}, fault.BadUserInput},
			"more than a line":      {servers.ExecuteInput{ServerID: stopped.ID, Command: "list\nstop"}, fault.BadUserInput},
			"an unknown server's":   {servers.ExecuteInput{ServerID: "srv_nonsense", Command: "list"}, fault.NotFound},
			"while the node is off": {servers.ExecuteInput{ServerID: w.running(t).ID, Command: "list"}, fault.NodeOffline},
		} {
			_, err := w.Execute(w.ctx, tt.in)
			wantCode(t, name, err, tt.want)
		}
	})
}

// TestCommandOfACallerWhoHangsUp is in the audit trail all the same: the program has got it.
func TestCommandOfACallerWhoHangsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, testkit.Dialects()[0]))
	sv := w.running(t)
	ctx, hangUp := context.WithCancel(w.ctx)
	w.link.agent = &talker{lines: w.console, server: sv, answer: func(func(protocol.Stream, string), string) { hangUp() }}
	if _, err := w.SendCommand(ctx, sv.ID, "op me"); err != nil {
		t.Errorf("a command that arrived: %v", err)
	}
	if n := w.store.Client.AuditLog.Query().Where(auditlog.Action("server.command")).CountX(w.ctx); n != 1 {
		t.Errorf("%d commands in the audit trail", n)
	}
}
