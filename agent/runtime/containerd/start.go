package containerd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"github.com/catalyst-panel/catalyst/agent/durable"
	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/holder/attach"
	"github.com/catalyst-panel/catalyst/agent/network"
	"github.com/catalyst-panel/catalyst/agent/output"
	"github.com/catalyst-panel/catalyst/agent/pattern/compile"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Labels of containers, snapshots and leases.
const (
	labelOwner   = "catalyst.agent"
	labelSession = "catalyst.session"
	labelServer  = "catalyst.server"
	labelRun     = "catalyst.run"
	labelDir     = "catalyst.dir"
	labelDigest  = "catalyst.image-digest"
)

// Files of the run directory that are the runtime's own.
const (
	stdinFIFO   = "stdin"
	stdoutFIFO  = "stdout"
	stderrFIFO  = "stderr"
	startedFile = "started.json"
	endedFile   = "ended.json"
)

// undoTime bounds the removal of what a failed start has made.
const undoTime = 15 * time.Second

// started is what is known of a program that runs.
type started struct {
	PID int       `json:"pid"`
	At  time.Time `json:"at"`
}

// Start starts a server's container. What it needs to know of the image is fetched before, by Prepare.
func (r *Runtime) Start(ctx context.Context, spec runtime.Spec) (runtime.Instance, error) {
	if err := attach.Prepare(spec.Dir); err != nil {
		return nil, err
	}
	unlock, err := r.locks.lock(ctx, spec.ServerID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	run := attach.RunDir(spec.Dir)
	lock, err := attach.AwaitLock(ctx, run)
	if err != nil {
		return nil, err
	}
	l := &launch{runtime: r, id: spec.ServerID, run: run, turn: turn{file: lock}}
	defer l.turn.release()
	if err := r.vacate(ctx, spec.Dir); err != nil {
		return nil, err
	}
	inst, err := l.start(ctx, spec)
	if err != nil {
		return nil, l.undo(ctx, err)
	}
	return inst, nil
}

// launch is one start that goes on.
type launch struct {
	runtime *Runtime
	id      string
	run     string
	turn    turn
	conn    *attach.Conn
}

func (l *launch) start(ctx context.Context, spec runtime.Spec) (*instance, error) {
	p, err := l.runtime.plan(ctx, spec)
	if err != nil {
		return nil, err
	}
	if !p.installs() { // an installer may write anywhere, and hands over what it made
		if err := own(attach.FilesDir(spec.Dir), p.uid); err != nil {
			return nil, err
		}
	}
	if err := p.writeEtc(network.Resolver()); err != nil {
		return nil, err
	}
	if err := l.hold(ctx, spec); err != nil {
		return nil, err
	}
	task, err := l.create(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := l.runtime.connectTask(ctx, p, int(task.Pid())); err != nil {
		return nil, err
	}
	if err := task.Start(ctx); err != nil {
		return nil, startFault(p, err)
	}
	s := started{PID: int(task.Pid()), At: time.Now()}
	if err := holder.WriteFile(filepath.Join(l.run, startedFile), s); err != nil {
		return nil, err
	}
	return l.runtime.running(ctx, spec.Dir, l.conn, s)
}

// plan settles everything that does not change anything yet.
func (r *Runtime) plan(ctx context.Context, spec runtime.Spec) (*plan, error) {
	img, err := r.image(ctx, spec.Server)
	if err != nil {
		return nil, err
	}
	config, err := imageConfig(ctx, img)
	if err != nil {
		return nil, err
	}
	uid, err := r.users.of(spec.ServerID)
	if err != nil {
		return nil, err
	}
	p := &plan{
		spec: spec, id: spec.ServerID, run: attach.RunDir(spec.Dir), image: img, config: config, uid: uid, mountAt: home,
	}
	if p.installs() {
		return p, p.installer()
	}
	return p, nil
}

// hold makes the FIFOs and starts the holder, which then has the lock.
func (l *launch) hold(ctx context.Context, spec runtime.Spec) error {
	names := fifos(spec.Server.GetTty())
	for _, name := range []string{names.Stdin, names.Stdout, names.Stderr} {
		if name == "" {
			continue
		}
		if err := syscall.Mkfifo(filepath.Join(l.run, name), 0o600); err != nil {
			return fmt.Errorf("make FIFO: %w", err)
		}
	}
	h, err := holderSpec(spec)
	if err != nil {
		return err
	}
	h.FIFOs = names
	if err := holder.ReserveExit(filepath.Join(l.run, endedFile)); err != nil {
		return err
	}
	if err := holder.WriteFile(filepath.Join(l.run, holder.SpecFile), h); err != nil {
		return err
	}
	l.conn, err = l.runtime.spawn(ctx, l.run, &l.turn)
	return err
}

// fifos names the standard streams in the run directory.
func fifos(tty bool) *holder.FIFOs {
	names := &holder.FIFOs{Stdin: stdinFIFO, Stdout: stdoutFIFO, Stderr: stderrFIFO}
	if tty {
		names.Stderr = ""
	}
	return names
}

// spawn starts a holder with the lock, which it keeps, and attaches to it.
func (r *Runtime) spawn(ctx context.Context, run string, turn *turn) (*attach.Conn, error) {
	pid, err := attach.Spawn(ctx, r.config.Executable, run, turn.file)
	if err != nil {
		return nil, err
	}
	conn, err := attach.Dial(run)
	if err != nil {
		// It would hold the lock for nobody.
		_ = syscall.Kill(pid, syscall.SIGKILL)
		attach.Reap(pid)
		return nil, fmt.Errorf("attach to holder: %w", err)
	}
	err = turn.file.Close()
	turn.file = nil
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hand over holder lock: %w", err), conn.Close())
	}
	return conn, nil
}

// holderSpec translates what the panel wants into what a holder does.
func holderSpec(spec runtime.Spec) (holder.Spec, error) {
	console := spec.Server.GetConsole()
	h := holder.Spec{
		Run: spec.Run, ConsoleDir: attach.ConsoleDir(spec.Dir), ConsoleAfter: console.GetAfter(),
		Limits: output.Limits{
			BurstLines: console.GetBurstLines(), BurstBytes: console.GetBurstBytes(),
			LinesPerSecond: console.GetLinesPerSecond(), BytesPerSecond: console.GetBytesPerSecond(),
		},
	}
	for _, expr := range spec.Server.GetReadyPatterns() {
		program, err := compile.Compile(expr)
		if err != nil {
			return h, err //nolint:wrapcheck // it is a sentence for people
		}
		h.ReadyPatterns = append(h.ReadyPatterns, program)
	}
	if spec.Run == runtime.InstallRun {
		h.Secrets = spec.Server.GetSecrets()
	}
	return h, nil
}

// create makes the container and its task, which does not run yet.
func (l *launch) create(ctx context.Context, p *plan) (client.Task, error) {
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	r := l.runtime
	labels := map[string]string{
		labelOwner: r.owner, labelServer: p.spec.ServerID, labelRun: strconv.FormatUint(p.spec.Run, 10), labelDir: p.spec.Path,
		labelDigest: p.image.Target().Digest.String(),
	}
	// The labels are these and no other: an image's could ask containerd for things.
	container, err := r.client.NewContainer(ctx, p.id,
		client.WithContainerLabels(labels),
		client.WithNewSnapshot(p.id, p.image, snapshots.WithLabels(map[string]string{labelOwner: r.owner})),
		client.WithNewSpec(p.options(args)...),
	)
	if err != nil {
		return nil, fmt.Errorf("make container: %w", err)
	}
	task, err := container.NewTask(ctx, func(string) (cio.IO, error) {
		names := fifos(p.spec.Server.GetTty())
		return streams{cio.Config{
			Terminal: p.spec.Server.GetTty(), Stdin: l.path(names.Stdin), Stdout: l.path(names.Stdout), Stderr: l.path(names.Stderr),
		}}, nil
	})
	if err != nil && isLeft(err) {
		// containerd still makes, or removes, the task of a start that a killed agent had asked for.
		return nil, fmt.Errorf("%w: %w", runtime.ErrAlreadyRunning, err)
	}
	if err != nil {
		return nil, startFault(p, err)
	}
	return task, nil
}

// isLeft reports whether a task cannot be made because something of an earlier one is there.
func isLeft(err error) bool {
	return errdefs.IsAlreadyExists(err) || strings.Contains(err.Error(), "failed to start shim") && strings.Contains(err.Error(), "file exists")
}

func (l *launch) path(name string) string {
	if name == "" {
		return ""
	}
	return filepath.Join(l.run, name)
}

// undo removes what a failed start has made, whatever has become of its context, and returns why it failed.
func (l *launch) undo(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	left := l.runtime.remove(ctx, l.id)
	if l.conn != nil {
		_ = l.conn.Close()
		_ = syscall.Kill(l.conn.Hello.HolderPID, syscall.SIGKILL)
		attach.Reap(l.conn.Hello.HolderPID)
	}
	left = errors.Join(left, forget(l.run))
	if left != nil {
		l.runtime.log.LogAttrs(ctx, slog.LevelWarn, "a failed start left something behind",
			slog.String("server_id", l.id), slog.Any("error", left))
	}
	return err
}

// forget removes every trace of an instance from its run directory.
func forget(run string) error {
	return attach.Forget(run, startedFile, endedFile, endedFile+durable.Suffix, stdinFIFO, stdoutFIFO, stderrFIFO)
}

// startFault says what a person can do about a program that does not start.
func startFault(p *plan, err error) error {
	text := err.Error()
	program := ""
	if args, err := p.arguments(); err == nil {
		program = args[0]
	}
	switch {
	case !strings.Contains(text, "exec"):
	case strings.Contains(text, "executable file not found"), strings.Contains(text, "no such file or directory"):
		if p.spec.Server.GetImage() == "" {
			return fault.New(fault.BadUserInput, "The program %q was not found, since the server has no image: choose the one that holds it.", program).Wrap(err)
		}
		return fault.New(fault.BadUserInput, "The program %q was not found in the image: choose another image or change the startup.", program).Wrap(err)
	case strings.Contains(text, "permission denied"):
		return fault.New(fault.BadUserInput, "The program %q cannot be executed in the image: check its permissions.", program).Wrap(err)
	}
	return fmt.Errorf("start container: %w", err)
}

// streams names a task's standard streams and opens nothing: they are the holder's.
type streams struct{ config cio.Config }

func (s streams) Config() cio.Config { return s.config }
func (streams) Cancel()              {}
func (streams) Wait()                {}
func (streams) Close() error         { return nil }

// task returns the task of a container.
func (r *Runtime) task(ctx context.Context, id string) (client.Task, error) {
	container, err := r.client.LoadContainer(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("find container: %w", err)
	}
	task, err := container.Task(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("find task: %w", err)
	}
	return task, nil
}

// remove removes a container with everything that belongs to it, its program included. What is not there is no error.
func (r *Runtime) remove(ctx context.Context, id string) error {
	container, err := r.client.LoadContainer(ctx, id)
	if errdefs.IsNotFound(err) {
		return errors.Join(r.config.Networks.Detach(ctx, id), r.removeSnapshot(ctx, id))
	}
	if err != nil {
		return fmt.Errorf("find container: %w", err)
	}
	if err := r.killTask(ctx, container); err != nil {
		return err
	}
	// The container goes last: as long as it is there, the sweep finds what belongs to it.
	if err := r.config.Networks.Detach(ctx, id); err != nil {
		return err
	}
	if err := container.Delete(ctx, client.WithSnapshotCleanup); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove container: %w", err)
	}
	return nil
}

