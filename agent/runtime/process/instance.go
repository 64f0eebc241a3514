package process

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/holder/attach"
	"github.com/catalyst-panel/catalyst/agent/procfs"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
)

// instance is a program that its holder has started.
type instance struct {
	*attach.Instance
	runtime *Runtime
	dir     runtime.Dir
}

// Limit changes nothing: nothing is limited.
func (i *instance) Limit(context.Context, *protocol.Limits) error { return i.Alive() }

// killPatience is how long a holder is waited for that is to kill its program.
const killPatience = 2 * time.Second

// Signal has the holder send a signal. One that does not answer, since the machine or whoever may signal it holds it up,
// is killed itself when its program is to be: the kernel ends the two together, and what else there is goes when that is
// seen.
func (i *instance) Signal(ctx context.Context, sig syscall.Signal) error {
	if sig != syscall.SIGKILL {
		return i.Instance.Signal(ctx, sig)
	}
	limited, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	err := i.Instance.Signal(limited, sig)
	if limited.Err() == nil || ctx.Err() != nil {
		return err
	}
	lock, lockErr := attach.Lock(attach.RunDir(i.dir))
	if lockErr == nil {
		return errors.Join(err, attach.Unlock(lock)) // the holder is gone: its number may be another's
	}
	if !errors.Is(lockErr, runtime.ErrAlreadyRunning) {
		return errors.Join(err, lockErr)
	}
	if err := syscall.Kill(i.Hello().HolderPID, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill holder: %w", err)
	}
	return nil
}

// Stats samples the program and its descendants; the network cannot be told apart.
func (i *instance) Stats(ctx context.Context) (runtime.Sample, error) {
	if err := i.Alive(); err != nil {
		return runtime.Sample{}, err
	}
	if ctx.Err() != nil {
		return runtime.Sample{}, fmt.Errorf("sample: %w", context.Cause(ctx))
	}
	all, at, err := i.runtime.sampler.processes()
	if err != nil {
		return runtime.Sample{}, err
	}
	holder := i.Hello()
	s := runtime.Sample{At: at, StartedAt: holder.StartedAt}
	for _, p := range all {
		if p.PID == holder.HolderPID {
			// Of those that it has inherited and waited for.
			s.CPUTime += p.ChildCPU
		}
	}
	for _, p := range procfs.Below(all, holder.HolderPID) {
		s.CPUTime += p.CPU + p.ChildCPU
		s.MemoryBytes += p.Memory
		if !p.Zombie {
			s.Processes++
		}
	}
	return s, nil
}

// Forget removes the record of the end.
func (i *instance) Forget(ctx context.Context) error {
	if !errors.Is(i.Alive(), runtime.ErrNotRunning) {
		return runtime.ErrAlreadyRunning
	}
	run := attach.RunDir(i.dir)
	lock, err := attach.AwaitLock(ctx, run)
	if err != nil {
		return err
	}
	return errors.Join(attach.Forget(run), attach.Unlock(lock))
}
