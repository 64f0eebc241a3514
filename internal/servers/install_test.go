package servers_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

// installable makes the template one with a script, and the node one with containers, and returns a new server.
func (w *world) installable(t *testing.T, start bool) *ent.Server {
	t.Helper()
	w.do(t, func(ctx context.Context, x *ent.Tx) {
		x.Node.UpdateOneID(w.nodeID).SetRuntime("containerd").ExecX(ctx)
		x.Template.UpdateOneID(w.templateID).SetInstallImage("tools").SetInstallEntrypoint("bash").SetInstallScript("make\r\nall\r\n").
			SetInstallTimeout(60).SetInstallClear(true).SetInstallKeep([]string{"saves"}).
			SetVariables([]kind.TemplateVariable{
				{Name: "Token", Key: "TOKEN", Type: kind.VariableTypeString, Secret: true, Default: "hush-hush", UserEditable: true},
				{Name: "Version", Key: "VERSION", Type: kind.VariableTypeString, Default: "1.2", UserEditable: true},
			}).ExecX(ctx)
	})
	sv, err := w.Create(w.ctx, servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID, StartOnInstall: start})
	if err != nil {
		t.Fatal(err)
	}
	return sv
}

// say is the node's report of a state with a reason.
func (w *world) say(t *testing.T, sv *ent.Server, state protocol.State, reason string) *ent.Server {
	t.Helper()
	now := w.store.Client.Server.GetX(w.ctx, sv.ID)
	err := w.Observed(w.ctx, w.nodeID, []*protocol.Observed{{
		ServerId: sv.ID, State: state, Generation: uint64(now.Generation), Reason: reason, AtUs: time.Now().UnixMicro(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return w.store.Client.Server.GetX(w.ctx, sv.ID)
}

func TestInstallation(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sv := w.installable(t, true)
		if sv.State != kind.ServerStateInstalling {
			t.Fatalf("a new server is %s", sv.State)
		}
		wanted, err := w.One(w.ctx, w.nodeID, sv.ID)
		if err != nil {
			t.Fatal(err)
		}
		spec, desired := wanted.Apply.GetSpec(), wanted.Apply.GetDesired()
		i := spec.GetInstall()
		if i.GetImage() != "tools" || i.GetEntrypoint() != "bash" || i.GetScript() != "make\nall\n" || i.GetTimeoutMs() != 60_000 ||
			!i.GetClear() || !slices.Equal(i.GetKeep(), []string{"saves"}) || !slices.Equal(spec.GetSecrets(), []string{"hush-hush"}) {
			t.Errorf("the node is told %v, secrets %v", i, spec.GetSecrets())
		}
		if desired.GetInstall() != 1 || desired.GetRun() != 1 || desired.GetPower() != protocol.Power_POWER_RUN {
			t.Errorf("wanted is %v", desired)
		}
		for name, verb := range map[string]func(context.Context, string) (*ent.Server, error){
			"start": w.Start, "stop": w.Stop, "restart": w.Restart, "install": w.Install,
		} {
			_, err := verb(w.ctx, sv.ID)
			wantCode(t, name+" while it is installed", err, fault.Conflict)
		}
		failed := w.say(t, sv, protocol.State_STATE_ERROR, "The installation failed: its script exited with code 3.")
		if failed.State != kind.ServerStateError || failed.InstalledAt != nil || failed.StateReason == "" {
			t.Errorf("after a failure: %s, installed at %v", failed.State, failed.InstalledAt)
		}
		again, err := w.Install(w.ctx, sv.ID)
		if err != nil || again.State != kind.ServerStateInstalling || again.Install != 2 || again.Power != kind.PowerStop {
			t.Fatalf("once more: %+v, %v", again, err)
		}
		if done := w.say(t, sv, protocol.State_STATE_STOPPED, ""); done.InstalledAt == nil || done.State != kind.ServerStateStopped {
			t.Errorf("after the installation: %s, installed at %v", done.State, done.InstalledAt)
		}
	})
}

func TestInstallRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, "sqlite3"))
	sv := w.create(t)
	_, err := w.Install(w.ctx, sv.ID)
	wantCode(t, "nothing to install", err, fault.Conflict)
	_, err = w.Install(w.ctx, "srv_unknown")
	wantCode(t, "no server", err, fault.NotFound)
	w.do(t, func(ctx context.Context, x *ent.Tx) {
		x.Template.UpdateOneID(w.templateID).SetInstallImage("tools").SetInstallScript("make").ExecX(ctx)
	})
	if _, err := w.Start(w.ctx, sv.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.Install(w.ctx, sv.ID)
	wantCode(t, "while it runs", err, fault.Conflict)
	w.say(t, sv, protocol.State_STATE_STOPPED, "")
	w.do(t, func(ctx context.Context, x *ent.Tx) { x.Node.UpdateOneID(w.nodeID).SetOnline(false).ExecX(ctx) })
	_, err = w.Install(w.ctx, sv.ID)
	wantCode(t, "on a node that is offline", err, fault.NodeOffline)
	_, err = w.Create(w.ctx, servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID, NodeID: &w.nodeID})
	wantCode(t, "on a node without containers", err, fault.NodeOffline)
	w.do(t, func(ctx context.Context, x *ent.Tx) { x.Node.UpdateOneID(w.nodeID).SetOnline(true).ExecX(ctx) })
	_, err = w.Create(w.ctx, servers.CreateInput{Name: "s", TemplateID: w.templateID, OwnerID: &w.userID, NodeID: &w.nodeID})
	wantCode(t, "on a node without containers", err, fault.Conflict)
}

