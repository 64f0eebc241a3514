package schedules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/scheduledtask"
	"github.com/catalyst-panel/catalyst/ent/taskrun"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// lookEvery is how often due tasks are looked for.
	lookEvery = time.Second
	// batch is how many are claimed at a time.
	batch = 100
	// lateness is how late a run may be: later, it is skipped.
	lateness = 10 * time.Minute
	// keepFor is how long runs can be looked at, sweepEvery how often older ones are looked for.
	keepFor    = 90 * 24 * time.Hour
	sweepEvery = time.Hour
)

// Run begins what is due until ctx ends. Every instance may do it.
func (s *Service) Run(ctx context.Context) {
	look, sweep := time.NewTicker(lookEvery), time.NewTicker(sweepEvery)
	defer look.Stop()
	defer sweep.Stop()
	for {
		if err := s.Begin(ctx); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "could not begin tasks", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		case <-sweep.C:
			if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
				s.Logger.ErrorContext(ctx, "could not remove old runs", slog.Any("error", err))
			}
		}
	}
}

// Begin begins every run that is due, and ends those whose instance has died.
func (s *Service) Begin(ctx context.Context) error {
	ctx = viewer.System(ctx, nil, "begin tasks")
	if err := s.bury(ctx); err != nil {
		return err
	}
	due, err := s.Client.ScheduledTask.Query().Where(scheduledtask.Enabled(true), scheduledtask.NextRunAtLTE(s.now())).
		Order(scheduledtask.ByNextRunAt()).Limit(batch).IDs(ctx)
	if err != nil {
		return fmt.Errorf("look for due tasks: %w", err)
	}
	for _, id := range due {
		if err := s.claim(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// claim writes the run of a due task together with the time after it, and begins it after the commit.
func (s *Service) claim(ctx context.Context, id string) error {
	err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		task, err := t.ScheduledTask.Query().Where(scheduledtask.ID(id)).WithServer().Only(ctx)
		if ent.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read task: %w", err)
		}
		if !task.Enabled || task.NextRunAt == nil || task.NextRunAt.After(s.now()) {
			return nil // another instance was faster
		}
		times, err := parse(task.Schedule, task.TimeZone)
		if err != nil {
			return s.disable(ctx, t, task, "The schedule cannot be read any more: "+reasonOf(err))
		}
		at := *task.NextRunAt
		held, err := t.ScheduledTask.Update().Where(scheduledtask.ID(id), scheduledtask.NextRunAt(at)).SetNextRunAt(times.after(s.now())).Save(ctx)
		if err != nil || held == 0 {
			return err
		}
		return s.enter(ctx, t, task, at, false)
	})
	if ent.IsConstraintError(err) { // the run is another instance's
		return nil
	}
	return err
}

// enter writes a run and begins it after the commit, unless there is a reason to skip it.
func (s *Service) enter(ctx context.Context, t *ent.Tx, task *ent.ScheduledTask, at time.Time, manual bool) error {
	run, err := s.newRun(ctx, t, task, at, manual)
	if err != nil {
		return err
	}
	why, err := s.skip(ctx, t, task, run)
	if err != nil {
		return err
	}
	if why != "" {
		return s.finish(ctx, t, run, kind.TaskRunStateSkipped, nothing(task, kind.TaskRunStateSkipped, why))
	}
	row, steps := run.Unwrap(), task.Steps
	serverID, authorID := task.ServerID, ""
	if task.AuthorID != nil {
		authorID = *task.AuthorID
	}
	tx.AfterCommit(ctx, func(context.Context) { s.begin(row, serverID, authorID, steps) }) //nolint:contextcheck // a run belongs to the service, not to the call that begins it
	return nil
}

func (s *Service) newRun(ctx context.Context, t *ent.Tx, task *ent.ScheduledTask, at time.Time, manual bool) (*ent.TaskRun, error) {
	run, err := t.TaskRun.Create().SetTaskID(task.ID).SetScheduledAt(at).SetStartedAt(s.now()).SetManual(manual).
		SetLeaseUntil(s.now().Add(lease)).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("store run: %w", err)
	}
	err = t.ScheduledTask.UpdateOneID(task.ID).SetLastRunAt(s.now()).AddRunCount(1).SetLastStatus(kind.TaskRunStateRunning).Exec(ctx)
	if err != nil {
		return nil, fmt.Errorf("store task: %w", err)
	}
	return run, nil
}

