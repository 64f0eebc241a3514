package holder

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/catalyst-panel/catalyst/agent/output"
	"github.com/catalyst-panel/catalyst/agent/procfs"
)

// Descriptors that the agent hands over.
const (
	lockFD   = 3
	statusFD = 4
)

const (
	// idleAfter is the silence after which a line without its end is shown: a prompt.
	idleAfter = 100 * time.Millisecond
	// drainFor is how long the output may go on after the program's end.
	drainFor = time.Second
	// acceptAgain is the pause after a connection for which there was no descriptor.
	acceptAgain = 100 * time.Millisecond
	// leftoversFor bounds the killing of what the program left behind.
	leftoversFor = 5 * time.Second
)

// holder is one running holder.
type holder struct {
	spec     Spec
	program  program
	recorder *recorder
	stdin    *stdin
	hub      *hub
	listener *listener
}

// Main runs a holder in the run directory that is its only argument, and returns the process's exit code.
func Main(args []string) int {
	// The kernel kills the program when the thread that started it ends, so this thread must not.
	runtime.LockOSThread()
	if len(args) != 1 {
		return complain(errors.New("the agent starts this command, nobody else does"))
	}
	keepToOurselves()
	status := os.NewFile(statusFD, "status")
	h, err := open(args[0])
	answer := Started{}
	if err != nil {
		answer.Error = err.Error()
	}
	// An agent that is gone by now does not matter: the next one attaches.
	_ = json.NewEncoder(status).Encode(answer)
	_ = status.Close()
	if err != nil {
		return complain(err)
	}
	procfs.Trim()
	if err := h.run(); err != nil {
		return complain(err)
	}
	return 0
}

// keepToOurselves keeps the program from inheriting the lock, the status pipe, and whatever the agent's own parent may
// have left open.
func keepToOurselves() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		syscall.CloseOnExec(lockFD)
		syscall.CloseOnExec(statusFD)
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= lockFD {
			syscall.CloseOnExec(fd)
		}
	}
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "holder:", err)
	return 1
}

// open does everything up to the point where the program runs.
func open(dir string) (*holder, error) {
	if err := os.Chdir(dir); err != nil {
		return nil, fmt.Errorf("enter run directory: %w", err)
	}
	// Signals to a whole session or service, as at a shutdown, are for the program. The holder stays to see its end.
	// Notify, not Ignore, which the program would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become subreaper: %w", err)
	}
	h := &holder{hub: &hub{}}
	if err := ReadFile(SpecFile, &h.spec); err != nil {
		return nil, err
	}
	log, err := output.OpenWriter(h.spec.ConsoleDir, output.Options{After: h.spec.ConsoleAfter})
	if err != nil {
		return nil, fmt.Errorf("open console log: %w", err)
	}
	if h.recorder, err = newRecorder(log, h.spec, h.hub.wake); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if err := ReserveExit(ExitFile); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if h.listener, err = listen(SocketFile); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if h.program, err = newProgram(h.spec); err != nil {
		// Nothing may be joined to it: this is what people read.
		_, _ = log.Close(), h.listener.file.Close()
		return nil, err
	}
	h.stdin = &stdin{file: h.program.streams().stdin, recorder: h.recorder, queue: make(chan input, 64)}
	return h, nil
}

// program is what the holder holds: a child of its own, or a container's standard streams.
type program interface {
	// streams are the holder's ends of its standard input and output; stderr is nil where a terminal has merged them.
	streams() *streams
	// hello says what there is to say of it to an agent.
	hello(*Hello)
	// wait returns when it has ended.
	wait() Exit
	// settle returns when nothing more comes of it, drained being closed when all its output was read.
	settle(drained <-chan struct{})
	hasEnded() bool
	signal(sig syscall.Signal) error
	// end says that it has ended, where the holder cannot see that by itself.
	end(Exit) error
}

