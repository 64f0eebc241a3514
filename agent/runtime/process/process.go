package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/holder/attach"
	"github.com/catalyst-panel/catalyst/agent/procfs"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Name is the runtime's name in configuration.
const Name = "process"

// retryInterval is how often a holder that does not answer is tried again.
const retryInterval = 20 * time.Millisecond

// Config is what the runtime needs.
type Config struct {
	// Executable is the binary that has the holder's sub-command; empty: the running one.
	Executable string
	// Logger is for what cannot be returned.
	Logger *slog.Logger
}

// Runtime runs programs as processes.
type Runtime struct {
	executable string
	log        *slog.Logger
	sampler    sampler
}

var _ runtime.Runtime = (*Runtime)(nil)

// New returns the runtime. It starts nothing.
func New(cfg Config) (*Runtime, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Executable == "" {
		path, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the running executable: %w", err)
		}
		cfg.Executable = path
	}
	return &Runtime{executable: cfg.Executable, log: cfg.Logger}, nil
}

// Name returns "process".
func (r *Runtime) Name() string { return Name }

// Close has nothing to let go of.
func (r *Runtime) Close() error { return nil }

// Prepare has nothing to fetch.
func (r *Runtime) Prepare(context.Context, *protocol.ServerSpec, runtime.Progress) error { return nil }

// Start starts a holder, which starts the program.
func (r *Runtime) Start(ctx context.Context, spec runtime.Spec) (runtime.Instance, error) {
	if spec.Run == runtime.InstallRun {
		return nil, fault.New(fault.Conflict, "The server is installed in a container, and this node runs programs without containers: use a node with containerd.")
	}
	run := attach.RunDir(spec.Dir)
	if err := attach.Prepare(spec.Dir); err != nil {
		return nil, err
	}
	lock, err := attach.AwaitLock(ctx, run)
	if err != nil {
		return nil, err
	}
	killLeft(run)
	if err := r.prepare(spec, run); err != nil {
		return nil, errors.Join(err, attach.Forget(run), attach.Unlock(lock))
	}
	pid, err := attach.Spawn(ctx, r.executable, run, lock)
	if err != nil {
		killLeft(run)
		return nil, errors.Join(err, attach.Forget(run), attach.Unlock(lock))
	}
	// The holder has the lock too, and keeps it.
	if err := lock.Close(); err != nil {
		r.log.WarnContext(ctx, "holder lock not closed", slog.String("server_id", spec.ServerID), slog.Any("error", err))
	}
	conn, err := attach.Dial(run)
	if err != nil {
		// The program may have ended already, which is no failure to start.
		found, err := r.adoptUntil(ctx, spec.Dir, fmt.Errorf("attach to holder %d: %w", pid, err))
		if ended, ok := found.(*instance); ok && ended.Hello().HolderPID == 0 {
			attach.Reap(pid) // it did not live to say its number
		}
		if err != nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it is a child that was not waited for, so the number is its own
			killLeft(run)
			attach.Reap(pid)
			err = errors.Join(err, attach.Forget(run))
		}
		return found, err
	}
	return r.running(ctx, spec.Dir, conn), nil
}

// killLeft ends what is left of the last program whose holder has ended.
func killLeft(run string) {
	if spec, err := attach.ReadSpec(run); err == nil {
		killMarked(spec.Mark)
	}
}

// prepare writes what the holder reads.
func (r *Runtime) prepare(spec runtime.Spec, run string) error {
	if err := attach.Forget(run); err != nil {
		return err
	}
	own := filepath.Join(run, "bin", "catalyst")
	if err := os.MkdirAll(filepath.Dir(own), 0o700); err != nil {
		return fmt.Errorf("make program directory: %w", err)
	}
	if err := os.Remove(own); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove old program link: %w", err)
	}
	if err := os.Symlink(r.executable, own); err != nil {
		return fmt.Errorf("link program: %w", err)
	}
	toRun, err := holderSpec(spec, filepath.Dir(own))
	if err != nil {
		return err
	}
	return holder.WriteFile(filepath.Join(run, holder.SpecFile), toRun)
}

