package schedules_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/taskrun"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/schedules"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// hosted notes what tasks do to servers, and in whose name.
type hosted struct {
	mu   sync.Mutex
	done []string
	fail string        // the deed that fails
	hold chan struct{} // a command waits for it
}

func (h *hosted) note(ctx context.Context, deed string) (*ent.Server, error) {
	if h.hold != nil && deed == "COMMAND wait" {
		select {
		case <-h.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, viewer.FromContext(ctx).Username+" "+deed)
	if deed == h.fail {
		return nil, fault.New(fault.Conflict, "The server does not run.")
	}
	return nil, nil
}

func (h *hosted) Start(ctx context.Context, _ string) (*ent.Server, error) {
	return h.note(ctx, "START")
}

func (h *hosted) Stop(ctx context.Context, _ string) (*ent.Server, error) { return h.note(ctx, "STOP") }

func (h *hosted) Restart(ctx context.Context, _ string) (*ent.Server, error) {
	return h.note(ctx, "RESTART")
}

func (h *hosted) Kill(ctx context.Context, _ string) (*ent.Server, error) { return h.note(ctx, "KILL") }

func (h *hosted) SendCommand(ctx context.Context, _, command string) (*ent.Server, error) {
	return h.note(ctx, "COMMAND "+command)
}

func (h *hosted) deeds() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.done)
}

// people are the authors.
type people map[string]*viewer.Viewer

func (p people) Author(_ context.Context, id string) (*viewer.Viewer, error) {
	if v := p[id]; v != nil {
		return v, nil
	}
	return nil, fault.New(fault.Unauthenticated, "The account is suspended.")
}

// clock is the time of both instances, which the test moves while runs may still read it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

func (c *clock) move(d time.Duration) { c.set(c.now().Add(d)) }

// world is one server, its owner and a friend, two instances of the service, and a clock that the test moves.
type world struct {
	*schedules.Service
	other         *schedules.Service
	t             *testing.T
	store         *store.Store
	servers       *hosted
	people        people
	clock         *clock
	server, owner string
	asOwner       context.Context
	asFriend      context.Context
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	w := &world{t: t, store: s, servers: &hosted{}, people: people{}, clock: &clock{at: time.Date(2026, 3, 28, 12, 0, 30, 0, time.UTC)}}
	cfg := schedules.Config{
		Client: s.Client, Servers: w.servers, Accounts: w.people, Logger: slog.New(slog.DiscardHandler), Now: w.clock.now,
	}
	w.Service, w.other = schedules.New(t.Context(), cfg), schedules.New(t.Context(), cfg)
	t.Cleanup(w.Service.Close)
	t.Cleanup(w.other.Close)
	w.write(func(ctx context.Context, x *ent.Tx) {
		person := func(name string) string {
			return x.User.Create().SetEmail(name + "@example.com").SetUsername(name).SetUsernameKey(name).SetPasswordHash("-").SaveX(ctx).ID
		}
		w.owner = person("owner")
		friend := person("friend")
		place := x.Location.Create().SetName("here").SaveX(ctx)
		game := x.Template.Create().SetName("t").SaveX(ctx)
		node := x.Node.Create().SetName("n").SetPublicAddress("::1").SetLocation(place).SetMemoryLimit(0).SetCPULimit(0).SetDiskLimit(0).SaveX(ctx)
		w.server = x.Server.Create().SetName("s").SetOwnerID(w.owner).SetNode(node).SetTemplate(game).SaveX(ctx).ID
		x.ServerAccess.Create().SetServerID(w.server).SetUserID(friend).
			SetPermissions([]string{"server.read", "task.read", "task.create", "task.execute", "server.start"}).ExecX(ctx)
		w.people[w.owner] = &viewer.Viewer{UserID: w.owner, Username: "owner"}
		w.people[friend] = &viewer.Viewer{UserID: friend, Username: "friend"}
		w.asOwner, w.asFriend = viewer.NewContext(t.Context(), w.people[w.owner]), viewer.NewContext(t.Context(), w.people[friend])
	})
	return w
}

