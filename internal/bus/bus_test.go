package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type tick struct {
	N    int    `json:"n"`
	Text string `json:"text,omitempty"`
}

var ticks = bus.NewTopic[tick]("test.tick")

// open returns a bus that is closed with the test.
func open(t testing.TB, url string) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// natsServer starts a NATS server on loopback, as a cluster of one.
func natsServer(t testing.TB) string {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS did not become ready")
	}
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	return srv.ClientURL()
}

func publish(t testing.TB, b *bus.Bus, key string, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := ticks.Publish(t.Context(), b, key, tick{N: n}); err != nil {
			t.Error(err)
			return
		}
	}
}

// receive reads count events or fails.
func receive(t testing.TB, sub *bus.Subscription[tick], count int) []int {
	t.Helper()
	got := make([]int, 0, count)
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for len(got) < count {
		select {
		case v, ok := <-sub.C():
			if !ok {
				t.Fatalf("the subscription ended after %d of %d events", len(got), count)
			}
			got = append(got, v.N)
		case <-deadline.C:
			t.Fatalf("received %d of %d events", len(got), count)
		}
	}
	return got
}

func sequence(from, to int) []int {
	var s []int
	for n := from; n <= to; n++ {
		s = append(s, n)
	}
	return s
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestEventsArriveInOrder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"embedded", "two instances"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := ""
			if name != "embedded" {
				url = natsServer(t)
			}
			publisher := open(t, url)
			reader := publisher
			if url != "" {
				reader = open(t, url)
			}
			one, err := ticks.Subscribe(t.Context(), reader, "a", bus.Options{Buffer: 2000})
			if err != nil {
				t.Fatal(err)
			}
			all, err := ticks.Subscribe(t.Context(), reader, bus.All, bus.Options{Buffer: 2000})
			if err != nil {
				t.Fatal(err)
			}
			publish(t, publisher, "a", 1, 1000)
			publish(t, publisher, "b", 1001, 1001)
			if diff := cmp.Diff(sequence(1, 1000), receive(t, one, 1000)); diff != "" {
				t.Errorf("one key (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(sequence(1, 1001), receive(t, all, 1001)); diff != "" {
				t.Errorf("all keys (-want +got):\n%s", diff)
			}
			if one.Overflowed() || all.Overflowed() {
				t.Error("a reader that kept up was told that it missed something")
			}
		})
	}
}

func TestNothingPublishedAfterSubscribeIsMissed(t *testing.T) {
	t.Parallel()
	url := natsServer(t)
	publisher, reader := open(t, url), open(t, url)
	for round := range 200 {
		sub, err := ticks.Subscribe(t.Context(), reader, "a", bus.Options{})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, publisher, "a", round, round)
		if got := receive(t, sub, 1)[0]; got != round {
			t.Fatalf("round %d: got the event of round %d", round, got)
		}
		sub.Close()
	}
}

func TestSlowReader(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		policy bus.Policy
		want   []int
	}{
		{"Mark keeps the oldest", bus.Mark, sequence(1, 4)},
		{"Latest keeps the newest", bus.Latest, sequence(7, 10)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := open(t, "")
			slow, err := ticks.Subscribe(t.Context(), b, "a", bus.Options{Buffer: 4, Policy: tt.policy})
			if err != nil {
				t.Fatal(err)
			}
			fast, err := ticks.Subscribe(t.Context(), b, "a", bus.Options{Buffer: 10})
			if err != nil {
				t.Fatal(err)
			}
			publish(t, b, "a", 1, 10)
			if diff := cmp.Diff(sequence(1, 10), receive(t, fast, 10)); diff != "" {
				t.Errorf("the slow reader harmed the fast one (-want +got):\n%s", diff)
			}
			eventually(t, "six events dropped", func() bool { return slow.Dropped() == 6 })
			select {
			case <-slow.Gap():
			default:
				t.Error("the reader was not woken")
			}
			if diff := cmp.Diff(tt.want, receive(t, slow, 4)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !slow.Overflowed() {
				t.Error("the overflow was not reported")
			}
			if slow.Overflowed() {
				t.Error("the overflow was reported twice")
			}
			publish(t, b, "a", 11, 11)
			if got := receive(t, slow, 1)[0]; got != 11 {
				t.Errorf("after the overflow: got %d, want 11", got)
			}
		})
	}
}

