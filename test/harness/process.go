package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// AdminPassword is that of the first administrator, unless a test wants to see the printed one.
const AdminPassword = "correct-horse-battery"

// EndTime is what any role may take to end after SIGTERM.
const EndTime = 10 * time.Second

// readyTime is what a test waits for a start, on a machine that is busy with other tests.
const readyTime = time.Minute

// Options say what to start.
type Options struct {
	// Args are the role and its flags.
	Args []string
	// Dir is the data directory, from DataDir.
	Dir string
	// Addr is the panel's address, from FreeAddr; empty for an agent.
	Addr string
	// Env are more settings, over the defaults of tests: no rate limits and a known password.
	Env []string
	// As is the account to run as; the test's own when nil.
	As *syscall.Credential
}

// Process is the running program.
type Process struct {
	// PID is its process.
	PID int
	// URL is the panel's address, http://host:port.
	URL string

	tb   testing.TB
	cmd  *exec.Cmd
	out  output
	done chan struct{}
}

// output collects what a process prints.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write adds to what was printed.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p) //nolint:wrapcheck // it never fails
}

// String is all that was printed.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

// DataDir returns a new data directory that as may write. With the test it is removed, and what runs in it killed.
func DataDir(tb testing.TB, as *syscall.Credential) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "catalyst-e2e") //nolint:usetesting // a short path, which another account may be given
	if err != nil {
		tb.Fatal(err)
	}
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(func() {
		if err := errors.Join(killAll(processesIn(dir)), os.RemoveAll(dir)); err != nil {
			tb.Errorf("clean up: %v", err)
		}
	})
	return dir
}

// Unprivileged returns the account for programs that refuse to run as root; nil when the test is not root itself.
func Unprivileged(tb testing.TB) *syscall.Credential {
	tb.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		tb.Fatal(err)
	}
	uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uerr, gerr); err != nil {
		tb.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// FreeAddr returns a loopback address that nothing listens on. Another program may take it before the test does, which
// the kernel makes unlikely: it hands such ports out in turn.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	var config net.ListenConfig
	l, err := config.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Spawn starts the program and does not wait for anything. With the test it is ended, if it still runs.
func Spawn(tb testing.TB, o Options) *Process {
	tb.Helper()
	p := &Process{tb: tb, done: make(chan struct{})}
	p.cmd = exec.Command(Binary(tb), o.Args...) //nolint:noctx // it ends with the test, and not before its clean-up
	p.cmd.Dir = o.Dir
	p.cmd.Env = append(environment(), "CATALYST_DATA_DIR="+o.Dir, "CATALYST_RATE_LIMIT=off", "CATALYST_RUNTIME=process", "CATALYST_SFTP_ADDR=off",
		"CATALYST_ADMIN_PASSWORD="+AdminPassword)
	if o.Addr != "" {
		p.URL = "http://" + o.Addr
		p.cmd.Env = append(p.cmd.Env, "CATALYST_HTTP_ADDR="+o.Addr)
	}
	p.cmd.Env = append(p.cmd.Env, o.Env...)
	p.start(o.As)
	return p
}

// Shell starts a command line of a shell in which "catalyst" is the program.
func Shell(tb testing.TB, dir, line string, env ...string) *Process {
	tb.Helper()
	p := &Process{tb: tb, done: make(chan struct{})}
	p.cmd = exec.Command("/bin/sh", "-c", line) //nolint:noctx // it ends with the test, and not before its clean-up
	p.cmd.Dir = dir
	p.cmd.Env = append(environment(), "PATH="+filepath.Dir(Binary(tb))+":"+os.ExpandEnv("$PATH"))
	p.cmd.Env = append(p.cmd.Env, env...)
	p.start(nil)
	return p
}

// environment is the test's own, without settings of the program.
func environment() []string {
	var out []string
	for _, entry := range os.Environ() {
		if !bytes.HasPrefix([]byte(entry), []byte("CATALYST_")) {
			out = append(out, entry)
		}
	}
	return out
}

func (p *Process) start(as *syscall.Credential) {
	p.tb.Helper()
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	// A holder that keeps the output open is no reason to wait for it.
	p.cmd.WaitDelay = time.Second
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		p.tb.Fatalf("start the program: %v", err)
	}
	p.PID = p.cmd.Process.Pid
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is in ProcessState
	}()
	p.tb.Cleanup(func() {
		select {
		case <-p.done:
		default:
			_ = p.cmd.Process.Kill() // it may have ended just now
			<-p.done
		}
		if p.tb.Failed() {
			p.tb.Logf("output of %v:\n%s", p.cmd.Args[1:], tail(p.out.String()))
		}
	})
}

// tail is the end of what a process printed, as much as people read.
func tail(s string) string {
	const most = 12 << 10
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

// Start starts a panel (the roles dev and serve) and returns when it is ready.
func Start(tb testing.TB, o Options) *Process {
	tb.Helper()
	p := Spawn(tb, o)
	p.AwaitReady()
	return p
}

// AwaitReady returns once the panel says that it is ready.
func (p *Process) AwaitReady() {
	p.tb.Helper()
	Eventually(p.tb, readyTime, "the panel is ready", func() error {
		select {
		case <-p.done:
			p.tb.Fatalf("the program ended with %v:\n%s", p.cmd.ProcessState, tail(p.out.String()))
		default:
		}
		return Ready(p.tb.Context(), p.URL)
	})
}

// Ready asks a panel once whether it is ready.
func Ready(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ask whether it is ready: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask whether it is ready: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return fmt.Errorf("ask whether it is ready: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask whether it is ready: %s", resp.Status)
	}
	return nil
}

// Output is what the program has printed.
func (p *Process) Output() string { return p.out.String() }

// printed is the line with the first administrator's password.
var printed = regexp.MustCompile(`(?m)^\s*password\s+(\S+)\s*$`)

// Password returns the password that the program printed, or nothing.
func (p *Process) Password() string {
	if m := printed.FindStringSubmatch(p.out.String()); m != nil {
		return m[1]
	}
	return ""
}

// Kill ends the program as kill -9 does.
func (p *Process) Kill() {
	p.tb.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.tb.Fatalf("kill -9: %v", err)
	}
	<-p.done
}

// Terminate sends SIGTERM and fails the test unless the program ends well and in time.
func (p *Process) Terminate() {
	p.tb.Helper()
	begin := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.tb.Fatalf("SIGTERM: %v", err)
	}
	if code := p.Wait(EndTime + 5*time.Second); code != 0 {
		p.tb.Errorf("after SIGTERM it ended with code %d, want 0", code)
	}
	if took := time.Since(begin); took > EndTime {
		p.tb.Errorf("after SIGTERM it took %v to end, want less than %v", took, EndTime)
	}
}

// Wait returns the exit code once the program has ended.
func (p *Process) Wait(most time.Duration) int {
	p.tb.Helper()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.tb.Fatalf("the program has not ended within %v:\n%s", most, tail(p.out.String()))
	}
	return p.cmd.ProcessState.ExitCode()
}

// Eventually polls until check succeeds and fails the test when it does not in time.
func Eventually(tb testing.TB, most time.Duration, what string, check func() error) {
	tb.Helper()
	deadline := time.NewTimer(most)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			tb.Fatalf("waited %v until %s: %v", most, what, err)
		case <-again.C:
		}
	}
}
