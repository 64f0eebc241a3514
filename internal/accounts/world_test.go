package accounts_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/auditlog"
	"github.com/catalyst-panel/catalyst/ent/role"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/seal"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// goodPassword passes the policy.
const goodPassword = "plum harbour 42"

// home is where the tests' people sit.
var home = netip.MustParseAddr("192.0.2.10")

// clock stands still unless it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a service on a database of its own. Its clock stands still, so that nothing remembered goes stale by itself:
// what a test sees change was announced.
type world struct {
	*accounts.Service
	t      *testing.T
	store  *store.Store
	bus    *bus.Bus
	box    *seal.Box
	tokens *token.Signer
	clock  *clock
}

func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) { f(t, newWorld(t, s, nil)) })
}

func newWorld(t *testing.T, s *store.Store, limiter accounts.Limiter) *world {
	t.Helper()
	return newLimitedWorld(t, s, limiter, nil)
}

func newLimitedWorld(t *testing.T, s *store.Store, perAccount, perAddress accounts.Limiter) *world {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	c := &clock{at: time.Now().UTC().Truncate(time.Second)}
	tokens, err := token.New(key, c.now)
	must(t, err)
	b, err := bus.Open(t.Context(), bus.Config{})
	must(t, err)
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	box, err := seal.New([]byte("a key that only tests seal with"))
	must(t, err)
	svc, err := accounts.New(accounts.Config{
		Secrets: box, Client: s.Client, Tokens: tokens, Bus: b, AllowRegistration: true, Limiter: perAccount, AddressLimiter: perAddress,
		PasswordCost: bcrypt.MinCost, Now: c.now,
	})
	must(t, err)
	return &world{Service: svc, box: box, t: t, store: s, bus: b, tokens: tokens, clock: c}
}

// anyone is the context of somebody who has not signed in.
func (w *world) anyone() context.Context {
	return request.NewContext(w.t.Context(), request.Info{ID: "req-1", IP: home, UserAgent: "test/1"})
}

// person registers somebody and returns their credentials and context.
func (w *world) person(name string) (*accounts.Credentials, context.Context) {
	w.t.Helper()
	c, err := w.Register(w.anyone(), accounts.RegisterInput{
		Email: name + "@example.com", Username: name, Password: goodPassword,
	})
	must(w.t, err)
	return c, w.as(c.AccessToken)
}

// with registers somebody who has the permissions everywhere, by a role of their own.
func (w *world) with(name string, permissions ...string) (*accounts.Credentials, context.Context) {
	w.t.Helper()
	c, _ := w.person(name)
	w.write(func(ctx context.Context, t *ent.Tx) error {
		r, err := t.Role.Create().SetName("role of " + name).SetPermissions(permissions).Save(ctx)
		if err != nil {
			return err
		}
		return t.User.UpdateOneID(c.User.ID).AddRoles(r).Exec(ctx)
	})
	w.clock.move(2 * time.Second) // written behind the service's back
	return c, w.as(c.AccessToken)
}

// admin registers somebody who has the role admin.
func (w *world) admin(name string) (*accounts.Credentials, context.Context) {
	w.t.Helper()
	c, _ := w.person(name)
	w.write(func(ctx context.Context, t *ent.Tx) error {
		return t.User.UpdateOneID(c.User.ID).AddRoleIDs(w.role("admin")).Exec(ctx)
	})
	w.clock.move(2 * time.Second)
	return c, w.as(c.AccessToken)
}

// as returns the context of whoever holds the credential.
func (w *world) as(credential string) context.Context {
	w.t.Helper()
	v, _, err := w.Authenticate(w.anyone(), "Bearer "+credential, home, "test/1")
	must(w.t, err)
	return viewer.NewContext(w.anyone(), v)
}

// refused fails the test unless the credential is refused.
func (w *world) refused(what, credential string) {
	w.t.Helper()
	_, _, err := w.Authenticate(w.anyone(), "Bearer "+credential, home, "test/1")
	wantCode(w.t, what, err, fault.Unauthenticated)
}

func (w *world) system() context.Context { return testkit.System(w.t.Context()) }

// write writes behind the service's back.
func (w *world) write(fn func(ctx context.Context, t *ent.Tx) error) {
	w.t.Helper()
	must(w.t, tx.Do(w.system(), w.store.Client, fn))
}

func (w *world) role(name string) string {
	w.t.Helper()
	id, err := w.store.Client.Role.Query().Where(role.Name(name)).OnlyID(w.system())
	must(w.t, err)
	return id
}

// server makes a server of an owner.
func (w *world) server(name, ownerID string) string {
	w.t.Helper()
	var id string
	w.write(func(ctx context.Context, t *ent.Tx) error {
		loc, err := t.Location.Create().SetName("location of " + name).Save(ctx)
		if err != nil {
			return err
		}
		n, err := t.Node.Create().SetName("node of " + name).SetPublicAddress("192.0.2.1").SetLocation(loc).
			SetMemoryLimit(1 << 30).SetCPULimit(100).SetDiskLimit(1 << 30).Save(ctx)
		if err != nil {
			return err
		}
		tmpl, err := t.Template.Create().SetName("template of " + name).SetStartup("./game").Save(ctx)
		if err != nil {
			return err
		}
		s, err := t.Server.Create().SetName(name).SetOwnerID(ownerID).SetNode(n).SetTemplate(tmpl).Save(ctx)
		if err != nil {
			return err
		}
		id = s.ID
		return nil
	})
	return id
}

// trail returns the outcomes of an action in the audit trail, in order.
func (w *world) trail(action string) []*ent.AuditLog {
	w.t.Helper()
	rows, err := w.store.Client.AuditLog.Query().Where(auditlog.Action(action)).
		Order(auditlog.ByCreatedAt(), auditlog.ByID()).All(w.system())
	must(w.t, err)
	return rows
}

func (w *world) wantTrail(action string, outcomes ...kind.AuditOutcome) {
	w.t.Helper()
	rows := w.trail(action)
	got := make([]string, 0, len(rows))
	for _, r := range rows {
		got = append(got, string(r.Outcome))
	}
	want := make([]string, 0, len(outcomes))
	for _, o := range outcomes {
		want = append(want, string(o))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		w.t.Errorf("audit trail of %s: got %v, want %v", action, got, want)
	}
}

// listen subscribes to the changes of access and returns a function that waits for one of an account.
func (w *world) listen() func(what, userID, serverID string) {
	w.t.Helper()
	sub, err := accounts.AccessChanged.Subscribe(w.t.Context(), w.bus, bus.All, bus.Options{})
	must(w.t, err)
	return func(what, userID, serverID string) {
		w.t.Helper()
		deadline := time.NewTimer(5 * time.Second)
		defer deadline.Stop()
		for {
			select {
			case c := <-sub.C():
				if c.UserID == userID && c.ServerID == serverID {
					return
				}
			case <-deadline.C:
				w.t.Errorf("%s: no change of access was announced", what)
				return
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, code)
	}
}

type contextOf = context.Context

func wantField(t *testing.T, what string, err error, field string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Field != field {
		t.Errorf("%s: got %v, want a fault of the field %q", what, err, field)
	}
}

func second[A any](_ A, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }
