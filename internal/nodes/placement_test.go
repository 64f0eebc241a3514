package nodes_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/tx"
)

// place asks for a node and returns its name.
func (w *world) place(need nodes.Need) (name string, err error) {
	err = tx.Do(w.system, w.store.Client, func(ctx context.Context, t *ent.Tx) error {
		n, err := w.Place(ctx, t, need)
		if err == nil {
			name = n.Name
		}
		return err
	})
	return name, err
}

func TestPlace(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	memory := func(limit int64) func(*ent.NodeCreate) {
		return func(c *ent.NodeCreate) { c.SetMemoryLimit(limit) }
	}
	tests := []struct {
		name  string
		setup func(w *world)
		need  nodes.Need
		want  string // the node
		code  fault.Code
		says  string
	}{
		{"no node", func(*world) {}, nodes.Need{}, "", fault.Conflict, "createNode"},
		{"the most memory left", func(w *world) {
			w.server(w.node("busy", memory(8*gib)), 6*gib)
			w.node("free", memory(4*gib))
		}, nodes.Need{Memory: gib}, "free", "", ""},
		{"none without a limit counts as full", func(w *world) {
			w.server(w.node("unlimited", nil), 100*gib)
			w.node("small", memory(4*gib))
		}, nodes.Need{Memory: gib}, "unlimited", "", ""},
		{"overcommit", func(w *world) {
			w.server(w.node("n", func(c *ent.NodeCreate) { c.SetMemoryLimit(4 * gib).SetOvercommit(1.5) }), 4*gib)
		}, nodes.Need{Memory: 2 * gib}, "n", "", ""},
		{"more than overcommit", func(w *world) {
			w.server(w.node("n", func(c *ent.NodeCreate) { c.SetMemoryLimit(4 * gib).SetOvercommit(1.5) }), 4*gib)
		}, nodes.Need{Memory: 2*gib + 1}, "", fault.Conflict, "room"},
		{
			"CPU", func(w *world) { w.node("n", func(c *ent.NodeCreate) { c.SetCPULimit(200) }) },
			nodes.Need{CPU: 201},
			"", fault.Conflict, "room",
		},
		{
			"disk", func(w *world) { w.node("n", func(c *ent.NodeCreate) { c.SetDiskLimit(gib) }) },
			nodes.Need{Disk: 2 * gib},
			"", fault.Conflict, "room",
		},
		{"offline and in maintenance", func(w *world) {
			w.node("off", func(c *ent.NodeCreate) { c.SetOnline(false) })
			w.node("maintained", func(c *ent.NodeCreate) { c.SetMaintenance(true) })
		}, nodes.Need{}, "", fault.NodeOffline, "online"},
		{
			"containers", func(w *world) { w.node("n", func(c *ent.NodeCreate) { c.SetRuntime("process") }) },
			nodes.Need{Containers: true},
			"", fault.Conflict, "containerd",
		},
		{"ports", func(w *world) {
			w.node("none", nil)
			_, err := w.CreateAllocations(w.admin, nodes.CreateAllocationsInput{NodeID: w.node("two", memory(gib)).ID, IP: "0.0.0.0", Ports: []string{"1-2"}})
			must(w.t, err)
		}, nodes.Need{Ports: 2}, "two", "", ""},
		{"architecture", func(w *world) {
			w.node("arm", func(c *ent.NodeCreate) { c.SetArch("arm64") })
			w.node("amd", func(c *ent.NodeCreate) { c.SetArch("amd64").SetMemoryLimit(gib) })
		}, nodes.Need{Architectures: []string{"amd64"}}, "amd", "", ""},
		{
			"no such architecture", func(w *world) { w.node("arm", func(c *ent.NodeCreate) { c.SetArch("arm64") }) },
			nodes.Need{Architectures: []string{"amd64"}},
			"", fault.Conflict, "amd64",
		},
		{"labels", func(w *world) {
			w.node("hdd", func(c *ent.NodeCreate) { c.SetLabels(map[string]string{"disk": "hdd"}) })
			w.node("ssd", func(c *ent.NodeCreate) {
				c.SetLabels(map[string]string{"disk": "ssd", "x": ""}).SetMemoryLimit(gib)
			})
		}, nodes.Need{Labels: map[string]string{"disk": "ssd"}}, "ssd", "", ""},
		{
			"no such label", func(w *world) { w.node("n", nil) },
			nodes.Need{Labels: map[string]string{"disk": ""}},
			"", fault.BadUserInput, "labels",
		},
		{
			"no node at the location", func(w *world) { w.node("n", nil) },
			nodes.Need{LocationID: "loc_01h455vb4pex5vsknk084sn02q"},
			"", fault.BadUserInput, "location",
		},
		{"too few ports", func(w *world) { w.node("n", nil) }, nodes.Need{Ports: 1}, "", fault.Conflict, "createAllocations"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				tt.setup(w)
				got, err := w.place(tt.need)
				if got != tt.want || fault.CodeOf(err) != tt.code || (err != nil && !strings.Contains(err.Error(), tt.says)) {
					t.Errorf("got %q and %v, want %q and %s", got, err, tt.want, tt.code)
				}
			})
		})
	}
}

// TestPlaceHoldsRoom has five callers want the room of two at the same time.
func TestPlaceHoldsRoom(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.node("n", func(c *ent.NodeCreate) { c.SetMemoryLimit(2) })
		var callers sync.WaitGroup
		var mu sync.Mutex
		placed := 0
		for range 5 {
			callers.Go(func() {
				err := tx.Do(w.system, w.store.Client, func(ctx context.Context, x *ent.Tx) error {
					n, err := w.Place(ctx, x, nodes.Need{Memory: 1})
					if err != nil {
						return err
					}
					return x.Server.Create().SetName("s").SetNodeID(n.ID).SetOwner(w.owner).SetTemplate(w.template).SetMemory(1).Exec(ctx)
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					placed++
				} else if fault.CodeOf(err) != fault.Conflict {
					t.Errorf("refused with %v", err)
				}
			})
		}
		callers.Wait()
		if placed != 2 {
			t.Errorf("%d servers were placed", placed)
		}
	})
}

func TestReserve(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		n := w.node("n", func(c *ent.NodeCreate) { c.SetMemoryLimit(10) })
		w.server(n, 6)
		reserve := func(id string, need int64) error {
			return tx.Do(w.system, w.store.Client, func(ctx context.Context, x *ent.Tx) error {
				return w.Reserve(ctx, x, id, nodes.Need{Memory: need})
			})
		}
		must(t, reserve(n.ID, 4))
		wants(t, "too much", reserve(n.ID, 5), fault.Conflict)
		wants(t, "no node", reserve("node_01h455vb4pex5vsknk084sn02q", 1), fault.NotFound)
		given, err := w.Allocated(w.admin, []string{n.ID})
		if err != nil || given[n.ID].Memory != 6 {
			t.Errorf("given away: %v, %v", given, err)
		}
	})
}
