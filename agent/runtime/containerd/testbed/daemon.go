package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
)

// startTime is what a daemon may take to answer.
const startTime = 30 * time.Second

// Daemon is a containerd.
type Daemon struct {
	// Address is its socket.
	Address string
	// Dir is its directory.
	Dir string

	mu  sync.Mutex
	cmd *exec.Cmd
}

// daemon is the one of this test process.
var daemon = sync.OnceValues(func() (*Daemon, error) { return start(context.Background()) }) //nolint:forbidigo // it outlives every test

// Missing ends a test that lacks something of the machine: it is skipped, or fails with CATALYST_TEST_REQUIRE=all.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if os.Getenv("CATALYST_TEST_REQUIRE") == "all" { //nolint:forbidigo // the switch of every test
		t.Fatalf("required for this run: %s", reason)
	}
	t.Skip(reason)
}

// Containerd returns the containerd of this test process. A test is skipped where it cannot be had.
func Containerd(t testing.TB) *Daemon {
	t.Helper()
	need(t)
	d, err := daemon()
	if err != nil {
		t.Fatalf("start containerd: %v", err)
	}
	return d
}

// OwnContainerd returns a containerd that only this test has, to be stopped and frozen. It is gone with the test.
func OwnContainerd(t testing.TB) *Daemon {
	t.Helper()
	need(t)
	d, err := start(t.Context())
	if err != nil {
		t.Fatalf("start containerd: %v", err)
	}
	t.Cleanup(func() {
		if err := d.remove(); err != nil {
			t.Errorf("remove containerd: %v", err)
		}
	})
	return d
}

// Cleanup stops the containerd of this test process. A TestMain calls it when all tests have ended.
func Cleanup() error {
	var errs []error
	if n, err := networks(); err == nil {
		errs = append(errs, n.Remove(context.Background())) //nolint:forbidigo // no test is left
	}
	if d, err := daemon(); err == nil {
		errs = append(errs, d.remove())
	}
	if path, err := program(); err == nil {
		errs = append(errs, os.RemoveAll(filepath.Dir(path)))
	}
	return errors.Join(errs...)
}

func need(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "containers need root")
	}
	for _, program := range []string{"containerd", "containerd-shim-runc-v2", "runc", "iptables"} {
		if _, err := exec.LookPath(program); err != nil {
			Missing(t, "%s is not installed", program)
		}
	}
}

func start(ctx context.Context) (*Daemon, error) {
	dir, err := os.MkdirTemp("", "catalyst-cd")
	if err != nil {
		return nil, fmt.Errorf("make containerd's directory: %w", err)
	}
	d := &Daemon{Dir: dir, Address: filepath.Join(dir, "containerd.sock")}
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = %q
`, filepath.Join(dir, "root"), filepath.Join(dir, "state"), d.Address)
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("configure containerd: %w", err)
	}
	return d, errors.Join(guard(removeDaemon, dir), d.Start(ctx))
}

// removeDaemon is a script that removes everything of a daemon's.
const removeDaemon = `test -d "$1" || exit 0
sleep 1
for pid in $(pgrep -f "$1"); do test "$pid" = $$ || kill -9 "$pid" 2>/dev/null; done
sleep 1
for mount in $(grep -F " $1" /proc/mounts | cut -d' ' -f2 | sort -r); do umount -l "$mount"; done
rm -rf "$1"`

// guard starts a shell that outlives this process by a moment: it runs a script when its standard input ends, which it
// does with this process, however that ends.
func guard(script string, args ...string) error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("guard the tests: %w", err)
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", "read -r _\n" + script, "sh"}, args...)...) //nolint:noctx // it has to outlive everything
	cmd.Stdin = read
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("guard the tests: %w", err)
	}
	guards.Lock()
	defer guards.Unlock()
	guards.ends = append(guards.ends, write)
	return read.Close() //nolint:wrapcheck // it cannot fail
}

// guards keeps the pipes to the guards open.
var guards struct {
	sync.Mutex
	ends []*os.File
}

// Start starts the daemon, again after Stop, and returns when it answers.
func (d *Daemon) Start(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(d.Dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open containerd's log: %w", err)
	}
	defer log.Close()
	d.cmd = exec.Command("containerd", "--config", filepath.Join(d.Dir, "config.toml")) //nolint:noctx // it outlives the test
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := d.cmd.Start(); err != nil {
		return fmt.Errorf("start containerd: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTime)
	defer cancel()
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		err := answers(ctx, d.Address)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			said, _ := os.ReadFile(filepath.Join(d.Dir, "log"))
			return fmt.Errorf("containerd does not answer: %w\n%s", err, said)
		case <-retry.C:
		}
	}
}

func answers(ctx context.Context, address string) error {
	c, err := client.New(address, client.WithTimeout(time.Second))
	if err != nil {
		return err //nolint:wrapcheck // its only caller wraps it
	}
	_, err = c.Version(ctx)
	return errors.Join(err, c.Close())
}

// Stop kills the daemon; containers go on.
func (d *Daemon) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// Freeze makes the daemon do nothing until Thaw.
func (d *Daemon) Freeze() error { return d.signal(syscall.SIGSTOP) }

// Thaw makes it go on.
func (d *Daemon) Thaw() error { return d.signal(syscall.SIGCONT) }

func (d *Daemon) signal(sig syscall.Signal) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cmd.Process.Signal(sig) //nolint:wrapcheck // its only error is that it has ended
}

// Client returns a client in Catalyst's namespace, closed with the test.
func (d *Daemon) Client(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(d.Address, client.WithDefaultNamespace("catalyst"), client.WithTimeout(startTime))
	if err != nil {
		t.Fatalf("connect to containerd: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// killTasks ends the programs that a failed test has left: they would outlive their daemon.
func (d *Daemon) killTasks() {
	ctx, cancel := context.WithTimeout(context.Background(), startTime) //nolint:forbidigo // the tests' contexts have ended
	defer cancel()
	c, err := client.New(d.Address, client.WithDefaultNamespace("catalyst"), client.WithTimeout(time.Second))
	if err != nil {
		return
	}
	defer c.Close()
	containers, err := c.Containers(ctx)
	if err != nil {
		return
	}
	for _, container := range containers {
		if task, err := container.Task(ctx, nil); err == nil {
			_, _ = task.Delete(ctx, client.WithProcessKill)
		}
	}
}

// remove ends the daemon and everything that runs under it.
func (d *Daemon) remove() error {
	d.killTasks()
	d.Stop()
	// The shims say in their arguments whose they are.
	pids, _ := exec.Command("pgrep", "-f", d.Dir).Output() //nolint:noctx // it takes no time
	for pid := range strings.FieldsSeq(string(pids)) {
		if line, err := os.ReadFile("/proc/" + pid + "/cmdline"); err == nil && strings.Contains(string(line), "containerd-shim") {
			_ = exec.Command("kill", "-9", pid).Run() //nolint:noctx // it takes no time
		}
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	for line := range strings.SplitSeq(string(mounts), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], d.Dir+"/") {
			_ = syscall.Unmount(fields[1], syscall.MNT_DETACH)
		}
	}
	if err := os.RemoveAll(d.Dir); err != nil {
		return fmt.Errorf("remove containerd's directory: %w", err)
	}
	return nil
}
