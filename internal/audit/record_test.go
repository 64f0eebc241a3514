package audit_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

func TestTrail(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		trail := audit.Trail{Client: s.Client}
		ctx := request.NewContext(t.Context(), request.Info{
			ID: "req-1", IP: netip.MustParseAddr("::ffff:192.0.2.1"), UserAgent: strings.Repeat("é", 400),
		})
		system := viewer.System(ctx, nil, "test")
		broken := errors.New("broken")
		do := func(ctx context.Context, action string, result error) {
			t.Helper()
			e := audit.Entry{Action: action, TargetType: "Role", Details: map[string]any{"secret?": "no"}}
			err := trail.Do(ctx, e, func(ctx context.Context, x *ent.Tx, e *audit.Entry) error {
				row, err := x.Role.Create().SetName("role of " + action).Save(ctx)
				if err != nil {
					return err
				}
				e.TargetID = row.ID
				return result
			})
			if !errors.Is(err, result) {
				t.Errorf("%s: %v, want %v", action, err, result)
			}
		}
		do(system, "good", nil)
		do(ctx, "nobody", nil)
		do(system, "refused", fault.New(fault.Forbidden, "no"))
		do(system, "broken", broken)
		do(system, "", nil)

		rows, err := s.Client.AuditLog.Query().All(testkit.System(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]*ent.AuditLog{}
		for _, r := range rows {
			got[r.Action] = r
		}
		if len(rows) != 3 || got["good"] == nil || got["nobody"] == nil || got["refused"] == nil {
			t.Fatalf("entries %v", rows)
		}
		good := got["good"]
		if good.Outcome != kind.AuditOutcomeSucceeded || good.ActorName != "system" || good.ActorID != nil || good.TargetID == "" ||
			good.IP != "192.0.2.1" || good.RequestID != "req-1" || len(good.UserAgent) > 512 || good.Details["secret?"] != "no" {
			t.Errorf("entry %+v", good)
		}
		if got["nobody"].ActorName != "" {
			t.Errorf("actor of an anonymous deed: %q", got["nobody"].ActorName)
		}
		if r := got["refused"]; r.Outcome != kind.AuditOutcomeRefused || r.Details != nil {
			t.Errorf("entry %+v", r)
		}
		roles, err := s.Client.Role.Query().Count(testkit.System(t.Context()))
		if err != nil || roles != 5 { // admin, user, and the three that were not undone
			t.Errorf("%d roles, %v", roles, err)
		}
	})
}