// newProgram starts the child, or opens the container's streams.
func newProgram(spec Spec) (program, error) {
	switch {
	case spec.FIFOs != nil:
		return openContainer(*spec.FIFOs)
	case len(spec.Argv) == 0:
		return nil, errors.New("The server has no startup command.")
	}
	return startChild(spec)
}

// run returns when the program has ended and its end is on the disk.
func (h *holder) run() error {
	var readers, writers sync.WaitGroup
	streams := h.program.streams()
	readers.Go(func() { h.read(output.Stdout, streams, streams.stdout) })
	if streams.stderr != nil {
		readers.Go(func() { h.read(output.Stderr, streams, streams.stderr) })
	}
	stop := make(chan struct{})
	writers.Go(func() { h.stdin.run(stop) })
	writers.Go(func() { h.recorder.retry(stop) })
	writers.Go(h.accept)

	exit := h.program.wait()
	drained := make(chan struct{})
	go func() {
		readers.Wait()
		close(drained)
	}()
	h.program.settle(drained)
	// Whoever still holds the pipes now cannot be killed. The log ends here.
	streams.close()
	<-drained

	close(stop)
	var err error
	exit.Run = h.spec.Run
	exit.LastLines, exit.Unwritten, err = h.recorder.finish()
	err = errors.Join(err, StoreExit(ExitFile, exit))
	_ = h.listener.file.Close()
	writers.Wait()
	h.hub.tell(Push{Exit: &exit})
	h.hub.close()
	return errors.Join(err, os.Remove(SocketFile))
}

func waitFor(done <-chan struct{}, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// read records one output stream to its end.
func (h *holder) read(stream output.Stream, streams *streams, f *os.File) {
	var (
		splitter   output.Splitter
		unfinished bool
		buf        = make([]byte, 32<<10)
	)
	defer func() { h.recorder.idle(stream, &splitter, true, time.Now()) }()
	for {
		last, err := streams.await(f, unfinished)
		if err != nil {
			return
		}
		n, err := f.Read(buf)
		if n > 0 {
			unfinished = h.recorder.output(stream, &splitter, buf[:n], time.Now())
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && !last {
			h.recorder.idle(stream, &splitter, false, time.Now())
			unfinished = false
			continue
		}
		if err != nil {
			return
		}
	}
}

// accept attaches agents until the listener is closed. A machine that has no descriptor left for the moment makes it
// wait: a holder that nobody can attach to any more would be of no use.
func (h *holder) accept() {
	for {
		file, err := h.listener.accept()
		if exhausted(err) {
			pause := time.NewTimer(acceptAgain)
			<-pause.C
			continue
		}
		if err != nil {
			return
		}
		a := h.hub.add(file)
		h.hub.group.Go(func() {
			defer h.hub.remove(a)
			hello := &Hello{Run: h.spec.Run, HolderPID: os.Getpid()}
			h.program.hello(hello)
			a.send(Push{Hello: hello})
			var pusher sync.WaitGroup
			pusher.Go(func() { a.push(h.recorder) })
			a.serve(func(req Request) { h.handle(a, req) })
			a.close()
			pusher.Wait()
		})
	}
}

// handle does what an agent asks for.
func (h *holder) handle(a *agent, req Request) {
	done := func(seq uint64, err error) {
		if err != nil && h.program.hasEnded() {
			err = errEnded
		}
		p := Push{ID: req.ID, Seq: seq, Ended: errors.Is(err, errEnded)}
		if err != nil {
			p.Error = err.Error()
		}
		a.send(p)
	}
	switch {
	case req.Input != nil:
		h.stdin.offer(req, done)
	case req.After > 0:
		done(0, h.recorder.skip(req.After))
	case req.Notice != nil:
		done(h.recorder.say(output.System, *req.Notice, time.Now()))
	case req.Signal > 0:
		done(0, h.program.signal(syscall.Signal(req.Signal)))
	case req.End != nil:
		done(0, h.program.end(*req.End))
	default:
		done(0, errors.New("the request asks for nothing"))
	}
}
