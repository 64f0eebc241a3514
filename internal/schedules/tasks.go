package schedules

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/scheduledtask"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	maxName  = 128
	maxSteps = 20
	// maxDelay is the longest pause before a step, in seconds.
	maxDelay = 3600
	// maxCommand is the longest command.
	maxCommand = 8 << 10
	// maxTasks is how many tasks a server may have.
	maxTasks = 50
)

// Step is one step of a task as people give it.
type Step struct {
	Action  kind.TaskAction
	Payload *string
	// Delay is how many seconds to wait before it.
	Delay             *int
	ContinueOnFailure *bool
}

// CreateInput describes a new task.
type CreateInput struct {
	ServerID, Name, Schedule string
	TimeZone                 *string
	Steps                    []Step
	OnlyWhenOnline, Enabled  *bool
}

// UpdateInput changes a task; nil leaves a part as it is.
type UpdateInput struct {
	ID                       string
	Name, Schedule, TimeZone *string
	Steps                    []Step
	OnlyWhenOnline, Enabled  *bool
}

// needs are the rights to the actions.
var needs = map[kind.TaskAction]access.Permission{
	kind.TaskActionStart: access.ServerStart, kind.TaskActionStop: access.ServerStop, kind.TaskActionRestart: access.ServerRestart,
	kind.TaskActionKill: access.ServerKill, kind.TaskActionCommand: access.ConsoleWrite, kind.TaskActionBackup: access.BackupCreate,
}

// Create makes a task, whose author the caller is. It needs task.create and the right to each step, on the server.
func (s *Service) Create(ctx context.Context, in CreateInput) (*ent.ScheduledTask, error) {
	e := deed("task.create", "", in.ServerID)
	if err := access.Check(ctx, s.Client, access.TaskCreate, access.On(in.ServerID)); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	if !kind.ValidID(kind.PrefixServer, in.ServerID) {
		return nil, fault.Missing("server")
	}
	name, err := text.Name("name", "the task", in.Name, maxName)
	if err != nil {
		return nil, err
	}
	zone := "UTC"
	if in.TimeZone != nil {
		zone = *in.TimeZone
	}
	due, err := parse(in.Schedule, zone)
	if err != nil {
		return nil, err
	}
	steps, err := s.steps(ctx, in.ServerID, in.Steps)
	if err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	author, err := author(ctx)
	if err != nil {
		return nil, err
	}
	var out *ent.ScheduledTask
	err = s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		has, err := t.ScheduledTask.Query().Where(scheduledtask.ServerID(in.ServerID)).Count(viewer.System(ctx, nil, "count a server's tasks"))
		if err != nil {
			return fmt.Errorf("count tasks: %w", err)
		}
		if has >= maxTasks {
			return fault.New(fault.QuotaExceeded, "A server may have %d tasks at the most: delete one first.", maxTasks)
		}
		create := t.ScheduledTask.Create().SetServerID(in.ServerID).SetAuthorID(author).SetName(name).
			SetSchedule(strings.TrimSpace(in.Schedule)).SetTimeZone(zone).SetSteps(steps).
			SetNillableOnlyWhenOnline(in.OnlyWhenOnline).SetNillableEnabled(in.Enabled)
		if in.Enabled == nil || *in.Enabled {
			create.SetNextRunAt(due.after(s.now()))
		}
		saved, err := create.Save(ctx)
		if err != nil {
			return fmt.Errorf("store task: %w", err)
		}
		e.TargetID, e.Details = saved.ID, map[string]any{"name": name, "schedule": in.Schedule}
		out = saved.Unwrap()
		return nil
	})
	return out, err
}

// Update changes a task and makes the caller its author. It needs task.update and the right to each of its steps.
func (s *Service) Update(ctx context.Context, in UpdateInput) (*ent.ScheduledTask, error) {
	old, e, err := s.find(ctx, "task.update", access.TaskUpdate, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Name != nil {
		name, err := text.Name("name", "the task", *in.Name, maxName)
		if err != nil {
			return nil, err
		}
		in.Name = &name
	}
	due, err := parse(or(in.Schedule, old.Schedule), or(in.TimeZone, old.TimeZone))
	if err != nil {
		return nil, err
	}
	steps := old.Steps
	if in.Steps != nil {
		if steps, err = s.steps(ctx, old.ServerID, in.Steps); err != nil {
			return nil, s.trail.Refused(ctx, e, err)
		}
	} else if err := s.mayAll(ctx, old.ServerID, steps); err != nil {
		return nil, s.trail.Refused(ctx, e, err)
	}
	who, err := author(ctx)
	if err != nil {
		return nil, err
	}
	var out *ent.ScheduledTask
	err = s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		update := t.ScheduledTask.UpdateOneID(in.ID).SetNillableName(in.Name).SetNillableSchedule(in.Schedule).
			SetNillableTimeZone(in.TimeZone).SetSteps(steps).SetNillableOnlyWhenOnline(in.OnlyWhenOnline).
			SetNillableEnabled(in.Enabled).SetAuthorID(who).ClearDisabledReason()
		if or(in.Enabled, old.Enabled) {
			update.SetNextRunAt(due.after(s.now()))
		} else {
			update.ClearNextRunAt()
		}
		e.Details = map[string]any{"changed": update.Mutation().Fields()}
		saved, err := update.Save(ctx)
		if ent.IsNotFound(err) {
			return fault.Missing("task")
		}
		if err != nil {
			return fmt.Errorf("store task: %w", err)
		}
		out = saved.Unwrap()
		return nil
	})
	return out, err
}

