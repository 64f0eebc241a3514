package schedules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/taskrun"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// maxRuns is how many runs an instance has under way.
	maxRuns = 64
	// lease is how long an instance answers for a run without saying so again, renewEvery how often it does.
	lease, renewEvery = time.Minute, 20 * time.Second
)

// errBrokenOff is the cause of the end of a run whose instance ends.
var errBrokenOff = fault.New(fault.Conflict, "The panel was shut down meanwhile.")

// begin carries a run out beside its caller.
func (s *Service) begin(run *ent.TaskRun, serverID, authorID string, steps []kind.TaskStep) {
	s.runs.Go(func() {
		s.turns <- struct{}{}
		defer func() { <-s.turns }()
		results, state := s.carryOut(s.life, run, serverID, authorID, steps)
		ctx := viewer.System(context.WithoutCancel(s.life), nil, "end a task's run")
		err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error { return s.finish(ctx, t, run, state, results) })
		if err != nil && !ent.IsNotFound(err) {
			s.Logger.ErrorContext(ctx, "could not store how a run ended", slog.String("run_id", run.ID), slog.Any("error", err))
		}
	})
}

// carryOut carries out the steps in the author's name, and says how each ended.
func (s *Service) carryOut(ctx context.Context, run *ent.TaskRun, serverID, authorID string, steps []kind.TaskStep) ([]kind.TaskStepResult, kind.TaskRunState) {
	ctx, done := context.WithCancel(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		s.renew(ctx, run)
	}()
	defer func() { done(); <-renewed }()
	state := kind.TaskRunStateSucceeded
	results := make([]kind.TaskStepResult, 0, len(steps))
	for i, step := range steps {
		r := kind.TaskStepResult{Step: i, Action: step.Action, StartedAt: s.now().Format(time.RFC3339)}
		err := s.wait(ctx, time.Duration(step.Delay)*time.Second)
		if err == nil {
			err = s.step(ctx, run, serverID, authorID, step)
		}
		r.State, r.FinishedAt = kind.TaskRunStateSucceeded, s.now().Format(time.RFC3339)
		if err != nil {
			r.State, r.Message, state = kind.TaskRunStateFailed, reasonOf(err), kind.TaskRunStateFailed
			if _, told := errors.AsType[*fault.Error](err); !told {
				s.Logger.ErrorContext(ctx, "a task's step failed", slog.String("run_id", run.ID), slog.Any("error", err))
			}
		}
		results = append(results, r)
		if err != nil && (!step.ContinueOnFailure || ctx.Err() != nil) {
			break
		}
	}
	return results, state
}

// wait lets the delay of a step pass.
func (s *Service) wait(ctx context.Context, delay time.Duration) error {
	if ctx.Err() != nil {
		return errBrokenOff
	}
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errBrokenOff
	}
}

// step carries out one step as the author is now.
func (s *Service) step(ctx context.Context, run *ent.TaskRun, serverID, authorID string, step kind.TaskStep) error {
	who, err := s.Accounts.Author(ctx, authorID)
	if err != nil {
		if code := fault.CodeOf(err); code == fault.Unauthenticated || code == fault.NotFound {
			return errors.Join(err, s.orphan(ctx, run.TaskID))
		}
		return err
	}
	ctx = viewer.NewContext(ctx, who)
	switch step.Action {
	case kind.TaskActionStart:
		_, err = s.Servers.Start(ctx, serverID)
	case kind.TaskActionStop:
		_, err = s.Servers.Stop(ctx, serverID)
	case kind.TaskActionRestart:
		_, err = s.Servers.Restart(ctx, serverID)
	case kind.TaskActionKill:
		_, err = s.Servers.Kill(ctx, serverID)
	case kind.TaskActionCommand:
		_, err = s.Servers.SendCommand(ctx, serverID, step.Payload)
	case kind.TaskActionBackup:
		err = s.Backups.Make(ctx, serverID, step.Payload, run.ID)
	}
	return err
}

// orphan disables a task whose author is gone or suspended.
func (s *Service) orphan(ctx context.Context, taskID string) error {
	ctx = viewer.System(ctx, nil, "disable a task without an author")
	return tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
		task, err := t.ScheduledTask.Get(ctx, taskID)
		if ent.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read task: %w", err)
		}
		return s.disable(ctx, t, task, "Its author is gone or suspended. Whoever saves it becomes its author.")
	})
}

// renew says again and again that this instance answers for a run.
func (s *Service) renew(ctx context.Context, run *ent.TaskRun) {
	ctx = viewer.System(ctx, nil, "renew the lease of a run")
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
			return t.TaskRun.Update().Where(taskrun.ID(run.ID)).SetLeaseUntil(s.now().Add(lease)).Exec(ctx)
		})
		if err != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "could not renew the lease of a run", slog.String("run_id", run.ID), slog.Any("error", err))
		}
	}
}

// finish stores the end of a run.
func (s *Service) finish(ctx context.Context, t *ent.Tx, run *ent.TaskRun, state kind.TaskRunState, log []kind.TaskStepResult) error {
	if err := t.TaskRun.UpdateOneID(run.ID).SetState(state).SetFinishedAt(s.now()).SetLog(log).Exec(ctx); err != nil {
		return err
	}
	if err := t.ScheduledTask.UpdateOneID(run.TaskID).SetLastStatus(state).Exec(ctx); err != nil {
		return fmt.Errorf("store task: %w", err)
	}
	return nil
}

// bury ends the runs whose instance has died.
func (s *Service) bury(ctx context.Context) error {
	dead, err := s.Client.TaskRun.Query().Where(taskrun.StateEQ(kind.TaskRunStateRunning), taskrun.LeaseUntilLT(s.now())).
		WithTask().Limit(batch).All(ctx)
	if err != nil {
		return fmt.Errorf("look for abandoned runs: %w", err)
	}
	for _, run := range dead {
		err := tx.Do(ctx, s.Client, func(ctx context.Context, t *ent.Tx) error {
			held, err := t.TaskRun.Update().Where(taskrun.ID(run.ID), taskrun.StateEQ(kind.TaskRunStateRunning), taskrun.LeaseUntilLT(s.now())).
				SetLeaseUntil(s.now()).Save(ctx)
			if err != nil || held == 0 {
				return err
			}
			const why = "The panel that ran it ended meanwhile; how far it came is not known."
			return s.finish(ctx, t, run, kind.TaskRunStateFailed, nothing(run.Edges.Task, kind.TaskRunStateFailed, why))
		})
		if err != nil {
			return fmt.Errorf("end an abandoned run: %w", err)
		}
	}
	return nil
}
