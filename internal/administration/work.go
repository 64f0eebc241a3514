package administration

import (
	"context"
	"fmt"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/scheduledtask"
	"github.com/catalyst-panel/catalyst/ent/taskrun"
	"github.com/catalyst-panel/catalyst/ent/webhookdelivery"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// overdueAfter is how late a task may be begun without anything being wrong.
const overdueAfter = time.Minute

// Work is what a panel does by itself, as far as it is stored.
type Work struct {
	// TaskRuns are those that are kept, by state.
	TaskRuns map[kind.TaskRunState]int
	// TasksOverdue are due for more than a minute and were not begun: no panel carries tasks out.
	TasksOverdue int
	// Deliveries are those of webhooks that are kept, by state.
	Deliveries map[kind.DeliveryState]int
}

// Work counts what is done by itself. It needs admin.read.
func (s *Service) Work(ctx context.Context) (*Work, error) {
	if err := access.Check(ctx, s.Client, access.AdminRead, access.Anywhere); err != nil {
		return nil, err
	}
	sys := viewer.System(ctx, nil, "count what is done")
	out := &Work{TaskRuns: make(map[kind.TaskRunState]int), Deliveries: make(map[kind.DeliveryState]int)}
	var runs []struct {
		State kind.TaskRunState `json:"state"`
		Count int               `json:"count"`
	}
	err := s.Client.TaskRun.Query().GroupBy(taskrun.FieldState).Aggregate(ent.As(ent.Count(), "count")).Scan(sys, &runs)
	if err != nil {
		return nil, fmt.Errorf("count runs of tasks: %w", err)
	}
	for _, r := range runs {
		out.TaskRuns[r.State] = r.Count
	}
	var deliveries []struct {
		State kind.DeliveryState `json:"state"`
		Count int                `json:"count"`
	}
	err = s.Client.WebhookDelivery.Query().GroupBy(webhookdelivery.FieldState).Aggregate(ent.As(ent.Count(), "count")).Scan(sys, &deliveries)
	if err != nil {
		return nil, fmt.Errorf("count deliveries: %w", err)
	}
	for _, d := range deliveries {
		out.Deliveries[d.State] = d.Count
	}
	late := time.Now().Add(-overdueAfter)
	out.TasksOverdue, err = s.Client.ScheduledTask.Query().
		Where(scheduledtask.Enabled(true), scheduledtask.NextRunAtLT(late)).Count(sys)
	if err != nil {
		return nil, fmt.Errorf("count tasks that are late: %w", err)
	}
	return out, nil
}