// Delete removes a task with its runs. It needs task.delete.
func (s *Service) Delete(ctx context.Context, id string) error {
	_, e, err := s.find(ctx, "task.delete", access.TaskDelete, id)
	if err != nil {
		return err
	}
	return s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, _ *audit.Entry) error {
		err := t.ScheduledTask.DeleteOneID(id).Exec(ctx)
		if ent.IsNotFound(err) {
			return fault.Missing("task")
		}
		return err
	})
}

// find returns a task that the caller may act on.
func (s *Service) find(ctx context.Context, action string, p access.Permission, id string) (*ent.ScheduledTask, audit.Entry, error) {
	e := deed(action, id, "")
	if err := access.Check(ctx, s.Client, p, access.On(id)); err != nil {
		return nil, e, s.trail.Refused(ctx, e, err)
	}
	row, err := s.Client.ScheduledTask.Get(viewer.System(ctx, nil, "read a task"), id)
	if ent.IsNotFound(err) || !kind.ValidID(kind.PrefixTask, id) {
		return nil, e, fault.Missing("task")
	}
	if err != nil {
		return nil, e, fmt.Errorf("read task: %w", err)
	}
	e.ServerID = row.ServerID
	return row, e, nil
}

// author is who a task that the caller saves belongs to: a person.
func author(ctx context.Context) (string, error) {
	v := viewer.FromContext(ctx)
	if v.IsSystem() || v.UserID == "" {
		return "", fault.New(fault.Forbidden, "A task acts in the name of a person: sign in as one.")
	}
	return v.UserID, nil
}

// steps checks the steps that somebody wants, and their right to each.
func (s *Service) steps(ctx context.Context, serverID string, in []Step) ([]kind.TaskStep, error) {
	if len(in) == 0 || len(in) > maxSteps {
		return nil, fault.Input("steps", "A task has 1 to %d steps.", maxSteps)
	}
	out := make([]kind.TaskStep, len(in))
	for i, step := range in {
		field := fmt.Sprintf("steps[%d].", i)
		payload := strings.TrimSpace(or(step.Payload, ""))
		delay := or(step.Delay, 0)
		switch {
		case step.Action == kind.TaskActionCommand && (payload == "" || len(payload) > maxCommand || strings.ContainsAny(payload, "\r\n\x00")):
			return nil, fault.Input(field+"payload", "A COMMAND needs the command as its payload: one line of up to %d bytes.", maxCommand)
		case step.Action == kind.TaskActionBackup && (len(payload) > maxName || strings.ContainsFunc(payload, unicode.IsControl)):
			return nil, fault.Input(field+"payload", "The payload of a BACKUP is the backup's name: one line of up to %d bytes.", maxName)
		case step.Action != kind.TaskActionCommand && step.Action != kind.TaskActionBackup && payload != "":
			return nil, fault.Input(field+"payload", "Only a COMMAND and a BACKUP have a payload.")
		case delay < 0 || delay > maxDelay:
			return nil, fault.Input(field+"delay", "A step can be delayed by up to %d seconds.", maxDelay)
		}
		out[i] = kind.TaskStep{Action: step.Action, Payload: payload, Delay: delay, ContinueOnFailure: or(step.ContinueOnFailure, false)}
	}
	return out, s.mayAll(ctx, serverID, out)
}

// mayAll checks the caller's right to each of the steps.
func (s *Service) mayAll(ctx context.Context, serverID string, steps []kind.TaskStep) error {
	checked := map[kind.TaskAction]bool{}
	for _, step := range steps {
		if checked[step.Action] {
			continue
		}
		checked[step.Action] = true
		if err := access.Check(ctx, s.Client, needs[step.Action], access.On(serverID)); err != nil {
			return err
		}
	}
	return nil
}

func deed(action, id, serverID string) audit.Entry {
	return audit.Entry{Action: action, TargetType: ent.TypeScheduledTask, TargetID: id, ServerID: serverID}
}

func or[T any](v *T, otherwise T) T {
	if v != nil {
		return *v
	}
	return otherwise
}