func TestSubscriptionEnds(t *testing.T) {
	t.Parallel()
	b := open(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	byContext, err := ticks.Subscribe(ctx, b, "a", bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	byClose, err := ticks.Subscribe(t.Context(), b, "a", bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s := b.Stats(); s.Subscriptions != 2 || s.Upstreams != 1 {
		t.Errorf("two readers of one subject: %+v", s)
	}
	cancel()
	byClose.Close()
	byClose.Close()
	for _, sub := range []*bus.Subscription[tick]{byContext, byClose} {
		if _, ok := <-sub.C(); ok {
			t.Error("an event from nowhere")
		}
	}
	eventually(t, "everything is released", func() bool {
		s := b.Stats()
		return s.Subscriptions == 0 && s.Upstreams == 0
	})
}

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	b, err := bus.Open(t.Context(), bus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := ticks.Subscribe(t.Context(), b, "a", bus.Options{Buffer: 100})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b, "a", 1, 100)
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []int
	for v := range sub.C() {
		got = append(got, v.N)
	}
	if diff := cmp.Diff(sequence(1, 100), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := ticks.Publish(t.Context(), b, "a", tick{}); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("publish on a closed bus: %v", err)
	}
	if _, err := ticks.Subscribe(t.Context(), b, "a", bus.Options{}); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("subscribe on a closed bus: %v", err)
	}
}

func TestReconnectIsAGap(t *testing.T) {
	t.Parallel()
	opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true}
	first, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	first.Start()
	if !first.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS did not become ready")
	}
	b := open(t, first.ClientURL())
	sub, err := ticks.Subscribe(t.Context(), b, "a", bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	first.Shutdown()
	first.WaitForShutdown()
	second, err := server.NewServer(opts) // the port that was chosen is in opts now
	if err != nil {
		t.Fatal(err)
	}
	second.Start()
	t.Cleanup(func() {
		second.Shutdown()
		second.WaitForShutdown()
	})
	select {
	case <-sub.Gap():
	case <-time.After(20 * time.Second):
		t.Fatal("the reader was not told of the lost connection")
	}
	if !sub.Overflowed() {
		t.Error("no overflow after a lost connection")
	}
	publish(t, b, "a", 1, 1)
	if got := receive(t, sub, 1)[0]; got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestBadKeysAndEvents(t *testing.T) {
	t.Parallel()
	b := open(t, "")
	for _, key := range []string{"", "a.b", "a b", ">", "a>", "é", strings.Repeat("a", 201)} {
		if err := ticks.Publish(t.Context(), b, key, tick{}); err == nil {
			t.Errorf("published with the key %q", key)
		}
		if _, err := ticks.Subscribe(t.Context(), b, key, bus.Options{}); err == nil {
			t.Errorf("subscribed with the key %q", key)
		}
	}
	if err := ticks.Publish(t.Context(), b, bus.All, tick{}); err == nil {
		t.Error("published to all keys")
	}
	if err := ticks.Publish(t.Context(), b, "a", tick{Text: strings.Repeat("x", 9<<20)}); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("too large an event: %v", err)
	}
	if _, err := ticks.Subscribe(t.Context(), b, "a", bus.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.NewTopic[string]("test.tick").Subscribe(t.Context(), b, "a", bus.Options{}); err == nil {
		t.Error("one topic carried two types")
	}
}

func TestCall(t *testing.T) {
	t.Parallel()
	url := natsServer(t)
	server, caller := open(t, url), open(t, url)
	responder, err := server.Serve(t.Context(), "echo.node_1", func(ctx context.Context, request []byte) ([]byte, error) {
		switch string(request) {
		case "fault":
			return nil, fault.New(fault.Conflict, "It is busy.\nWait.")
		case "error":
			return nil, errors.New("a secret")
		case "hang":
			<-ctx.Done()
			return nil, ctx.Err()
		case "large":
			return make([]byte, 2<<20), nil
		}
		return append([]byte("echo "), request...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer responder.Close()

	tests := []struct {
		request, answer string
		code            fault.Code
		message         string
	}{
		{request: "hello", answer: "echo hello"},
		{request: "", answer: "echo "},
		{request: "fault", code: fault.Conflict, message: "It is busy. Wait."},
		{request: "error", code: fault.Internal, message: "Something went wrong. Try again."},
		{request: "large", code: fault.Internal, message: "Something went wrong. Try again."},
	}
	for _, tt := range tests {
		answer, err := caller.Call(t.Context(), "echo.node_1", []byte(tt.request))
		if string(answer) != tt.answer || fault.CodeOf(err) != tt.code {
			t.Errorf("%q: got %q, %v", tt.request, answer, err)
		}
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Message != tt.message {
			t.Errorf("%q: got the message %q", tt.request, f.Message)
		}
	}

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := caller.Call(short, "echo.node_1", []byte("hang")); fault.CodeOf(err) != fault.Timeout {
		t.Errorf("a call that hangs: %v", err)
	}
	if _, err := caller.Call(t.Context(), "echo.node_2", nil); !errors.Is(err, bus.ErrNoResponder) {
		t.Errorf("a call that nobody serves: %v", err)
	}
	responder.Close()
	if _, err := caller.Call(t.Context(), "echo.node_1", nil); !errors.Is(err, bus.ErrNoResponder) {
		t.Errorf("a call after Close: %v", err)
	}
}

func TestManyReadersComeAndGo(t *testing.T) {
	t.Parallel()
	b := open(t, "")
	var work sync.WaitGroup
	for range 50 {
		work.Go(func() {
			for range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				sub, err := ticks.Subscribe(ctx, b, "a", bus.Options{Buffer: 1})
				if err != nil {
					t.Error(err)
				}
				publish(t, b, "a", 1, 1)
				receive(t, sub, 1)
				cancel()
			}
		})
	}
	work.Wait()
	eventually(t, "everything is released", func() bool {
		s := b.Stats()
		return s.Subscriptions == 0 && s.Upstreams == 0
	})
}

// BenchmarkFanOut measures one batch of console lines on its way to every viewer of one console.
func BenchmarkFanOut(b *testing.B) {
	type batch struct{ Lines []tick }
	lines := batch{}
	for n := range 64 {
		lines.Lines = append(lines.Lines, tick{N: n, Text: strings.Repeat("x", 100)})
	}
	for _, readers := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			topic := bus.NewTopic[batch]("bench")
			bb := open(b, "")
			var arrived sync.WaitGroup
			var done sync.WaitGroup
			for range readers {
				sub, err := topic.Subscribe(b.Context(), bb, "a", bus.Options{})
				if err != nil {
					b.Fatal(err)
				}
				done.Go(func() {
					for range sub.C() {
						arrived.Done()
					}
				})
				defer sub.Close()
			}
			b.ReportAllocs()
			for b.Loop() {
				arrived.Add(readers)
				if err := topic.Publish(b.Context(), bb, "a", lines); err != nil {
					b.Fatal(err)
				}
				arrived.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(readers), "ns/reader")
		})
	}
}
