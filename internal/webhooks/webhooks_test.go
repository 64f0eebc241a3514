package webhooks_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/webhookdelivery"
	"github.com/catalyst-panel/catalyst/internal/egress"
	"github.com/catalyst-panel/catalyst/internal/events"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/seal"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
	"github.com/catalyst-panel/catalyst/internal/webhooks"
)

// received is a request that arrived.
type received struct {
	header http.Header
	body   []byte
}

// receiver is somebody's web server.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    chan received
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusNoContent, got: make(chan received, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.got <- received{req.Header, body}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.status/100 == 3 {
			w.Header().Set("Location", "http://169.254.169.254/")
		}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// world is the service at work, with a drainer.
type world struct {
	*webhooks.Service
	t     *testing.T
	store *store.Store
	ctx   context.Context
	drain *events.Drainer
}

func newWorld(t *testing.T, s *store.Store, allowed ...string) *world {
	t.Helper()
	box, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	var policy egress.Policy
	for _, network := range allowed {
		policy.Allowed = append(policy.Allowed, netip.MustParsePrefix(network))
	}
	log := slog.New(slog.DiscardHandler)
	w := &world{t: t, store: s, ctx: testkit.System(t.Context())}
	w.Service = webhooks.New(webhooks.Config{Client: s.Client, Logger: log, Secrets: box, HTTP: policy.Client(2 * time.Second)})
	w.drain = &events.Drainer{Client: s.Client, Logger: log, Handle: w.Dispatch}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// emit emits an event and drains it.
func (w *world) emit(e events.Event) {
	w.t.Helper()
	err := tx.Do(w.ctx, w.store.Client, func(ctx context.Context, _ *ent.Tx) error { return events.Emit(ctx, e) })
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.drain.Once(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}

// delivery waits until the only delivery of an event satisfies a condition.
func (w *world) delivery(event string, until func(*ent.WebhookDelivery) bool) *ent.WebhookDelivery {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		d, err := w.store.Client.WebhookDelivery.Query().Where(webhookdelivery.Event(event)).Only(w.ctx)
		if err == nil && until(d) {
			return d
		}
		if time.Now().After(end) {
			w.t.Fatalf("the delivery of %s is %v, %v", event, d, err)
		}
	}
}

func ended(d *ent.WebhookDelivery) bool {
	return d.State == kind.DeliveryStateSucceeded || d.State == kind.DeliveryStateDead
}

// TestDelivery tells a webhook of what it wants to hear, signed, and of nothing else.
func TestDelivery(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w, r := newWorld(t, s, "127.0.0.0/8"), newReceiver(t)
		hook, err := w.Create(w.ctx, webhooks.CreateInput{Name: "h", URL: r.URL + "/hook", Events: []string{"server.*"}})
		if err != nil || len(hook.Secret) < 16 {
			t.Fatal(hook, err)
		}
		if _, err := w.Create(w.ctx, webhooks.CreateInput{Name: "other", URL: r.URL, Events: []string{"user.*"}}); err != nil {
			t.Fatal(err)
		}
		w.emit(events.Event{Name: events.ServerState, Text: "The server is running.", Actor: "ann", Data: map[string]any{"state": "RUNNING"}})
		w.emit(events.Event{Name: events.NodeOffline})
		got := <-r.got
		d := w.delivery(events.ServerState, ended)
		if d.State != kind.DeliveryStateSucceeded || d.Attempts != 1 || d.StatusCode == nil || *d.StatusCode != 204 || d.DeliveredAt == nil || d.LatencyMs == nil {
			t.Errorf("the delivery is %v", d)
		}
		want := webhooks.Sign([]byte(hook.Secret), got.header.Get(webhooks.HeaderTimestamp), got.body)
		if got.header.Get(webhooks.HeaderSignature) != want || got.header.Get(webhooks.HeaderDelivery) != d.ID ||
			got.header.Get(webhooks.HeaderEvent) != events.ServerState {
			t.Errorf("headers %v", got.header)
		}
		var body map[string]any
		if err := json.Unmarshal(got.body, &body); err != nil || body["id"] != d.ID || body["event"] != events.ServerState || body["actor"] != "ann" {
			t.Errorf("body %s, %v", got.body, err)
		}
		if n := s.Client.WebhookDelivery.Query().CountX(w.ctx); n != 1 {
			t.Errorf("%d deliveries", n)
		}
		if n := s.Client.Outbox.Query().CountX(w.ctx); n != 0 {
			t.Errorf("%d events are left in the outbox", n)
		}
		if row := s.Client.Webhook.GetX(w.ctx, hook.Webhook.ID); strings.Contains(string(*row.Secret), hook.Secret) {
			t.Error("the secret lies in the database as it is")
		}
	})
}

