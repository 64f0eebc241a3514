package servers_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/configfile"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/servers"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/templates/rule"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestEggs imports eggs, gives each of their variables a value, and compares what a node is told, and what its
// configuration files become, with what it should be.
func TestEggs(t *testing.T) { //nolint:tparallel // each egg takes the next free port
	t.Parallel()
	w := newWorld(t, testkit.Store(t, "sqlite3"))
	library := templates.New(templates.Config{Client: w.store.Client, Logger: slog.New(slog.DiscardHandler)})
	w.do(t, func(ctx context.Context, x *ent.Tx) {
		x.Node.UpdateOneID(w.nodeID).SetRuntime("containerd").SetMemoryLimit(0).ExecX(ctx)
		for port := range 20 {
			x.Allocation.Create().SetNodeID(w.nodeID).SetIP("192.0.2.1").SetPort(7000 + port).ExecX(ctx)
		}
	})
	eggs, err := filepath.Glob("../templates/egg/testdata/eggs/*egg*.*")
	if err != nil || len(eggs) != 12 {
		t.Fatalf("found %d eggs, %v", len(eggs), err)
	}
	for _, path := range eggs {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tmpl, _, err := library.Import(w.ctx, string(text))
			if err != nil {
				t.Fatal(err)
			}
			sv, err := w.Create(w.ctx, servers.CreateInput{
				Name: "My server", TemplateID: tmpl.ID, OwnerID: &w.userID, NodeID: &w.nodeID, Environment: values(t, tmpl.Variables),
			})
			if err != nil {
				t.Fatal(err)
			}
			wanted, err := w.One(w.ctx, w.nodeID, sv.ID)
			if err != nil {
				t.Fatal(err)
			}
			got := bytes.ReplaceAll(describe(t, wanted.Apply.GetSpec()), []byte(sv.ID), []byte("srv_…"))
			golden := filepath.Join("testdata", "eggs", name+".txt")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("what the node is told (-want +got):\n%s", diff)
			}
		})
	}
}

// values gives each variable the most difficult value that its rules allow.
func values(t *testing.T, variables []kind.TemplateVariable) []kind.EnvVar {
	t.Helper()
	var out []kind.EnvVar
	for _, v := range variables {
		set, err := rule.Compile(v.Type, v.Rules)
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{`It's "A" $1 \ {{B}} #é` + "\n; end", `It's "A" $1`, "word", "7", "1", v.Default} {
			if set.Check(value) == nil {
				out = append(out, kind.EnvVar{Key: v.Key, Value: value})
				break
			}
		}
	}
	return out
}

// describe writes down what a node is told of a server, and what it makes of the configuration files in testdata.
func describe(t *testing.T, spec *protocol.ServerSpec) []byte {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "== image, by its entrypoint: %v\n%s\n== startup\n%s\n== stop\n%v\n== ready\n%q\n== denied\n%q\n== environment\n",
		spec.GetImageEntrypoint(), spec.GetImage(), spec.GetShell(), []string{spec.GetStop().GetCommand(), spec.GetStop().GetSignal()},
		spec.GetReadyPatterns(), spec.GetDeniedFiles())
	for _, key := range slices.Sorted(maps.Keys(spec.GetEnvironment())) {
		fmt.Fprintf(&b, "%s=%q\n", key, spec.GetEnvironment()[key])
	}
	for _, f := range spec.GetConfigFiles() {
		doc, err := os.ReadFile(filepath.Join("testdata", "documents", filepath.Base(f.GetPath())))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		var replace []kind.ConfigReplacement
		for _, r := range f.GetReplace() {
			replace = append(replace, kind.ConfigReplacement{Match: r.GetMatch(), If: r.GetIf(), Value: r.GetValue()})
		}
		fresh, err := configfile.Rewrite(t.Context(), doc, kind.ConfigParser(f.GetParser()), replace)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "== %s\n%s", f.GetPath(), fresh)
	}
	return b.Bytes()
}