// killTask ends and removes the task of a container, running or not. One whose making was cut off has a shim and no program:
// containerd shows no such task, but makes no other beside it.
func (r *Runtime) killTask(ctx context.Context, container client.Container) error {
	task, err := container.Task(ctx, nil)
	switch {
	case err == nil:
		_, err = task.Delete(ctx, client.WithProcessKill)
	case errdefs.IsNotFound(err):
		_, err = r.client.TaskService().Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: container.ID()})
		err = errgrpc.ToNative(err)
	default:
		return fmt.Errorf("find task: %w", err)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove task: %w", err)
	}
	return nil
}

// connectTask connects the namespace of a task that does not run yet.
func (r *Runtime) connectTask(ctx context.Context, p *plan, pid int) error {
	server := p.spec.Server
	if server.GetNetworkMode() == string(kind.NetworkModeHost) {
		return nil
	}
	name := ""
	if server.GetNetworkMode() == string(kind.NetworkModeCustom) {
		name = server.GetNetwork()
	}
	ports := make([]network.Port, 0, len(server.GetPorts()))
	for _, port := range server.GetPorts() {
		ports = append(ports, network.Port{Address: port.GetIp(), Port: int(port.GetPort())})
	}
	return r.config.Networks.Attach(ctx, p.id, "/proc/"+strconv.Itoa(pid)+"/ns/net", name, ports)
}

func (r *Runtime) removeSnapshot(ctx context.Context, id string) error {
	if err := r.client.SnapshotService("").Remove(ctx, id); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove snapshot: %w", err)
	}
	return nil
}