// TestInstallProgress follows an installation to its end.
func TestInstallProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, "sqlite3"))
	sv := w.installable(t, false)
	line := func(seq uint64, text string) {
		err := w.console.Ingest(w.ctx, w.nodeID, []*protocol.ConsoleResponse{{ServerId: sv.ID, Lines: []*protocol.ConsoleLine{
			{Seq: seq, AtUs: time.Now().UnixMicro(), Stream: protocol.Stream_STREAM_STDOUT, Text: text},
		}}})
		if err != nil {
			t.Error(err)
		}
	}
	tell := func(nodeID string, far float64, message string) {
		err := w.Installing(w.ctx, nodeID, &protocol.InstallProgress{ServerId: sv.ID, Progress: far, Message: message})
		if err != nil {
			t.Error(err)
		}
	}
	line(1, "from the beginning")
	steps := make(chan servers.InstallProgress, 100)
	done := make(chan error, 1)
	go func() {
		done <- w.FollowInstall(w.ctx, sv.ID, func(p servers.InstallProgress) error { steps <- p; return nil })
	}()
	next := func(what string, want func(servers.InstallProgress) bool) servers.InstallProgress {
		t.Helper()
		limit := time.NewTimer(10 * time.Second)
		defer limit.Stop()
		for {
			select {
			case p := <-steps:
				if want(p) {
					return p
				}
			case <-limit.C:
				t.Fatalf("no step with %s", what)
			}
		}
	}
	said := func(text string) func(servers.InstallProgress) bool {
		return func(p servers.InstallProgress) bool { return len(p.Lines) > 0 && p.Lines[len(p.Lines)-1].Text == text }
	}
	next("the state", func(p servers.InstallProgress) bool { return p.State == kind.ServerStateInstalling })
	next("the first line", said("from the beginning"))
	tell("node_other", 0.9, "not its business")
	tell(w.nodeID, 0.25, "Pulling tools")
	p := next("a message", func(p servers.InstallProgress) bool { return p.Message != "" && p.Message != "asked to install" })
	if p.Progress != 0.25 || p.Message != "Pulling tools" {
		t.Errorf("got %+v", p)
	}
	line(2, "the last words")
	w.say(t, sv, protocol.State_STATE_STOPPED, "")
	next("the last line", said("the last words"))
	p = next("the end", func(p servers.InstallProgress) bool { return p.State != kind.ServerStateInstalling })
	if p.State != kind.ServerStateStopped || p.Progress != 1 || p.Message != "" {
		t.Errorf("the end is %+v", p)
	}
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
	stop := errors.New("seen")
	err := w.FollowInstall(w.ctx, sv.ID, func(p servers.InstallProgress) error {
		if p.State != kind.ServerStateStopped {
			t.Errorf("afterwards it is %+v", p)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("ended with %v", err)
	}
}
