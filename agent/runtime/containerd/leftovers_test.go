package containerd_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/network"
	"github.com/catalyst-panel/catalyst/agent/procfs"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
)

// rounds is how often the suite runs where leftovers are counted: CATALYST_TEST_ROUNDS times, or once.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("CATALYST_TEST_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return 1
}

// tracked is a runtime that remembers its servers, and gives each of them a port.
type tracked struct {
	runtime.Runtime
	place *place
}

// Start remembers the server.
func (r tracked) Start(ctx context.Context, spec runtime.Spec) (runtime.Instance, error) {
	r.place.mu.Lock()
	port, known := r.place.servers[spec.ServerID]
	if !known {
		port = 30000 + len(r.place.servers)%2000 // below those that the kernel gives out
		r.place.servers[spec.ServerID] = port
	}
	r.place.mu.Unlock()
	spec.Server.Ports = []*protocol.Port{{Ip: "127.0.0.1", Port: int32(port)}}
	return r.Runtime.Start(ctx, spec) //nolint:wrapcheck // it is the runtime itself
}

// place is a machine of one test alone.
type place struct {
	t        *testing.T
	daemon   *testbed.Daemon
	networks *network.Networks
	program  string

	mu      sync.Mutex
	servers map[string]int
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, daemon: testbed.OwnContainerd(t), servers: map[string]int{}}
	testbed.NeedPlugins(t)
	// A copy of its own tells its holders from those of the tests beside it.
	program, err := os.ReadFile(testbed.Program(t))
	if err != nil {
		t.Fatal(err)
	}
	p.program = filepath.Join(t.TempDir(), "catalyst")
	if err := os.WriteFile(p.program, program, 0o755); err != nil {
		t.Fatal(err)
	}
	config, err := testbed.NetworkConfig()
	if err != nil {
		t.Fatal(err)
	}
	if p.networks, err = network.New(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.networks.Remove(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *place) machine(t *testing.T) runtimetest.Machine {
	t.Helper()
	dir := t.TempDir()
	return func() runtime.Runtime {
		rt, err := containerd.New(t.Context(), containerd.Config{
			Address: p.daemon.Address, Dir: dir, Executable: p.program, Networks: p.networks,
		})
		if err != nil {
			t.Fatal(err)
		}
		return tracked{rt, p}
	}
}

// leftovers counts what containers could leave behind.
func (p *place) leftovers() map[string]int {
	t, ctx, left := p.t, p.t.Context(), map[string]int{"control groups": 0, "rules": 0}
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c := p.daemon.Client(t)
	containers, err := c.Containers(ctx)
	must(err)
	left["containers"] = len(containers)
	must(c.SnapshotService("").Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		if info.Kind == snapshots.KindActive {
			left["snapshots"]++
		}
		return nil
	}))
	leases, err := c.LeasesService().List(ctx)
	must(err)
	left["leases"] = len(leases)
	attached, err := p.networks.Attached()
	must(err)
	left["addresses"] = len(attached)
	mounts, err := os.ReadFile("/proc/mounts")
	must(err)
	left["mounts"] = strings.Count(string(mounts), " "+p.daemon.Dir+"/")
	for _, id := range p.ids() {
		groups, err := filepath.Glob("/sys/fs/cgroup/*/catalyst/" + id)
		must(err)
		left["control groups"] += len(groups)
	}
	all, err := procfs.All()
	must(err)
	for _, process := range all {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", process.PID))
		switch {
		case bytes.HasPrefix(b, []byte(p.program+"\x00"+holder.Command)):
			left["holders"]++
		case bytes.Contains(b, []byte("containerd-shim")) && bytes.Contains(b, []byte(p.daemon.Address)):
			left["shims"]++
		}
	}
	for _, command := range []string{"iptables-save", "ip6tables-save"} {
		out, err := exec.CommandContext(ctx, command).Output()
		must(err)
		for _, id := range p.ids() {
			left["rules"] += strings.Count(string(out), id)
		}
	}
	return left
}

func (p *place) ids() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]string, 0, len(p.servers))
	for id := range p.servers {
		ids = append(ids, id)
	}
	return ids
}

// TestNothingIsLeft runs the suite and counts what is left of it.
func TestNothingIsLeft(t *testing.T) { //nolint:tparallel // the rounds follow each other; what is in them is parallel
	t.Parallel()
	p := newPlace(t)
	before := p.leftovers()
	for range rounds() {
		t.Run("suite", func(t *testing.T) { runtimetest.Run(t, p.machine) })
	}
	// The daemon unmounts and its shims end a moment after it has answered.
	poll, limit := time.NewTicker(100*time.Millisecond), time.NewTimer(15*time.Second)
	defer poll.Stop()
	defer limit.Stop()
	for {
		diff := cmp.Diff(before, p.leftovers())
		if diff == "" {
			return
		}
		select {
		case <-poll.C:
		case <-limit.C:
			t.Fatalf("left behind (-before +after):\n%s", diff)
		}
	}
}