func (w *world) write(f func(ctx context.Context, x *ent.Tx)) {
	w.t.Helper()
	err := tx.Do(testkit.System(w.t.Context()), w.store.Client, func(ctx context.Context, x *ent.Tx) error { f(ctx, x); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

func command(text string) schedules.Step {
	return schedules.Step{Action: kind.TaskActionCommand, Payload: &text}
}

func (w *world) task(schedule string, steps ...schedules.Step) *ent.ScheduledTask {
	w.t.Helper()
	task, err := w.Create(w.asOwner, schedules.CreateInput{ServerID: w.server, Name: "task", Schedule: schedule, Steps: steps})
	if err != nil {
		w.t.Fatal(err)
	}
	return task
}

// pass moves the clock and has both instances begin what is due, at once.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.clock.move(d)
	var both sync.WaitGroup
	for _, s := range []*schedules.Service{w.Service, w.other} {
		both.Go(func() {
			if err := s.Begin(w.t.Context()); err != nil {
				w.t.Error(err)
			}
		})
	}
	both.Wait()
}

// runs waits until no run goes on, and returns them all.
func (w *world) runs() []*ent.TaskRun {
	w.t.Helper()
	ctx := testkit.System(w.t.Context())
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-tick.C {
		if !w.store.Client.TaskRun.Query().Where(taskrun.StateEQ(kind.TaskRunStateRunning)).ExistX(ctx) {
			return w.store.Client.TaskRun.Query().Order(taskrun.ByStartedAt(), taskrun.ByID()).AllX(ctx)
		}
	}
	w.t.Fatal("a run goes on for ever")
	return nil
}

func (w *world) reload(task *ent.ScheduledTask) *ent.ScheduledTask {
	return w.store.Client.ScheduledTask.GetX(testkit.System(w.t.Context()), task.ID)
}

// TestB4 has two instances look at what is due: each due time is run once, and what was missed is said to be.
func TestB4(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		task := w.task("*/5 * * * *", schedules.Step{Action: kind.TaskActionStart}, command("say hello"))
		if task.NextRunAt == nil || !task.NextRunAt.Equal(time.Date(2026, 3, 28, 12, 5, 0, 0, time.UTC)) {
			t.Fatalf("next at %v", task.NextRunAt)
		}
		w.pass(time.Minute)
		if len(w.runs()) != 0 {
			t.Error("it ran before its time")
		}
		for range 3 {
			w.pass(5 * time.Minute)
			w.runs()
		}
		runs := w.runs()
		if len(runs) != 3 || runs[2].State != kind.TaskRunStateSucceeded || len(runs[2].Log) != 2 {
			t.Fatalf("runs: %v", runs)
		}
		if got := w.servers.deeds(); len(got) != 6 || got[0] != "owner START" || got[1] != "owner COMMAND say hello" {
			t.Errorf("done: %v", got)
		}
		w.pass(3 * time.Hour) // no panel was there
		runs = w.runs()
		if last := runs[3]; len(runs) != 4 || last.State != kind.TaskRunStateSkipped || last.Log[0].Message == "" {
			t.Errorf("after a long absence: %v", runs[3:])
		}
		if got := w.reload(task); !got.NextRunAt.After(w.clock.now()) || got.NextRunAt.Sub(w.clock.now()) > 5*time.Minute || got.RunCount != 4 || *got.LastStatus != kind.TaskRunStateSkipped {
			t.Errorf("the task is %v", got)
		}
	})
}

// TestDaylightSaving runs a task of a time that the clocks leave out, and one that they repeat, once each.
func TestDaylightSaving(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, testkit.Dialects()[0]))
	for name, day := range map[string]time.Time{
		"left out": time.Date(2026, 3, 28, 20, 0, 0, 0, time.UTC), "repeated": time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC),
	} {
		w.clock.set(day)
		task, err := w.Create(w.asOwner, schedules.CreateInput{
			ServerID: w.server, Name: name, Schedule: "30 2 * * *", TimeZone: new("Europe/Berlin"), Steps: []schedules.Step{command(name)},
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 12 * 6 {
			w.pass(10 * time.Minute)
			w.runs()
		}
		if err := w.Delete(w.asOwner, task.ID); err != nil {
			t.Fatal(err)
		}
	}
	got := w.servers.deeds()
	slices.Sort(got)
	if want := []string{"owner COMMAND left out", "owner COMMAND repeated"}; !slices.Equal(got, want) {
		t.Errorf("done %v, want each once a night: %v", got, want)
	}
}

// TestA3 lets nobody do through a task what they may not do themselves.
func TestA3(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		create := func(ctx context.Context, step schedules.Step) (*ent.ScheduledTask, error) {
			return w.Create(ctx, schedules.CreateInput{ServerID: w.server, Name: "t", Schedule: "@hourly", Steps: []schedules.Step{step}})
		}
		if _, err := create(w.asFriend, command("op friend")); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("a command by one who may not write to the console: %v", err)
		}
		own, err := create(w.asFriend, schedules.Step{Action: kind.TaskActionStart})
		if err != nil {
			t.Fatal(err)
		}
		theirs := w.task("@hourly", command("save"))
		if _, err := w.Update(w.asFriend, schedules.UpdateInput{ID: theirs.ID, Steps: []schedules.Step{command("op friend")}}); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("another's task changed: %v", err)
		}
		if _, _, err := w.Execute(w.asFriend, theirs.ID); err != nil {
			t.Errorf("another's task run by one who may: %v", err)
		}
		w.runs()
		if got := w.servers.deeds(); !slices.Equal(got, []string{"owner COMMAND save"}) {
			t.Errorf("done: %v", got)
		}
		stranger := viewer.NewContext(t.Context(), &viewer.Viewer{UserID: "user_x"})
		if _, _, err := w.Execute(stranger, theirs.ID); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("a stranger: %v", err)
		}
		clear(w.people) // everybody is suspended
		if _, _, err := w.Execute(w.asOwner, own.ID); err != nil {
			t.Fatal(err)
		}
		runs := w.runs()
		if last := runs[len(runs)-1]; last.State != kind.TaskRunStateFailed {
			t.Errorf("a run without an author: %v", last)
		}
		if got := w.reload(own); got.Enabled || got.DisabledReason == nil || got.NextRunAt != nil {
			t.Errorf("the task without an author: %v", got)
		}
	})
}

