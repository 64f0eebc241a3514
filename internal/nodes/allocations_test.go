package nodes_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/nodes"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

func TestCreateAllocations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		ip    string
		ports []string
		want  []string
		field string // of the refusal
	}{
		{"192.0.2.1", []string{"1", "3-5", " 4 "}, []string{"192.0.2.1:1", "192.0.2.1:3", "192.0.2.1:4", "192.0.2.1:5"}, ""},
		{"::ffff:192.0.2.1", []string{"65535"}, []string{"192.0.2.1:65535"}, ""},
		{"2001:db8::1", []string{"7"}, []string{"2001:db8::1:7"}, ""},
		{"0.0.0.0", []string{"9"}, nil, ""}, // there is one already
		{"example.com", []string{"1"}, nil, "ip"},
		{"fe80::1%eth0", []string{"1"}, nil, "ip"},
		{"192.0.2.1", nil, nil, "ports"},
		{"192.0.2.1", []string{"1", "0"}, nil, "ports[1]"},
		{"192.0.2.1", []string{"65536"}, nil, "ports[0]"},
		{"192.0.2.1", []string{"5-3"}, nil, "ports[0]"},
		{"192.0.2.1", []string{"a-b"}, nil, "ports[0]"},
		{"192.0.2.1", []string{"1-1001"}, nil, "ports"},
	}
	each(t, func(t *testing.T, w *world) {
		n := w.node("n", nil)
		_, err := w.CreateAllocations(w.admin, nodes.CreateAllocationsInput{NodeID: n.ID, IP: "0.0.0.0", Ports: []string{"9"}})
		must(t, err)
		for _, tt := range tests {
			made, err := w.CreateAllocations(w.admin, nodes.CreateAllocationsInput{NodeID: n.ID, IP: tt.ip, Ports: tt.ports})
			var got []string
			for _, a := range made {
				got = append(got, fmt.Sprintf("%s:%d", a.IP, a.Port))
			}
			f, _ := err.(*fault.Error) //nolint:errorlint // the function's own
			if diff := cmp.Diff(tt.want, got); diff != "" || (f != nil) != (tt.field != "") || (f != nil && f.Field != tt.field) {
				t.Errorf("%s %v: %v (-want +got):\n%s", tt.ip, tt.ports, err, diff)
			}
		}
		_, err = w.CreateAllocations(viewer.NewContext(t.Context(), &viewer.Viewer{UserID: "user_x"}),
			nodes.CreateAllocationsInput{NodeID: n.ID, IP: "192.0.2.1", Ports: []string{"1"}})
		wants(t, "a stranger", err, fault.NotFound)
	})
}

// TestDeleteAllocations deletes all that are named or none.
func TestDeleteAllocations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		n := w.node("n", nil)
		made, err := w.CreateAllocations(w.admin, nodes.CreateAllocationsInput{NodeID: n.ID, IP: "0.0.0.0", Ports: []string{"1-3"}})
		must(t, err)
		sv := w.server(n, 0)
		claim := func(count int, ids ...string) error {
			return tx.Do(w.system, w.store.Client, func(ctx context.Context, x *ent.Tx) error {
				return w.Claim(ctx, x, n.ID, sv.ID, ids, count)
			})
		}
		must(t, claim(0, made[1].ID))
		wants(t, "an allocation in use", claim(0, made[1].ID), fault.Conflict)
		wants(t, "more than there are", claim(3), fault.Conflict)

		_, err = w.DeleteAllocations(w.admin, []string{made[0].ID, made[1].ID})
		wants(t, "one of them in use", err, fault.Conflict)
		_, err = w.DeleteAllocations(w.admin, []string{made[0].ID, "alloc_nonsense"})
		wants(t, "one of them unknown", err, fault.NotFound)
		if left, err := w.store.Client.Allocation.Query().Count(w.system); err != nil || left != 3 {
			t.Errorf("%d are left, %v", left, err)
		}
		gone, err := w.DeleteAllocations(w.admin, []string{made[0].ID, made[2].ID, made[0].ID})
		if err != nil || len(gone) != 2 {
			t.Errorf("deleted %v, %v", gone, err)
		}
	})
}

func TestDeleteNodeAndLocation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		n := w.node("n", nil)
		sv := w.server(n, 0)
		wants(t, "a node with a server", w.Delete(w.admin, nodes.DeleteInput{ID: n.ID}), fault.Conflict)
		wants(t, "its location", w.DeleteLocation(w.admin, w.locationID), fault.Conflict)
		w.write(func(ctx context.Context, x *ent.Tx) error { return x.Server.DeleteOneID(sv.ID).Exec(ctx) })
		must(t, w.Delete(w.admin, nodes.DeleteInput{ID: n.ID}))
		if diff := cmp.Diff([]string{n.ID}, w.recheck); diff != "" {
			t.Errorf("links to look at (-want +got):\n%s", diff)
		}
		must(t, w.DeleteLocation(w.admin, w.locationID))
		wants(t, "a node that is gone", w.Delete(w.admin, nodes.DeleteInput{ID: n.ID}), fault.NotFound)
	})
}

// TestDeleteANodeThatWillNotReturn gives up what such a node would have to remove, but no server that is in use.
func TestDeleteANodeThatWillNotReturn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		n := w.node("n", nil)
		_, err := w.CreateAllocations(w.admin, nodes.CreateAllocationsInput{NodeID: n.ID, IP: "0.0.0.0", Ports: []string{"1-3"}})
		must(t, err)
		sv := w.server(n, 0)
		forced := nodes.DeleteInput{ID: n.ID, Force: true}
		wants(t, "by force, with a server", w.Delete(w.admin, forced), fault.Conflict)
		w.write(func(ctx context.Context, x *ent.Tx) error {
			return x.Server.UpdateOneID(sv.ID).SetDeletedAt(time.Now()).Exec(ctx)
		})
		wants(t, "with a deleted server", w.Delete(w.admin, nodes.DeleteInput{ID: n.ID}), fault.Conflict)
		must(t, w.Delete(w.admin, forced))
		if left := w.store.Client.Server.Query().CountX(w.system) + w.store.Client.Allocation.Query().CountX(w.system); left != 0 {
			t.Errorf("%d servers and allocations are left", left)
		}
	})
}