// Adopt finds the last instance again.
func (r *Runtime) Adopt(ctx context.Context, dir runtime.Dir) (runtime.Instance, error) {
	if !attach.Used(dir) {
		return nil, nil //nolint:nilnil // the interface's answer for "there is none"
	}
	return r.adoptUntil(ctx, dir, nil)
}

// adoptUntil attaches to the holder, or to what it left. A holder that is between the two is given some time. none is
// the error to return when there is no instance.
func (r *Runtime) adoptUntil(ctx context.Context, dir runtime.Dir, none error) (runtime.Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, attach.StartTimeout)
	defer cancel()
	retry := time.NewTicker(retryInterval)
	defer retry.Stop()
	for {
		conn, exit, err := find(attach.RunDir(dir))
		switch {
		case conn != nil:
			return r.running(ctx, dir, conn), nil
		case exit != nil:
			return &instance{Instance: attach.Ended(dir, *exit), runtime: r, dir: dir}, nil
		case err == nil:
			return nil, none
		case !errors.Is(err, errNoAnswer):
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("attach to holder: %w", errors.Join(context.Cause(ctx), err))
		case <-retry.C:
		}
	}
}

// running is the instance of a program that runs.
func (r *Runtime) running(ctx context.Context, dir runtime.Dir, conn *attach.Conn) *instance {
	resume := func(context.Context) (*attach.Conn, *holder.Exit, error) { return find(attach.RunDir(dir)) }
	return &instance{Instance: attach.New(ctx, dir, conn, resume), runtime: r, dir: dir}
}

// errNoAnswer says that there is a holder which does not answer, now.
var errNoAnswer = errors.New("the holder does not answer")

// find attaches to the holder, or finds out how the last instance ended; both are nil when there is none.
func find(run string) (*attach.Conn, *holder.Exit, error) {
	exit, err := conclude(run)
	if !errors.Is(err, runtime.ErrAlreadyRunning) {
		return nil, exit, err
	}
	conn, err := attach.Dial(run)
	if err != nil {
		return nil, nil, errors.Join(errNoAnswer, err)
	}
	return conn, nil, nil
}

// conclude finds out how the last instance ended: nil when there is none, ErrAlreadyRunning while its holder lives. When
// the holder was killed, it ends what is left of the program, and keeps that for later.
func conclude(run string) (*holder.Exit, error) {
	lock, err := attach.Lock(run)
	if err != nil {
		return nil, err
	}
	exit, err := attach.ReadExit(run)
	if err == nil {
		return &exit, attach.Unlock(lock)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, attach.Unlock(lock))
	}
	spec, err := attach.ReadSpec(run)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, errors.Join(err, attach.Unlock(lock))
	}
	killMarked(spec.Mark)
	exit = holder.Exit{Run: spec.Run, Code: -1, At: time.Now(), Lost: true}
	_ = holder.StoreExit(filepath.Join(run, holder.ExitFile), exit) // what the disk does not take is concluded again
	return &exit, attach.Unlock(lock)
}

// killMarked ends every process that was started with the mark in its environment.
func killMarked(mark string) {
	if mark == "" {
		return
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 300 {
		all, err := procfs.All()
		if err != nil {
			return
		}
		found := false
		for _, p := range all {
			if !p.Zombie && procfs.HasEnv(p.PID, holder.MarkKey+"="+mark) {
				found = true
				_ = syscall.Kill(p.PID, syscall.SIGKILL)
			}
		}
		if !found {
			return
		}
		<-tick.C
	}
}

// sampler shares one reading of /proc among all instances that are sampled at about the same time.
type sampler struct {
	mu  sync.Mutex
	at  time.Time
	all []procfs.Process
}

func (s *sampler) processes() ([]procfs.Process, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := time.Since(s.at); age < 0 || age > 200*time.Millisecond {
		all, err := procfs.All()
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read processes: %w", err)
		}
		s.at, s.all = time.Now(), all
	}
	return s.all, s.at, nil
}
