package attach

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/durable"
	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/runtime"
)

const (
	// lockPatience is how long an older holder is waited for, lockAgain how often it looks.
	lockPatience = 3 * time.Second
	lockAgain    = 10 * time.Millisecond
)

// RunDir is where a server's holder works.
func RunDir(dir runtime.Dir) string { return filepath.Join(dir.Path, "run") }

// FilesDir holds a server's files.
func FilesDir(dir runtime.Dir) string { return filepath.Join(dir.Path, "files") }

// ConsoleDir holds a server's console log.
func ConsoleDir(dir runtime.Dir) string { return filepath.Join(dir.Path, "console") }

// Prepare makes the directories that a holder works with.
func Prepare(dir runtime.Dir) error {
	for _, path := range []string{RunDir(dir), FilesDir(dir)} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return fmt.Errorf("make server directory: %w", err)
		}
	}
	return nil
}

// Used reports whether a holder ever worked for the server.
func Used(dir runtime.Dir) bool {
	_, err := os.Stat(filepath.Join(RunDir(dir), holder.LockFile))
	return !errors.Is(err, fs.ErrNotExist)
}

// Lock takes the lock that a holder has as long as it lives. It fails with runtime.ErrAlreadyRunning when one does.
func Lock(run string) (*os.File, error) {
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

// AwaitLock takes the lock of a server whose last holder may still be about to end: it reports the program's end before
// its own. It fails with runtime.ErrAlreadyRunning when the lock stays taken.
func AwaitLock(ctx context.Context, run string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	retry := time.NewTicker(lockAgain)
	defer retry.Stop()
	for {
		lock, err := Lock(run)
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

// Unlock gives the lock back, even if a process that is just being started still has the file open.
func Unlock(f *os.File) error {
	if err := errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close()); err != nil {
		return fmt.Errorf("unlock holder lock: %w", err)
	}
	return nil
}

// ReadSpec reads what the last holder was given; the error is fs.ErrNotExist when there is nothing.
func ReadSpec(run string) (holder.Spec, error) {
	var spec holder.Spec
	err := holder.ReadFile(filepath.Join(run, holder.SpecFile), &spec)
	return spec, err
}

// ReadExit reads how the last program ended; the error is fs.ErrNotExist when that is not known.
func ReadExit(run string) (holder.Exit, error) {
	var exit holder.Exit
	err := holder.ReadFile(filepath.Join(run, holder.ExitFile), &exit)
	return exit, err
}

// Forget removes what describes an instance, and more files of the runtime's own. The lock file stays: a lock on a
// removed file would lock nothing. The spec goes first, since a spec without an exit stands for a holder that was killed.
func Forget(run string, more ...string) error {
	names := []string{
		holder.SpecFile, holder.ExitFile, holder.ExitFile + durable.Suffix, holder.SocketFile,
		holder.LogFile, holder.ReadyFile,
	}
	var errs []error
	for _, name := range append(names, more...) {
		if err := os.Remove(filepath.Join(run, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
