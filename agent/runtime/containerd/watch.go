package containerd

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	eventstypes "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/events"
	"github.com/containerd/typeurl/v2"
)

const (
	// pollEvery is how often the list of all tasks is read.
	pollEvery = 3 * time.Second
	// listenAgain is the pause after the stream of events has broken.
	listenAgain = time.Second
)

// listen takes containerd's events of programs that end. One that is missed is found by poll.
func (r *Runtime) listen() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-pause.C:
		}
		r.follow()
		pause.Reset(listenAgain)
	}
}

// follow reads one stream of events to its end.
func (r *Runtime) follow() {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	stream, broken := r.events.Subscribe(ctx, `topic=="/tasks/exit",namespace=="`+namespace+`"`)
	for {
		select {
		case err := <-broken:
			if err != nil && r.ctx.Err() == nil {
				r.log.LogAttrs(r.ctx, slog.LevelDebug, "containerd's events are interrupted", slog.Any("error", err))
			}
			return
		case e := <-stream:
			r.heard(e)
		}
	}
}

func (r *Runtime) heard(e *events.Envelope) {
	if e == nil || e.Event == nil {
		return
	}
	v, err := typeurl.UnmarshalAny(e.Event)
	if err != nil {
		return // poll finds it
	}
	if exit, ok := v.(*eventstypes.TaskExit); ok && exit.GetID() == exit.GetContainerID() {
		r.check(exit.GetContainerID())
	}
}

// poll compares the list of all tasks with what is thought to run.
func (r *Runtime) poll() {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	silent := false
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
		running, err := r.list()
		if r.ctx.Err() != nil {
			return
		}
		if (err != nil) != silent {
			silent = err != nil
			if silent {
				r.log.LogAttrs(r.ctx, slog.LevelError, "containerd does not answer: servers go on, none can be started or seen to end", slog.Any("error", err))
			} else {
				r.log.LogAttrs(r.ctx, slog.LevelInfo, "containerd answers again")
			}
		}
		if err != nil {
			continue
		}
		for _, id := range r.liveIDs() {
			if !running[id] {
				r.check(id)
			}
		}
	}
}

// list names the tasks that run.
func (r *Runtime) list() (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(r.ctx, callTime)
	defer cancel()
	answer, err := r.client.TaskService().List(ctx, &tasks.ListTasksRequest{})
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	running := make(map[string]bool, len(answer.GetTasks()))
	for _, t := range answer.GetTasks() {
		if t.GetStatus() != task.Status_STOPPED {
			running[t.GetID()] = true
		}
	}
	return running, nil
}

func (r *Runtime) liveIDs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]string, 0, len(r.live))
	for id := range r.live {
		ids = append(ids, id)
	}
	return ids
}

// check looks, beside its caller, whether a program has ended, and brings it to its end.
func (r *Runtime) check(id string) {
	r.mu.Lock()
	i := r.live[id]
	r.mu.Unlock()
	if i == nil || !i.checking.CompareAndSwap(false, true) {
		return
	}
	r.beside(func(ctx context.Context) {
		defer i.checking.Store(false)
		if err := r.settle(ctx, i); err != nil && ctx.Err() == nil {
			r.log.LogAttrs(ctx, slog.LevelWarn, "the end of a container is not settled yet", slog.String("server_id", id), slog.Any("error", err))
		}
	})
}

func (r *Runtime) settle(ctx context.Context, i *instance) error {
	unlock, err := r.locks.lock(ctx, i.dir.ServerID)
	if err != nil {
		return err
	}
	defer unlock()
	if i.Alive() != nil || !unfinished(i.dir) {
		return nil
	}
	state, err := r.state(ctx, i.dir)
	if err != nil || state.exit == nil {
		return err
	}
	// Where the holder has died, too, the instance notices that, and finds the end by itself.
	_, err = r.conclude(ctx, i.dir, *state.exit, &turn{})
	return err
}