// TestFormats speaks the language of chat programs.
func TestFormats(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, testkit.Store(t, testkit.Dialects()[0]), "127.0.0.0/8"), newReceiver(t)
	for format, want := range map[kind.WebhookFormat]string{
		kind.WebhookFormatDiscord: `"embeds":[{"color":14170682,"description":"It \u003cended\u003e."`,
		kind.WebhookFormatSlack:   `"text":"*server.crash*\nIt \u0026lt;ended\u0026gt;."`,
	} {
		hook, err := w.Create(w.ctx, webhooks.CreateInput{Name: "h", URL: r.URL, Events: []string{events.ServerCrashed}, Format: &format})
		if err != nil {
			t.Fatal(err)
		}
		w.emit(events.Event{Name: events.ServerCrashed, Text: "It <ended>."})
		if got := <-r.got; !strings.Contains(string(got.body), want) {
			t.Errorf("%s: %s", format, got.body)
		}
		w.delivery(events.ServerCrashed, ended)
		if err := w.Delete(w.ctx, hook.Webhook.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRetries tries again after failures, and gives up when it is pointless.
func TestRetries(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w, r := newWorld(t, s, "127.0.0.0/8"), newReceiver(t)
		hook, err := w.Create(w.ctx, webhooks.CreateInput{Name: "h", URL: r.URL, Events: []string{"*"}})
		if err != nil {
			t.Fatal(err)
		}
		r.answer(http.StatusInternalServerError)
		w.emit(events.Event{Name: events.NodeOnline})
		<-r.got
		d := w.delivery(events.NodeOnline, func(d *ent.WebhookDelivery) bool { return d.State == kind.DeliveryStateFailed })
		if d.Error == nil || !strings.Contains(*d.Error, "500") || time.Until(d.NextAttemptAt) < 5*time.Second {
			t.Errorf("after a failure: %v", d)
		}
		due := func(attempts int) {
			err := tx.Do(w.ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
				return x.WebhookDelivery.UpdateOneID(d.ID).SetNextAttemptAt(time.Now()).SetAttempts(attempts).Exec(ctx)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		r.answer(http.StatusFound) // to a private address, which is not followed
		due(1)
		<-r.got
		d = w.delivery(events.NodeOnline, func(d *ent.WebhookDelivery) bool {
			return d.Attempts == 2 && d.StatusCode != nil && *d.StatusCode == 302
		})
		if d.Error == nil || !strings.Contains(*d.Error, "redirects") {
			t.Errorf("after a redirect: %v", d)
		}
		due(10)
		<-r.got
		if d = w.delivery(events.NodeOnline, ended); d.State != kind.DeliveryStateDead || d.Error == nil {
			t.Errorf("after the last try: %v", d)
		}
		r.answer(http.StatusOK)
		again, err := w.Redeliver(w.ctx, d.ID)
		if err != nil || again.ID == d.ID {
			t.Fatal(again, err)
		}
		if got := <-r.got; got.header.Get(webhooks.HeaderDelivery) != again.ID {
			t.Errorf("redelivered as %s", got.header.Get(webhooks.HeaderDelivery))
		}
		if _, err := w.Update(w.ctx, webhooks.UpdateInput{ID: hook.Webhook.ID, Enabled: new(false)}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Test(w.ctx, hook.Webhook.ID); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("a ping to a webhook that is off: %v", err)
		}
	})
}

// TestPrivateAddresses never reach one, whatever is typed in.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, testkit.Store(t, testkit.Dialects()[0])), newReceiver(t)
	hook, err := w.Create(w.ctx, webhooks.CreateInput{Name: "h", URL: r.URL, Events: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Test(w.ctx, hook.Webhook.ID); err != nil {
		t.Fatal(err)
	}
	d := w.delivery(events.Ping, func(d *ent.WebhookDelivery) bool { return d.State == kind.DeliveryStateFailed })
	if d.Error == nil || !strings.Contains(*d.Error, "not a public one") || len(r.got) != 0 {
		t.Errorf("the delivery is %v, %d requests arrived", d, len(r.got))
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, testkit.Dialects()[0]))
	good := webhooks.CreateInput{Name: "h", URL: "https://example.com/", Events: []string{"*"}}
	for name, change := range map[string]func(*webhooks.CreateInput){
		"name":   func(in *webhooks.CreateInput) { in.Name = " " },
		"url":    func(in *webhooks.CreateInput) { in.URL = "file:///etc/passwd" },
		"events": func(in *webhooks.CreateInput) { in.Events = []string{"server.explode"} },
		"secret": func(in *webhooks.CreateInput) { in.Secret = new("short") },
	} {
		in := good
		change(&in)
		_, err := w.Create(w.ctx, in)
		if f, ok := err.(*fault.Error); !ok || f.Code != fault.BadUserInput || f.Field != name { //nolint:errorlint // it is returned as it is
			t.Errorf("a bad %s: %v", name, err)
		}
	}
	reader := viewer.NewContext(t.Context(), &viewer.Viewer{UserID: "user_x", Permissions: []string{"webhook.read"}})
	if _, err := w.Create(reader, good); fault.CodeOf(err) != fault.Forbidden {
		t.Errorf("without the permission: %v", err)
	}
}
