package attach

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/holder"
)

// StartTimeout bounds a holder's own start, which takes milliseconds.
const StartTimeout = 15 * time.Second

// searchPath is that of a holder; it looks for nothing there.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Spawn starts the holder of a run directory, whose spec is written, hands the lock to it and returns when it has done
// its own start. After an error nothing runs, and the lock is still the caller's.
func Spawn(ctx context.Context, executable, run string, lock *os.File) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, StartTimeout)
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
	p, err := os.StartProcess(executable, []string{executable, holder.Command, run}, &os.ProcAttr{
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

// Reap waits for a holder when it is a child of this very process; otherwise somebody else does. It has released its
// lock, so it is as good as gone.
func Reap(pid int) {
	if pid <= 0 {
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		ended, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		if ended != 0 && !errors.Is(err, syscall.EINTR) {
			return
		}
		<-tick.C
	}
}
