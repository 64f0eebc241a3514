package process_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	_ "github.com/catalyst-panel/catalyst/agent/earlyexec"
	"github.com/catalyst-panel/catalyst/agent/holder/attach"
	"github.com/catalyst-panel/catalyst/agent/procfs"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/agent/runtime/process"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
)

// The import of earlyexec makes this test binary the holder and the Demo game of its own tests.

func TestMain(m *testing.M) {
	if err := os.Setenv("CATALYST_CANARY", "secret"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func machine(t *testing.T) runtimetest.Machine {
	t.Helper()
	return func() runtime.Runtime {
		rt, err := process.New(process.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
}

func bench(t *testing.T) *runtimetest.Bench {
	t.Helper()
	return runtimetest.NewBench(t, machine(t))
}

func TestConformance(t *testing.T) {
	t.Parallel()
	runtimetest.Run(t, machine)
}

func TestEnvironmentIsTheServersOwn(t *testing.T) {
	t.Parallel()
	b := bench(t)
	spec := runtimetest.Shell("env; pwd; umask")
	spec.Environment = map[string]string{"GREETING": "hello $(id) 'world'"}
	inst := b.Start(spec)
	b.Exit(inst)
	texts := b.Texts()
	files := filepath.Join(b.Dir.Path, "files")
	for _, want := range []string{"GREETING=hello $(id) 'world'", "HOME=" + files, "PWD=" + files, "LANG=C.UTF-8", files, "0022"} {
		if !slices.Contains(texts, "STDOUT "+want) {
			t.Errorf("no line %q in %q", want, texts)
		}
	}
	allowed := []string{"GREETING", "HOME", "PWD", "LANG", "PATH", "CATALYST_INSTANCE", "OLDPWD", "_", "SHLVL"}
	for _, text := range texts {
		if key, _, found := strings.Cut(strings.TrimPrefix(text, "STDOUT "), "="); found && !slices.Contains(allowed, key) {
			t.Errorf("the program got %q", text)
		}
		if strings.Contains(text, "CANARY") {
			t.Errorf("the agent's environment leaks: %q", text)
		}
	}
}

func TestDescriptorsAreClosed(t *testing.T) {
	t.Parallel()
	b := bench(t)
	inst := b.Start(runtimetest.Shell("exec ls /proc/self/fd"))
	b.Exit(inst)
	// 3 is ls's own, of the directory.
	if got := b.Texts(); len(got) != 4 {
		t.Errorf("open descriptors: %q, want 0 to 3", got)
	}
}

func TestDescendantsGoWithTheProgram(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*runtimetest.Bench, runtime.Instance){
		"ends by itself": func(b *runtimetest.Bench, inst runtime.Instance) { b.Input(inst, "go") },
		"killed":         func(b *runtimetest.Bench, inst runtime.Instance) { b.Signal(inst, syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bench(t)
			// One in the group that holds the output, one in another session, one daemon without its output.
			inst := b.Start(runtimetest.Shell(`
				sleep 1000 & echo pid $!
				setsid sleep 1000 & echo pid $!
				(setsid sh -c 'echo pid $$; exec sleep 1000 >/dev/null 2>&1' &)
				read line; exit 4`))
			var pids []int
			for len(pids) < 3 {
				pids = pids[:0]
				for _, text := range b.Texts() {
					if n, ok := strings.CutPrefix(text, "STDOUT pid "); ok {
						pid, err := strconv.Atoi(n)
						if err != nil {
							t.Fatal(err)
						}
						pids = append(pids, pid)
					}
				}
			}
			// The subshell that has started the daemon ends by itself.
			poll, limit := time.NewTicker(20*time.Millisecond), time.NewTimer(10*time.Second)
			defer poll.Stop()
			defer limit.Stop()
			for s, err := inst.Stats(t.Context()); err != nil || s.Processes != 4; s, err = inst.Stats(t.Context()) {
				select {
				case <-poll.C:
				case <-limit.C:
					t.Fatalf("stats: %+v, %v, want 4 processes", s, err)
				}
			}
			begun := time.Now()
			end(b, inst)
			if exit := b.Exit(inst); exit.Lost {
				t.Errorf("exit = %+v", exit)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("the end took %v", took)
			}
			for _, pid := range pids {
				if alive(pid) {
					t.Errorf("process %d is left", pid)
				}
			}
			leftovers(b)
		})
	}
}

func TestHolderKilled(t *testing.T) {
	t.Parallel()
	b := bench(t)
	inst := b.Start(runtimetest.Shell("sleep 1000 & setsid sleep 1000 & echo started; wait"))
	b.Line("started")
	holder := 0
	for _, p := range processesOf(t, b) {
		holder = p.Parent
		if name, err := os.ReadFile("/proc/" + strconv.Itoa(holder) + "/cmdline"); err == nil && strings.Contains(string(name), "\x00holder\x00") {
			break
		}
	}
	if err := syscall.Kill(holder, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if exit := b.Exit(inst); !exit.Lost || exit.Code != -1 {
		t.Errorf("exit = %+v, want lost with -1", exit)
	}
	if left := processesOf(t, b); len(left) != 0 {
		t.Errorf("processes left: %+v", left)
	}
	again := b.Adopt()
	if again == nil {
		t.Fatal("the loss is forgotten")
	}
	if exit := b.Exit(again); !exit.Lost || again.Run() != 1 {
		t.Errorf("run %d, exit %+v, want run 1 lost", again.Run(), exit)
	}
	b.Ready(b.Start(runtimetest.Demo()))
}

func TestRateLimitIsVisible(t *testing.T) {
	t.Parallel()
	b := bench(t)
	spec := runtimetest.Demo()
	spec.Console = &protocol.ConsoleSpec{BurstLines: 100, LinesPerSecond: 10}
	inst := b.Start(spec)
	b.Ready(inst)
	b.Input(inst, "burst 5000")
	// The burst and "burst done" are 5001 lines, "ready" was one of the hundred.
	b.Line("4902 lines dropped: the output was over the console's rate limit.")
	b.Input(inst, "crash 1")
	exit := b.Exit(inst)
	if n := len(exit.LastLines); n == 0 || exit.LastLines[n-1] != "burst done 5000" {
		t.Errorf("last lines = %q, want those over the limit too", exit.LastLines)
	}
}

func TestPromptWithoutLineFeed(t *testing.T) {
	t.Parallel()
	b := bench(t)
	inst := b.Start(runtimetest.Shell(`printf 'name? '; read name; echo "hello $name" >&2; printf 'no end'`))
	b.Line("name? ")
	b.Input(inst, "world")
	b.Exit(inst)
	want := "STDOUT name? |INPUT world|STDERR hello world|STDOUT no end"
	got := strings.Join(b.Texts(), "|")
	other := "STDOUT name? |INPUT world|STDOUT no end|STDERR hello world"
	// Two pipes have no common order; each line is there once.
	if got != want && got != other {
		t.Errorf("console = %q, want %q", got, want)
	}
}

func TestInputThatIsNotRead(t *testing.T) {
	t.Parallel()
	b := bench(t)
	inst := b.Start(runtimetest.Shell("echo on; exec sleep 1000"))
	b.Line("on")
	line := strings.Repeat("x", 4000)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	count, err := 0, error(nil)
	for ; err == nil && count < 100; count++ {
		_, err = inst.Input(ctx, line)
	}
	if count >= 100 || err == nil {
		t.Fatalf("%d inputs of 4 KB were taken: %v", count, err)
	}
	begun := time.Now()
	b.Signal(inst, syscall.SIGKILL)
	b.Exit(inst)
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("kill took %v beside a full input", took)
	}
}

func TestSignalReachesTheGameBehindAShell(t *testing.T) {
	t.Parallel()
	b := bench(t)
	spec := runtimetest.Shell("catalyst demo-game; echo the game ended with $?")
	spec.ReadyPatterns = []string{"^ready$"}
	inst := b.Start(spec)
	b.Ready(inst)
	b.Signal(inst, syscall.SIGTERM)
	if exit := b.Exit(inst); exit.Code != 0 {
		t.Errorf("exit = %+v, want 0", exit)
	}
	if got := strings.Join(b.Texts(), "|"); got != "STDOUT ready|STDOUT bye|STDOUT the game ended with 0" {
		t.Errorf("console = %q", got)
	}
}

func TestFloodGoesOnWithoutAnAgent(t *testing.T) {
	t.Parallel()
	b := bench(t)
	inst := b.Start(runtimetest.Shell("i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done; echo done >done; exec sleep 1000"))
	inst.Detach()
	path := filepath.Join(b.Dir.Path, "files", "done")
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-poll.C {
		if _, err := os.Stat(path); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the program was held up while no agent was attached")
		}
	}
	if b.Adopt() == nil {
		t.Fatal("nothing to adopt")
	}
}

func TestLongPath(t *testing.T) {
	t.Parallel()
	b := bench(t)
	b.Dir.Path = filepath.Join(b.Dir.Path, strings.Repeat("long/", 40))
	b.Ready(b.Start(runtimetest.Demo()))
}

func TestCannotExecute(t *testing.T) {
	t.Parallel()
	b := bench(t)
	files := filepath.Join(b.Dir.Path, "files")
	if err := os.MkdirAll(files, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, "game"), []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for argv, want := range map[string]string{
		"./game": `The program "./game" cannot be executed on this node: check its permissions.`,
		"./gone": `The program "./gone" was not found on this node: install it or change the startup.`,
	} {
		_, err := b.TryStart(&protocol.ServerSpec{Argv: []string{argv}})
		if err == nil || err.Error() != want {
			t.Errorf("start of %s: %v, want %q", argv, err, want)
		}
	}
	if _, err := b.TryStart(&protocol.ServerSpec{}); err == nil {
		t.Error("a server without a command was started")
	}
	leftovers(b)
}

// leftovers checks that an ended instance leaves no process and no socket.
func leftovers(b *runtimetest.Bench) {
	b.Helper()
	if _, err := os.Stat(filepath.Join(b.Dir.Path, "run", "holder.sock")); err == nil {
		b.Error("the socket is left")
	}
	if left := processesOf(b.T, b); len(left) != 0 {
		b.Errorf("processes left: %+v", left)
	}
}

// processesOf lists the live processes whose home is the server's directory.
func processesOf(t *testing.T, b *runtimetest.Bench) []procfs.Process {
	t.Helper()
	all, err := procfs.All()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p procfs.Process) bool {
		return p.Zombie || !procfs.HasEnv(p.PID, "HOME="+filepath.Join(b.Dir.Path, "files"))
	})
}

