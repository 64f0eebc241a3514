package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"

	"github.com/catalyst-panel/catalyst/agent/cgroup"
	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/holder/attach"
	"github.com/catalyst-panel/catalyst/agent/runtime"
)

const (
	// settleTime bounds the end of an instance: what is in the FIFOs is read, and the end is stored.
	settleTime = 15 * time.Second
	settlePoll = 10 * time.Millisecond
)

// Adopt finds the last instance of a server again.
func (r *Runtime) Adopt(ctx context.Context, dir runtime.Dir) (runtime.Instance, error) {
	if !attach.Used(dir) {
		return nil, nil //nolint:nilnil // the interface's answer for "there is none"
	}
	conn, exit, err := r.find(ctx, dir)
	switch {
	case err != nil:
		return nil, err
	case conn != nil:
		s, err := r.startedOf(ctx, dir)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return r.running(ctx, dir, conn, s)
	case exit != nil:
		return r.ended(dir, *exit), nil
	}
	return nil, nil //nolint:nilnil // the interface's answer for "there is none"
}

// find attaches to the holder of the last instance, or finds out how that ended; both are nil when there is none.
func (r *Runtime) find(ctx context.Context, dir runtime.Dir) (*attach.Conn, *holder.Exit, error) {
	unlock, err := r.locks.lock(ctx, dir.ServerID)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	run := attach.RunDir(dir)
	// A holder that lives beside a program that was seen to run: containerd need not be asked.
	if _, err := os.Stat(filepath.Join(run, startedFile)); err == nil {
		if conn, err := attach.Dial(run); err == nil {
			return conn, nil, nil
		}
	}
	file, err := attach.Lock(run)
	if err != nil && !errors.Is(err, runtime.ErrAlreadyRunning) {
		return nil, nil, err
	}
	turn := &turn{file: file}
	defer turn.release()
	if file != nil {
		exit, err := attach.ReadExit(run)
		if err == nil {
			return nil, &exit, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		if _, err := attach.ReadSpec(run); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, nil
		}
	}
	spec, err := attach.ReadSpec(run)
	if err != nil {
		return nil, nil, err
	}
	if spec.FIFOs == nil {
		return nil, nil, errors.New("the server's program was started by the process runtime: stop it under that one before the node changes to containers")
	}
	return r.judge(ctx, dir, turn)
}

// turn is the lock of a run directory as long as no holder has it; file is nil when one has.
type turn struct{ file *os.File }

func (t *turn) release() {
	if t.file != nil {
		_ = attach.Unlock(t.file)
		t.file = nil
	}
}

// judge asks containerd about an instance without an end.
func (r *Runtime) judge(ctx context.Context, dir runtime.Dir, turn *turn) (*attach.Conn, *holder.Exit, error) {
	run := attach.RunDir(dir)
	state, err := r.state(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case state.running && turn.file != nil:
		conn, err := r.spawn(ctx, run, turn)
		return conn, nil, err
	case state.running:
		conn, err := attach.Dial(run)
		if err != nil {
			return nil, nil, fmt.Errorf("attach to holder: %w", err)
		}
		return conn, nil, nil
	case state.exit != nil:
		exit, err := r.conclude(ctx, dir, *state.exit, turn)
		return nil, exit, err
	}
	// It never began.
	return nil, nil, r.discard(ctx, dir, turn.file == nil)
}

// state is what has become of an instance's program; neither field is set when it never began.
type state struct {
	running bool
	exit    *holder.Exit
}