// skip returns why a run does not take place; empty when it does.
func (s *Service) skip(ctx context.Context, t *ent.Tx, task *ent.ScheduledTask, run *ent.TaskRun) (string, error) {
	if !run.Manual && s.now().Sub(run.ScheduledAt) > lateness {
		return "It was due while no panel was there.", nil
	}
	goes, err := t.TaskRun.Query().Where(taskrun.TaskID(task.ID), taskrun.StateEQ(kind.TaskRunStateRunning), taskrun.IDNEQ(run.ID)).Exist(ctx)
	if err != nil {
		return "", fmt.Errorf("look for an earlier run: %w", err)
	}
	if goes {
		return "The run before it still goes on.", nil
	}
	sv := task.Edges.Server
	switch {
	case sv == nil || sv.DeletedAt != nil:
		return "The server is gone.", nil
	case sv.Suspended:
		return "The server is suspended.", nil
	case task.OnlyWhenOnline && !sv.State.Alive():
		return "The server does not run.", nil
	}
	return "", nil
}

// nothing is the log of a run of which not even the first step took place.
func nothing(task *ent.ScheduledTask, state kind.TaskRunState, why string) []kind.TaskStepResult {
	return []kind.TaskStepResult{{Action: task.Steps[0].Action, State: state, Message: why}}
}

// disable switches a task off and says why.
func (s *Service) disable(ctx context.Context, t *ent.Tx, task *ent.ScheduledTask, why string) error {
	err := t.ScheduledTask.UpdateOneID(task.ID).SetEnabled(false).ClearNextRunAt().SetDisabledReason(why).Exec(ctx)
	if err != nil {
		return fmt.Errorf("disable task: %w", err)
	}
	return nil
}

// Execute runs a task now, whether it is enabled or not. It needs task.execute; the steps are carried out in the name of
// the task's author. CONFLICT while it runs.
func (s *Service) Execute(ctx context.Context, id string) (*ent.ScheduledTask, *ent.TaskRun, error) {
	_, e, err := s.find(ctx, "task.execute", access.TaskExecute, id)
	if err != nil {
		return nil, nil, err
	}
	var task *ent.ScheduledTask
	var run *ent.TaskRun
	err = s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, _ *audit.Entry) error {
		sys := viewer.System(ctx, nil, "run a task by hand")
		row, err := t.ScheduledTask.Query().Where(scheduledtask.ID(id)).WithServer().Only(sys)
		if ent.IsNotFound(err) {
			return fault.Missing("task")
		}
		if err != nil {
			return fmt.Errorf("read task: %w", err)
		}
		goes, err := t.TaskRun.Query().Where(taskrun.TaskID(id), taskrun.StateEQ(kind.TaskRunStateRunning)).Exist(sys)
		if err != nil {
			return fmt.Errorf("look for an earlier run: %w", err)
		}
		if goes {
			return fault.New(fault.Conflict, "The task is running: wait until it has ended.")
		}
		at := s.now()
		if err := s.enter(sys, t, row, at, true); err != nil {
			return err
		}
		if run, err = t.TaskRun.Query().Where(taskrun.TaskID(id), taskrun.ScheduledAt(at)).Only(sys); err != nil {
			return fmt.Errorf("read run: %w", err)
		}
		if task, err = t.ScheduledTask.Get(sys, id); err != nil {
			return fmt.Errorf("read task: %w", err)
		}
		task, run = task.Unwrap(), run.Unwrap()
		return nil
	})
	return task, run, err
}

// sweep removes old runs.
func (s *Service) sweep(ctx context.Context) error {
	ctx = viewer.System(ctx, nil, "remove old runs")
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		_, err := t.TaskRun.Delete().Where(taskrun.StartedAtLT(s.now().Add(-keepFor)), taskrun.StateNEQ(kind.TaskRunStateRunning)).Exec(ctx)
		return err
	})
}

// reasonOf is what people should read of an error.
func reasonOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return "Something went wrong inside of the panel. Its log says what."
}