func alive(pid int) bool {
	all, err := procfs.All()
	return err == nil && slices.ContainsFunc(all, func(p procfs.Process) bool { return p.PID == pid && !p.Zombie })
}

// TestNoZombies starts programs that end before anybody can attach to them. It runs alone: others have children, too.
func TestNoZombies(t *testing.T) {
	b := bench(t)
	before := zombies(t) // of tests that ran before, which let go of their programs
	for range 10 {
		inst := b.Start(runtimetest.Shell("exit 0"))
		b.Exit(inst)
		if err := inst.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, pid := range zombies(t) {
		if !slices.Contains(before, pid) {
			t.Errorf("the holder %d is left as a zombie", pid)
		}
	}
}

// zombies lists the children of this process that nobody has waited for.
func zombies(t *testing.T) []int {
	t.Helper()
	all, err := procfs.All()
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, p := range all {
		if p.Zombie && p.Parent == os.Getpid() {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// holderOf is the process that holds the bench's program.
func holderOf(t *testing.T, b *runtimetest.Bench) int {
	t.Helper()
	run := filepath.Join(b.Dir.Path, "run")
	conn, err := attach.Dial(run)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	return conn.Hello.HolderPID
}

// freeze stops a process until it is told to go on.
func freeze(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for stopped := false; !stopped; <-poll.C {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		if err != nil {
			t.Fatal(err)
		}
		stopped = strings.Contains(string(status), "State:\tT")
	}
}

// TestC5KillBehindAFrozenHolder kills a program whose holder does not answer.
func TestC5KillBehindAFrozenHolder(t *testing.T) {
	t.Parallel()
	b := bench(t)
	inst := b.Start(runtimetest.Shell("sleep 1000 & setsid sleep 1000 & echo started; wait"))
	b.Line("started")
	freeze(t, holderOf(t, b))
	begun := time.Now()
	b.Signal(inst, syscall.SIGKILL)
	b.Exit(inst)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the kill took %v", took)
	}
	if left := processesOf(t, b); len(left) != 0 {
		t.Errorf("processes left: %+v", left)
	}
}

// TestC6FailedStartLeavesNothing starts a holder that nobody can attach to.
func TestC6FailedStartLeavesNothing(t *testing.T) {
	t.Parallel()
	b := bench(t)
	mute := filepath.Join(t.TempDir(), "holder")
	script := "#!/bin/sh\necho $$ >\"$2/pid\"\necho '{}' >&4\nexec sleep 1000 4>&-\n"
	if err := os.WriteFile(mute, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	rt, err := process.New(process.Config{Executable: mute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := rt.Start(ctx, runtime.Spec{Dir: b.Dir, Run: 1, Server: runtimetest.Demo()}); err == nil {
		t.Fatal("it was started")
	}
	content, err := os.ReadFile(filepath.Join(b.Dir.Path, "run", "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || alive(pid) {
		t.Errorf("the holder %d is left, %v", pid, err)
	}
	if inst, err := rt.Adopt(t.Context(), b.Dir); inst != nil || err != nil {
		t.Errorf("there is %v to adopt, %v", inst, err)
	}
	b.Ready(b.Start(runtimetest.Demo()))
}

// TestC6DamagedEnd concludes what has happened where the record of it is damaged.
func TestC6DamagedEnd(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"exit.json", "spec.json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bench(t)
			inst := b.Start(runtimetest.Shell("exit 3"))
			b.Exit(inst)
			inst.Detach()
			if err := os.WriteFile(filepath.Join(b.Dir.Path, "run", name), []byte("\x00\x00"), 0o600); err != nil {
				t.Fatal(err)
			}
			again := b.Adopt()
			if again == nil {
				t.Fatal("the end is forgotten")
			}
			if exit := b.Exit(again); exit.Lost != (name == "exit.json") {
				t.Errorf("exit = %+v", exit)
			}
			if err := again.Forget(t.Context()); err != nil {
				t.Error(err)
			}
			b.Ready(b.Start(runtimetest.Demo()))
		})
	}
}

// TestLateInput does not write a line after its time when it was the holder that was held up.
func TestLateInput(t *testing.T) {
	t.Parallel()
	b := bench(t)
	inst := b.Start(runtimetest.Demo())
	b.Ready(inst)
	pid := holderOf(t, b)
	freeze(t, pid)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := inst.Input(ctx, "say too late"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("input to a holder that is held up: %v", err)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b.Input(inst, "say in time")
	b.Line("you said: in time")
	if texts := strings.Join(b.Texts(), "|"); strings.Contains(texts, "too late") {
		t.Errorf("console = %q", texts)
	}
}

// TestHolderWithoutDescriptors has connections fail for want of descriptors, and attaches once there are some again.
func TestHolderWithoutDescriptors(t *testing.T) {
	t.Parallel()
	b := bench(t)
	inst := b.Start(runtimetest.Demo())
	b.Ready(inst)
	pid := holderOf(t, b)
	inst.Detach()
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: before.Max}, nil); err != nil {
		t.Fatal(err)
	}
	refused, err := net.Dial("unix", filepath.Join(b.Dir.Path, "run", "holder.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	if err := refused.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := refused.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a holder without descriptors answered: %v", err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	again := b.Adopt()
	if again == nil {
		t.Fatal("nothing was adopted")
	}
	b.Input(again, "say still here")
	b.Line("you said: still here")
}

// TestEndThatCannotBeStored tells how a program ended where the disk takes nothing any more.
func TestEndThatCannotBeStored(t *testing.T) {
	t.Parallel()
	b := bench(t)
	inst := b.Start(runtimetest.Demo())
	b.Ready(inst)
	inTheWay := filepath.Join(b.Dir.Path, "run", "exit.json", "x")
	if err := os.MkdirAll(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	b.Input(inst, "crash 5")
	if exit := b.Exit(inst); exit.Code != 5 || exit.Lost {
		t.Errorf("exit = %+v, want code 5", exit)
	}
	if err := os.RemoveAll(filepath.Dir(inTheWay)); err != nil {
		t.Fatal(err)
	}
}
