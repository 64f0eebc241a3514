package holder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/catalyst-panel/catalyst/agent/procfs"
)

var errEnded = errors.New("The program has ended.")

// child is a program that the holder has started.
type child struct {
	pid       int
	shell     bool
	startedAt time.Time
	pipes     streams
	oomKills  uint64

	mu sync.Mutex
	// ended is set before the program is waited for: while it is false, pid cannot belong to another process.
	ended bool
	// killed is set once SIGKILL was asked for.
	killed bool
}

// startChild starts the program in a session of its own. The calling thread must live as long as the program should:
// the kernel kills the program when that thread ends.
func startChild(spec Spec) (*child, error) {
	file, err := lookPath(spec)
	if err != nil {
		return nil, err
	}
	var ours, theirs [3]*os.File
	closeAll := func(files [3]*os.File) {
		for _, f := range files {
			if f != nil {
				_ = f.Close()
			}
		}
	}
	for i := range ours {
		if ours[i], theirs[i], err = pipe(i == 0); err != nil {
			closeAll(ours)
			closeAll(theirs)
			return nil, err
		}
	}
	p := &child{
		shell: spec.Shell, startedAt: time.Now(), oomKills: procfs.OOMKills(),
		pipes: streams{stdin: ours[0], stdout: ours[1], stderr: ours[2]},
	}
	p.pid, err = syscall.ForkExec(file, spec.Argv, &syscall.ProcAttr{
		Dir:   spec.Dir,
		Env:   spec.Env,
		Files: []uintptr{theirs[0].Fd(), theirs[1].Fd(), theirs[2].Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	})
	closeAll(theirs)
	if err != nil {
		closeAll(ours)
		return nil, fmt.Errorf("The program %q could not be started: %w.", spec.Argv[0], err)
	}
	return p, nil
}

// pipe returns the holder's end, which never blocks a thread, and the program's, which blocks as programs expect.
func pipe(weWrite bool) (ours, theirs *os.File, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make pipe: %w", err)
	}
	our, their := fds[0], fds[1]
	if weWrite {
		our, their = fds[1], fds[0]
	}
	if err := syscall.SetNonblock(our, true); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("set pipe: %w", err), syscall.Close(our), syscall.Close(their))
	}
	return os.NewFile(uintptr(our), "pipe"), os.NewFile(uintptr(their), "pipe"), nil
}

// lookPath finds the program as the program's own PATH says, seen from its working directory.
func lookPath(spec Spec) (string, error) {
	name := spec.Argv[0]
	var candidates []string
	if strings.ContainsRune(name, '/') {
		candidates = []string{name}
	} else {
		for _, entry := range spec.Env {
			if list, ok := strings.CutPrefix(entry, "PATH="); ok {
				for dir := range strings.SplitSeq(list, ":") {
					candidates = append(candidates, path.Join(dir, name))
				}
			}
		}
	}
	seen := false
	for _, candidate := range candidates {
		full := candidate
		if !path.IsAbs(full) {
			full = path.Join(spec.Dir, candidate)
		}
		info, err := os.Stat(full)
		if err != nil || info.IsDir() {
			seen = seen || (err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR))
			continue
		}
		if unix.Access(full, unix.X_OK) == nil {
			return full, nil
		}
		seen = true
	}
	if seen {
		return "", fmt.Errorf("The program %q cannot be executed on this node: check its permissions.", name)
	}

	return "", fmt.Errorf("The program %q was not found on this node: install it or change the startup.", name)
}

func (p *child) streams() *streams { return &p.pipes }

func (p *child) hello(h *Hello) { h.PID, h.StartedAt = p.pid, p.startedAt }

// end is not for it: the holder sees the end of its child.
func (p *child) end(Exit) error { return errors.New("the holder sees by itself how its program ends") }

// wait returns how the program has ended.
func (p *child) wait() Exit { return p.exit(p.await()) }

// settle gives what the program has left behind a moment, and kills it.
func (p *child) settle(drained <-chan struct{}) {
	if !p.wasKilled() {
		waitFor(drained, drainFor)
	}
	p.killLeftovers(leftoversFor)
	waitFor(drained, drainFor)
}

// await reaps children until the program itself has ended, and returns how.
func (p *child) await() syscall.WaitStatus {
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			// There is no child although the program was never waited for: this cannot be, but must not hang.
			p.setEnded()
			return 0
		}
		if status, done := p.reap(); done {
			return status
		}
	}
}

// reap waits for every child that has ended.
func (p *child) reap() (syscall.WaitStatus, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return 0, false
		}
		if pid == p.pid {
			p.ended = true
			return status, true
		}
	}
}

func (p *child) setEnded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

func (p *child) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

func (p *child) wasKilled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

// signal sends a signal to the program. SIGKILL goes to everything that it started, others to its process group, as
// from a terminal. A shell that would die of the signal at once is spared while it has children: they are the game,
// and its shell's end would cut them short.
func (p *child) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return errEnded
	}
	if sig == syscall.SIGKILL {
		p.killed = true
		killBelow(p.pid)
		return nil
	}
	if p.shell && !procfs.Catches(p.pid, int(sig)) {
		if p.signalChildren(sig) {
			return nil
		}
	}
	if err := syscall.Kill(-p.pid, sig); err != nil {
		return fmt.Errorf("The signal could not be sent: %w.", err)
	}
	return nil
}

// signalChildren sends a signal to the descendants in the program's group, and reports whether there are any.
func (p *child) signalChildren(sig syscall.Signal) bool {
	all, err := procfs.All()
	if err != nil {
		return false
	}
	found := false
	for _, c := range procfs.Below(all, p.pid) {
		if c.Group == p.pid && !c.Zombie && syscall.Kill(c.PID, sig) == nil {
			found = true
		}
	}
	return found
}

// killBelow kills the process group, and every descendant of the holder, which as their subreaper is the ancestor of
// those too that have left the group.
func killBelow(group int) {
	_ = syscall.Kill(-group, syscall.SIGKILL)
	all, err := procfs.All()
	if err != nil {
		return
	}
	for _, c := range procfs.Below(all, os.Getpid()) {
		if !c.Zombie {
			_ = syscall.Kill(c.PID, syscall.SIGKILL)
		}
	}
}

// killLeftovers ends everything that the program left behind, within the time.
func (p *child) killLeftovers(within time.Duration) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(within); time.Now().Before(end); <-tick.C {
		_, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.ECHILD) {
			return
		}
		killBelow(p.pid)
		p.reap()
	}
}

// exit describes the end.
func (p *child) exit(status syscall.WaitStatus) Exit {
	if !status.Signaled() {
		return Exit{Code: status.ExitStatus(), At: time.Now()}
	}
	sig := status.Signal()
	return Exit{
		Code: 128 + int(sig), Signal: int(sig), At: time.Now(),
		OOMKilled: sig == syscall.SIGKILL && !p.wasKilled() && procfs.OOMKills() > p.oomKills,
	}
}