// state asks the run directory and containerd.
func (r *Runtime) state(ctx context.Context, dir runtime.Dir) (state, error) {
	run := attach.RunDir(dir)
	var exit holder.Exit
	if err := holder.ReadFile(filepath.Join(run, endedFile), &exit); err == nil {
		return state{exit: &exit}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return state{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	task, err := r.task(ctx, dir.ServerID)
	if errdefs.IsNotFound(err) {
		return r.vanished(dir), nil
	}
	if err != nil {
		return state{}, err
	}
	status, err := task.Status(ctx)
	if errdefs.IsNotFound(err) {
		return r.vanished(dir), nil
	}
	if err != nil {
		return state{}, fmt.Errorf("ask for the task's state: %w", err)
	}
	switch status.Status {
	case client.Created:
		return state{}, nil
	case client.Stopped:
		exit := r.exitOf(dir, status)
		return state{exit: &exit}, nil
	case client.Running, client.Paused, client.Pausing, client.Unknown:
	}
	return state{running: true}, nil
}

// vanished judges an instance that containerd knows nothing of, as after a restart of the machine.
func (r *Runtime) vanished(dir runtime.Dir) state {
	run := attach.RunDir(dir)
	if _, err := os.Stat(filepath.Join(run, startedFile)); err != nil {
		return state{}
	}
	// Whatever containerd may have lost sight of must not live on beside the next instance.
	if pids, err := cgroup.At(cgroupPath(dir.ServerID)).Processes(); err == nil {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	exit := holder.Exit{Code: -1, At: time.Now(), Lost: true}
	if spec, err := attach.ReadSpec(run); err == nil {
		exit.Run = spec.Run
	}
	return state{exit: &exit}
}

// exitOf translates how a task has ended. It is asked for while the control group still is there.
func (r *Runtime) exitOf(dir runtime.Dir, status client.Status) holder.Exit {
	exit := holder.Exit{Code: int(status.ExitStatus), At: status.ExitTime}
	if spec, err := attach.ReadSpec(attach.RunDir(dir)); err == nil {
		exit.Run = spec.Run
	}
	if exit.At.IsZero() {
		exit.At = time.Now()
	}
	// containerd tells a signal as a shell does.
	if sig := exit.Code - 128; sig > 0 && sig <= 64 {
		exit.Signal = sig
	}
	kills, err := cgroup.At(cgroupPath(dir.ServerID)).OOMKills()
	exit.OOMKilled = err == nil && kills > 0 && exit.Code != 0 && !r.wasKilled(dir.ServerID)
	return exit
}

// conclude brings an ended instance to its end: its end is stored, its task removed, its output read to the last byte. The
// caller has the server's mutex.
func (r *Runtime) conclude(ctx context.Context, dir runtime.Dir, ended holder.Exit, turn *turn) (*holder.Exit, error) {
	if ended.Run == runtime.InstallRun {
		if err := r.handOver(dir); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	run := attach.RunDir(dir)
	if err := holder.StoreExit(filepath.Join(run, endedFile), ended); err != nil {
		return nil, err
	}
	conn, err := r.reach(ctx, run, turn)
	if err != nil {
		return nil, err
	}
	if conn != nil {
		defer func() { _ = conn.Close() }()
	}
	if err := r.removeTask(ctx, dir.ServerID); err != nil {
		return nil, err
	}
	if conn != nil {
		if err := conn.End(ended); err != nil {
			return nil, err
		}
	}
	exit, err := awaitExit(ctx, run)
	if err != nil {
		return nil, err
	}
	if conn != nil {
		attach.Reap(conn.Hello.HolderPID)
	}
	r.cleanLater(dir)
	return exit, nil
}

// reach attaches to the holder, or starts one that reads what is left; nil when it has stored the end meanwhile.
func (r *Runtime) reach(ctx context.Context, run string, turn *turn) (*attach.Conn, error) {
	if turn.file != nil {
		return r.spawn(ctx, run, turn)
	}
	conn, err := attach.Dial(run)
	if err == nil {
		return conn, nil
	}
	if _, exitErr := attach.ReadExit(run); exitErr == nil {
		return nil, nil //nolint:nilnil // nothing is left to do for it
	}
	return nil, fmt.Errorf("attach to holder: %w", err)
}

// removeTask removes a task that has ended, after all its output has gone into the FIFOs.
func (r *Runtime) removeTask(ctx context.Context, id string) error {
	task, err := r.task(ctx, id)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := task.Delete(ctx); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove task: %w", err)
	}
	return nil
}

// awaitExit waits until the holder has stored the end.
func awaitExit(ctx context.Context, run string) (*holder.Exit, error) {
	poll := time.NewTicker(settlePoll)
	defer poll.Stop()
	for {
		exit, err := attach.ReadExit(run)
		if err == nil {
			return &exit, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the holder's end: %w", context.Cause(ctx))
		case <-poll.C:
		}
	}
}

// discard removes an instance that never began, and the holder that waits for it.
func (r *Runtime) discard(ctx context.Context, dir runtime.Dir, held bool) error {
	run := attach.RunDir(dir)
	if held {
		if conn, err := attach.Dial(run); err == nil {
			_ = conn.Close()
			_ = syscall.Kill(conn.Hello.HolderPID, syscall.SIGKILL)
			attach.Reap(conn.Hello.HolderPID)
		}
	}
	if err := r.remove(ctx, dir.ServerID); err != nil {
		return err
	}
	return forget(run)
}

// vacate makes room for a new instance. It fails with ErrAlreadyRunning when the last one runs. The caller has the
// server's mutex and the holder's lock.
func (r *Runtime) vacate(ctx context.Context, dir runtime.Dir) error {
	run := attach.RunDir(dir)
	if unfinished(dir) {
		state, err := r.state(ctx, dir)
		if err != nil {
			return err
		}
		if state.running || state.exit != nil {
			return runtime.ErrAlreadyRunning // it is to be adopted, and its end to be told
		}
	}
	if err := r.remove(ctx, dir.ServerID); err != nil {
		return err
	}
	return forget(run)
}

// startedOf reads when a program began; it is written anew when a kill came between the start and the file.
func (r *Runtime) startedOf(ctx context.Context, dir runtime.Dir) (started, error) {
	file := filepath.Join(attach.RunDir(dir), startedFile)
	var s started
	err := holder.ReadFile(file, &s)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	task, err := r.task(ctx, dir.ServerID)
	if err != nil {
		return s, err
	}
	s = started{PID: int(task.Pid()), At: time.Now()}
	return s, holder.WriteFile(file, s)
}

// unfinished reports whether a server has an instance whose end is not known.
func unfinished(dir runtime.Dir) bool {
	if _, err := attach.ReadSpec(attach.RunDir(dir)); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err := attach.ReadExit(attach.RunDir(dir))
	return err != nil
}

// cleanLater removes an ended container beside whoever reports its end.
func (r *Runtime) cleanLater(dir runtime.Dir) {
	r.beside(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		unlock, err := r.locks.lock(ctx, dir.ServerID)
		if err != nil {
			return
		}
		defer unlock()
		if unfinished(dir) {
			return // it has been replaced
		}
		if err := r.remove(ctx, dir.ServerID); err != nil {
			r.log.LogAttrs(ctx, slog.LevelWarn, "an ended container stays until the next sweep",
				slog.String("server_id", dir.ServerID), slog.Any("error", err))
		}
	})
}
