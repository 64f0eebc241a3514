package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/catalyst-panel/catalyst/agent/cgroup"
	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/holder/attach"
	"github.com/catalyst-panel/catalyst/agent/procfs"
	"github.com/catalyst-panel/catalyst/agent/runtime"
)

// instance is a server's program in its container.
type instance struct {
	*attach.Instance
	runtime *Runtime
	dir     runtime.Dir
	started started
	once    sync.Once
	// killed is set once SIGKILL was sent, which is then no want of memory.
	killed atomic.Bool
	// checking is set while somebody looks whether it has ended.
	checking atomic.Bool
}

// running is the instance of a program that runs; the runtime watches it until it ends or is detached.
func (r *Runtime) running(ctx context.Context, dir runtime.Dir, conn *attach.Conn, s started) (*instance, error) {
	i := &instance{runtime: r, dir: dir, started: s}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.Join(errClosed, conn.Close())
	}
	i.Instance = attach.New(ctx, dir, conn, func(ctx context.Context) (*attach.Conn, *holder.Exit, error) { return r.find(ctx, dir) })
	r.live[dir.ServerID] = i
	return i, nil
}

// wasKilled reports whether somebody asked for the end of a server's program.
func (r *Runtime) wasKilled(serverID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.live[serverID]
	return i != nil && i.killed.Load()
}

var errClosed = errors.New("the runtime is closed")

// ended is the instance of a program that has ended.
func (r *Runtime) ended(dir runtime.Dir, exit holder.Exit) *instance {
	r.cleanLater(dir)
	return &instance{Instance: attach.Ended(dir, exit), runtime: r, dir: dir}
}

// Detach lets go of the program.
func (i *instance) Detach() {
	i.once.Do(func() {
		r := i.runtime
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.live[i.dir.ServerID] == i {
			delete(r.live, i.dir.ServerID)
		}
	})
	i.Instance.Detach()
}

func (i *instance) group() cgroup.Group { return cgroup.At(cgroupPath(i.dir.ServerID)) }

// Signal sends a signal to the first process of the container, or to all of them when that one would ignore it, as a
// shell does: the kernel keeps from it what it has no handler for. SIGKILL ends everything. containerd is not asked, so
// that a server can be killed while it hangs.
func (i *instance) Signal(_ context.Context, sig syscall.Signal) error {
	if err := i.Alive(); err != nil {
		return err
	}
	first := i.started.PID
	if sig == syscall.SIGKILL {
		i.killed.Store(true)
		i.group().Unthrottle()
		err := i.send(first, sig)
		i.killRest(first)
		return err
	}
	if procfs.Catches(first, int(sig)) {
		return i.send(first, sig)
	}
	pids, err := i.group().Processes()
	if err != nil {
		return i.gone(err)
	}
	for _, pid := range pids {
		if err := i.send(pid, sig); err != nil {
			return err
		}
	}
	return nil
}

// killRest kills what else is in the container: the kernel does so when the first process ends, but that one has to come to
// it among all the others.
func (i *instance) killRest(first int) {
	pids, err := i.group().Processes()
	if err != nil {
		return // it is gone
	}
	for _, pid := range pids {
		if pid != first {
			_ = i.send(pid, syscall.SIGKILL) // one that has ended is killed enough
		}
	}
}

// send signals a process through a descriptor of it, so that a number that was given out anew cannot be meant.
func (i *instance) send(pid int, sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return i.gone(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if !i.group().Has(pid) {
		return nil // it has ended, which is about to be told
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil {
		return i.gone(err)
	}
	return nil
}

// gone passes over what only says that something has ended meanwhile: the end is about to be told.
func (i *instance) gone(err error) error {
	if errors.Is(err, unix.ESRCH) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("send signal: %w", err)
}

// Stats reads the container's control group and its network.
func (i *instance) Stats(ctx context.Context) (runtime.Sample, error) {
	if err := i.Alive(); err != nil {
		return runtime.Sample{}, err
	}
	if ctx.Err() != nil {
		return runtime.Sample{}, fmt.Errorf("sample: %w", context.Cause(ctx))
	}
	usage, err := i.group().Usage()
	if errors.Is(err, fs.ErrNotExist) {
		return runtime.Sample{}, runtime.ErrNotRunning
	}
	if err != nil {
		return runtime.Sample{}, fmt.Errorf("sample: %w", err)
	}
	rx, tx := procfs.Network(i.started.PID)
	return runtime.Sample{
		At: time.Now(), StartedAt: i.started.At, CPUTime: usage.CPU, MemoryBytes: usage.Memory, Processes: usage.Processes,
		NetworkRxBytes: rx, NetworkTxBytes: tx,
	}, nil
}

// Forget removes the record of the end.
func (i *instance) Forget(ctx context.Context) error {
	if !errors.Is(i.Alive(), runtime.ErrNotRunning) {
		return runtime.ErrAlreadyRunning
	}
	r := i.runtime
	unlock, err := r.locks.lock(ctx, i.dir.ServerID)
	if err != nil {
		return err
	}
	defer unlock()
	run := attach.RunDir(i.dir)
	lock, err := attach.AwaitLock(ctx, run)
	if err != nil {
		return err
	}
	return errors.Join(forget(run), attach.Unlock(lock))
}
