package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/durable"
	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/procfs"
	"github.com/catalyst-panel/catalyst/agent/runtime"
)

// Name is the runtime's name in configuration.
const Name = "process"

// startTimeout bounds a holder's own start; starting a program takes milliseconds.
const startTimeout = 15 * time.Second

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

// Start starts a holder, which starts the program.
func (r *Runtime) Start(ctx context.Context, spec runtime.Spec) (runtime.Instance, error) {
	run := runDir(spec.Dir)
	for _, dir := range []string{run, filesDir(spec.Dir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make server directory: %w", err)
		}
	}
	lock, err := awaitRun(ctx, run)
	if err != nil {
		return nil, err
	}
	var old holder.Spec
	if err := holder.ReadFile(filepath.Join(run, holder.SpecFile), &old); err == nil {
		killMarked(old.Mark)
	}
	if err := r.prepare(spec, run); err != nil {
		return nil, errors.Join(err, forget(run), unlock(lock))
	}
	pid, err := r.spawn(ctx, run, lock)
	if err != nil {
		return nil, errors.Join(err, forget(run), unlock(lock))
	}
	// The holder has the lock too, and keeps it.
	if err := lock.Close(); err != nil {
		r.log.WarnContext(ctx, "holder lock not closed", slog.String("server_id", spec.ServerID), slog.Any("error", err))
	}
	conn, hello, err := dial(run)
	if err != nil {
		// The program may have ended already, which is no failure to start.
		found, err := r.adoptUntil(ctx, spec.Dir, fmt.Errorf("attach to holder %d: %w", pid, err))
		if ended, ok := found.(*instance); ok && ended.hello.HolderPID == 0 {
			reap(pid) // it did not live to say its number
		}
		return found, err
	}
	return newInstance(r, spec.Dir, conn, hello), nil
}

// prepare writes what the holder reads.
func (r *Runtime) prepare(spec runtime.Spec, run string) error {
	if err := forget(run); err != nil {
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

// spawn starts the holder and waits until the program runs. After an error neither of them does.
func (r *Runtime) spawn(ctx context.Context, run string, lock *os.File) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, fmt.Errorf("open null device: %w", err)
	}
	defer null.Close()
	logFile, err := os.OpenFile(filepath.Join(run, holder.LogFile), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, fmt.Errorf("open holder log: %w", err)
	}
	defer logFile.Close()
	status, theirs, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("make status pipe: %w", err)
	}
	defer status.Close()
	p, err := os.StartProcess(r.executable, []string{r.executable, holder.Command, run}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=" + searchPath, "GOMAXPROCS=1", "GOGC=25"},
		Files: []*os.File{null, null, logFile, lock, theirs},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	err = errors.Join(err, theirs.Close())
	if err != nil {
		return 0, fmt.Errorf("start holder: %w", err)
	}
	pid := p.Pid
	stop := context.AfterFunc(ctx, func() { _ = status.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var started holder.Started
	err = json.NewDecoder(status).Decode(&started)
	if err == nil && started.Error == "" {
		// From here on it may outlive this process: it is waited for by number, when its end is seen.
		return pid, p.Release()
	}
	_ = p.Kill()
	_, _ = p.Wait()
	switch {
	case started.Error != "":
		return 0, errors.New(started.Error)
	case ctx.Err() != nil:
		return 0, fmt.Errorf("start holder: %w", context.Cause(ctx))
	}
	said := make([]byte, 1000)
	n, _ := logFile.ReadAt(said, 0)
	return 0, fmt.Errorf("the holder ended at once: %w: %s", err, bytes.TrimSpace(said[:n]))
}

// Adopt finds the last instance again.
func (r *Runtime) Adopt(ctx context.Context, dir runtime.Dir) (runtime.Instance, error) {
	if _, err := os.Stat(filepath.Join(runDir(dir), holder.LockFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // the interface's answer for "there is none"
	}
	return r.adoptUntil(ctx, dir, nil)
}

// adoptUntil attaches to the holder, or to what it left. A holder that is between the two is given some time. none is
// the error to return when there is no instance.
func (r *Runtime) adoptUntil(ctx context.Context, dir runtime.Dir, none error) (runtime.Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	retry := time.NewTicker(retryInterval)
	defer retry.Stop()
	run := runDir(dir)
	for {
		exit, err := conclude(run)
		switch {
		case err == nil && exit != nil:
			return endedInstance(r, dir, *exit), nil
		case err == nil:
			return nil, none
		case !errors.Is(err, runtime.ErrAlreadyRunning):
			return nil, err
		}
		conn, hello, err := dial(run)
		if err == nil {
			return newInstance(r, dir, conn, hello), nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("attach to holder: %w", errors.Join(context.Cause(ctx), err))
		case <-retry.C:
		}
	}
}

// conclude finds out how the last instance ended: nil when there is none, ErrAlreadyRunning while its holder lives. When
// the holder was killed, it ends what is left of the program, and keeps that for later.
func conclude(run string) (*holder.Exit, error) {
	lock, err := lockRun(run)
	if err != nil {
		return nil, err
	}
	var (
		exit holder.Exit
		spec holder.Spec
	)
	err = holder.ReadFile(filepath.Join(run, holder.ExitFile), &exit)
	if err == nil {
		return &exit, unlock(lock)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, unlock(lock))
	}
	if err := holder.ReadFile(filepath.Join(run, holder.SpecFile), &spec); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, errors.Join(err, unlock(lock))
	}
	killMarked(spec.Mark)
	exit = holder.Exit{Run: spec.Run, Code: -1, At: time.Now(), Lost: true}
	err = errors.Join(holder.StoreExit(run, exit), unlock(lock))
	return &exit, err
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

// forget removes what describes an instance. The lock file stays: a lock on a removed file would lock nothing. The spec
// goes first, since a spec without an exit stands for a holder that was killed.
func forget(run string) error {
	var errs []error
	for _, name := range []string{holder.SpecFile, holder.ExitFile, holder.ExitFile + durable.Suffix, holder.SocketFile, holder.LogFile} {
		if err := os.Remove(filepath.Join(run, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// awaitRun takes the lock of a server whose last holder may still be about to end: it reports the program's end before
// its own. It fails with ErrAlreadyRunning when the lock stays taken.
func awaitRun(ctx context.Context, run string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	retry := time.NewTicker(lockAgain)
	defer retry.Stop()
	for {
		lock, err := lockRun(run)
		if !errors.Is(err, runtime.ErrAlreadyRunning) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-retry.C:
		}
	}
}

const (
	// lockPatience is how long an older holder is waited for, lockAgain how often it looks.
	lockPatience = 3 * time.Second
	lockAgain    = 10 * time.Millisecond
)

// lockRun takes the lock that a holder has as long as it lives.
func lockRun(run string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(run, holder.LockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open holder lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = errors.Join(err, f.Close())
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, runtime.ErrAlreadyRunning
		}
		return nil, fmt.Errorf("lock holder lock: %w", err)
	}
	return f, nil
}

// unlock gives the lock back, even if a process that is just being started still has the file open.
func unlock(f *os.File) error {
	if err := errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close()); err != nil {
		return fmt.Errorf("unlock holder lock: %w", err)
	}
	return nil
}

func runDir(dir runtime.Dir) string     { return filepath.Join(dir.Path, "run") }
func filesDir(dir runtime.Dir) string   { return filepath.Join(dir.Path, "files") }
func consoleDir(dir runtime.Dir) string { return filepath.Join(dir.Path, "console") }

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