// TestSteps go on after a failure only where they are told to.
func TestSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, testkit.Dialects()[0]))
	w.servers.fail = "COMMAND warn"
	warn := command("warn")
	careful := w.task("@yearly", warn, schedules.Step{Action: kind.TaskActionStop})
	warn.ContinueOnFailure = new(true)
	bold := w.task("@yearly", warn, schedules.Step{Action: kind.TaskActionStop})
	for _, task := range []*ent.ScheduledTask{careful, bold} {
		if _, _, err := w.Execute(w.asOwner, task.ID); err != nil {
			t.Fatal(err)
		}
		w.runs()
		w.clock.move(time.Second)
	}
	if got, want := w.servers.deeds(), []string{"owner COMMAND warn", "owner COMMAND warn", "owner STOP"}; !slices.Equal(got, want) {
		t.Errorf("done %v, want %v", got, want)
	}
	runs := w.runs()
	if len(runs[0].Log) != 1 || runs[0].Log[0].Message != "The server does not run." || runs[1].State != kind.TaskRunStateFailed || len(runs[1].Log) != 2 {
		t.Errorf("logs %v and %v", runs[0].Log, runs[1].Log)
	}
}

// TestOverlapAndAbandoned skips a run while the one before goes on, and ends one whose instance died.
func TestOverlapAndAbandoned(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		w.servers.hold = make(chan struct{})
		task := w.task("* * * * *", command("wait"))
		w.pass(time.Minute)
		if _, _, err := w.Execute(w.asOwner, task.ID); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("run by hand while it runs: %v", err)
		}
		w.pass(30 * time.Second) // within the lease
		close(w.servers.hold)
		runs := w.runs()
		if len(runs) != 2 || runs[0].State != kind.TaskRunStateSucceeded || runs[1].State != kind.TaskRunStateSkipped {
			t.Errorf("runs: %v", runs)
		}
		w.write(func(ctx context.Context, x *ent.Tx) {
			x.TaskRun.Create().SetTaskID(task.ID).SetScheduledAt(w.clock.now().Add(-time.Hour)).SetLeaseUntil(w.clock.now().Add(-time.Second)).ExecX(ctx)
		})
		w.pass(0)
		failed := s.Client.TaskRun.Query().Where(taskrun.StateEQ(kind.TaskRunStateFailed)).OnlyX(testkit.System(t.Context()))
		if failed.FinishedAt == nil || failed.Log[0].Message == "" {
			t.Errorf("an abandoned run: %v", failed)
		}
	})
}

func TestTaskRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, testkit.Dialects()[0]))
	good := schedules.CreateInput{ServerID: w.server, Name: "t", Schedule: "0 4 * * *", Steps: []schedules.Step{{Action: kind.TaskActionStart}}}
	for field, change := range map[string]func(*schedules.CreateInput){
		"name":             func(in *schedules.CreateInput) { in.Name = "" },
		"schedule":         func(in *schedules.CreateInput) { in.Schedule = "often" },
		"timeZone":         func(in *schedules.CreateInput) { in.TimeZone = new("Mars/Base") },
		"steps":            func(in *schedules.CreateInput) { in.Steps = nil },
		"steps[0].payload": func(in *schedules.CreateInput) { in.Steps = []schedules.Step{command("a\nb")} },
		"steps[0].delay": func(in *schedules.CreateInput) {
			in.Steps = []schedules.Step{{Action: kind.TaskActionStop, Delay: new(3601)}}
		},
	} {
		in := good
		change(&in)
		_, err := w.Create(w.asOwner, in)
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != fault.BadUserInput || f.Field != field {
			t.Errorf("a bad %s: %v", field, err)
		}
	}
	for _, schedule := range []string{"@every 1s", "TZ=UTC 0 4 * * *", "0 0 30 2 *", "0 4 * *", "* * * * * *"} {
		in := good
		in.Schedule = schedule
		if _, err := w.Create(w.asOwner, in); fault.CodeOf(err) != fault.BadUserInput {
			t.Errorf("%q: %v", schedule, err)
		}
	}
	off, err := w.Create(w.asOwner, schedules.CreateInput{ServerID: w.server, Name: "t", Schedule: "@daily", Steps: good.Steps, Enabled: new(false)})
	if err != nil || off.NextRunAt != nil {
		t.Errorf("a task that is off: %v, %v", off, err)
	}
	on, err := w.Update(w.asOwner, schedules.UpdateInput{ID: off.ID, Enabled: new(true)})
	if err != nil || on.NextRunAt == nil {
		t.Errorf("switched on: %v, %v", on, err)
	}
}
