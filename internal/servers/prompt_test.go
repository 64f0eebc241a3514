package servers_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

// notes are the files that were written.
type notes []string

// WriteText notes a file.
func (n *notes) WriteText(_ context.Context, serverID, path, text string) error {
	*n = append(*n, serverID+" "+path+" "+text)
	return nil
}

// TestPrompts has a program ask for its licence, and then for another Java, and answers.
func TestPrompts(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		library := templates.New(templates.Config{Client: s.Client, Logger: slog.New(slog.DiscardHandler)})
		_, err := library.Update(w.ctx, w.templateID, templates.Fields{
			FeatureHints: []string{"eula", "java_version"}, DefaultImage: new("java:8"),
			Images: []kind.TemplateImage{{Label: "8", Image: "java:8"}, {Label: "21", Image: "java:21"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		sv := w.running(t)
		ends := func(state protocol.State, reason string, lines ...string) {
			t.Helper()
			now := s.Client.Server.GetX(w.ctx, sv.ID)
			for i, o := range []*protocol.Observed{{State: protocol.State_STATE_RUNNING}, {State: state, Reason: reason, LastLines: lines}} {
				o.ServerId, o.Generation, o.AtUs = sv.ID, uint64(now.Generation), time.Now().UnixMicro()+int64(i)
				if err := w.Observed(w.ctx, w.nodeID, []*protocol.Observed{o}); err != nil {
					t.Fatal(err)
				}
			}
		}
		prompt := func() *servers.Prompt {
			t.Helper()
			all, err := w.Prompts(w.ctx, []string{sv.ID})
			if err != nil {
				t.Fatal(err)
			}
			return all[sv.ID]
		}
		answer := func(in servers.AnswerPromptInput) (*ent.Server, error) {
			in.ServerID = sv.ID
			return w.AnswerPrompt(w.ctx, in)
		}
		_, err = answer(servers.AnswerPromptInput{Feature: "eula", Accept: true})
		wantCode(t, "an answer to nothing", err, fault.Conflict)

		ends(protocol.State_STATE_STOPPED, kind.EndedWell, "You need to agree to the EULA in order to run the server.")
		if p := prompt(); p == nil || p.Feature != "eula" || len(p.Images) != 0 {
			t.Fatalf("the prompt is %+v", p)
		}
		_, err = answer(servers.AnswerPromptInput{Feature: "eula"})
		wantCode(t, "no agreement", err, fault.BadUserInput)
		_, err = answer(servers.AnswerPromptInput{Feature: "java_version", Image: new("java:21")})
		wantCode(t, "an answer to something else", err, fault.Conflict)
		started, err := answer(servers.AnswerPromptInput{Feature: "eula", Accept: true})
		if err != nil || started.State != kind.ServerStateStarting {
			t.Fatalf("the server is %v, %v", started, err)
		}
		if want := []string{sv.ID + " eula.txt eula=true\n"}; !slices.Equal(*w.files, want) {
			t.Errorf("written: %q", *w.files)
		}
		if p := prompt(); p != nil {
			t.Errorf("it still asks: %+v", p)
		}

		ends(protocol.State_STATE_CRASHED, "exited with code 1", "java.lang.UnsupportedClassVersionError: x")
		if p := prompt(); p == nil || len(p.Images) != 1 || p.Images[0].Image != "java:21" {
			t.Fatalf("the prompt is %+v", p)
		}
		_, err = answer(servers.AnswerPromptInput{Feature: "java_version"})
		wantCode(t, "no image", err, fault.BadUserInput)
		started, err = answer(servers.AnswerPromptInput{Feature: "java_version", Image: new("java:21")})
		if err != nil || started.Image != "java:21" {
			t.Fatalf("the server is %v, %v", started, err)
		}
		ends(protocol.State_STATE_STOPPED, "")
		if p := prompt(); p != nil {
			t.Errorf("one that was stopped asks: %+v", p)
		}
	})
}

// TestCreateWhere asks for a place that there is not, and for two at once.
func TestCreateWhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, "sqlite3"))
	here := w.store.Client.Node.GetX(w.ctx, w.nodeID).LocationID
	for name, tt := range map[string]struct {
		in   servers.CreateInput
		code fault.Code
	}{
		"here":            {servers.CreateInput{LocationID: &here}, ""},
		"no location":     {servers.CreateInput{LocationID: new("loc_01h455vb4pex5vsknk084sn02q")}, fault.NotFound},
		"no label":        {servers.CreateInput{Labels: []kind.Label{{Key: "a", Value: "b"}}}, fault.BadUserInput},
		"a node, labels":  {servers.CreateInput{NodeID: &w.nodeID, Labels: []kind.Label{{Key: "a", Value: "b"}}}, fault.BadUserInput},
		"a node, a place": {servers.CreateInput{NodeID: &w.nodeID, LocationID: &here}, fault.BadUserInput},
	} {
		tt.in.Name, tt.in.TemplateID, tt.in.OwnerID = "s", w.templateID, &w.userID
		_, err := w.Create(w.ctx, tt.in)
		wantCode(t, name, err, tt.code)
	}
}
