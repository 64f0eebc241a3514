package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/procfs"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	retryInterval = 20 * time.Millisecond
	writeTimeout  = 5 * time.Second
	maxPush       = 64 << 10
)

var errDetached = errors.New("the instance was detached")

// instance is a program seen through its holder's socket.
type instance struct {
	runtime *Runtime
	dir     runtime.Dir
	hello   holder.Hello
	feed    *runtime.Feed
	// stop is closed by Detach, ended when the program has ended and everything about it is known.
	stop, ended chan struct{}
	once        sync.Once
	monitor     sync.WaitGroup

	mu      sync.Mutex
	conn    *connection
	lastID  uint64
	waiting map[uint64]chan holder.Push
}

// connection is a socket to a holder with its reading buffer.
type connection struct {
	net.Conn
	lines *bufio.Scanner
}

// dial attaches to a holder. The socket is reached through a descriptor of its directory, since a socket's path may have
// 107 bytes only.
func dial(run string) (*connection, holder.Hello, error) {
	dir, err := os.Open(run)
	if err != nil {
		return nil, holder.Hello{}, fmt.Errorf("open run directory: %w", err)
	}
	defer dir.Close()
	path := filepath.Join("/proc/self/fd", strconv.Itoa(int(dir.Fd())), holder.SocketFile)
	socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, holder.Hello{}, fmt.Errorf("connect: %w", err)
	}
	c := &connection{Conn: socket, lines: bufio.NewScanner(socket)}
	c.lines.Buffer(nil, maxPush)
	err = socket.SetReadDeadline(time.Now().Add(writeTimeout))
	var first holder.Push
	if err == nil {
		first, err = c.next()
	}
	if err == nil && first.Hello == nil {
		err = errors.New("the holder did not greet")
	}
	if err == nil {
		err = socket.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return nil, holder.Hello{}, errors.Join(fmt.Errorf("greet: %w", err), socket.Close())
	}
	return c, *first.Hello, nil
}

// next reads one message.
func (c *connection) next() (holder.Push, error) {
	var p holder.Push
	if !c.lines.Scan() {
		return p, errors.Join(net.ErrClosed, c.lines.Err())
	}
	if err := json.Unmarshal(c.lines.Bytes(), &p); err != nil {
		return p, fmt.Errorf("decode message: %w", err)
	}
	return p, nil
}

func blank(r *Runtime, dir runtime.Dir) *instance {
	return &instance{
		runtime: r, dir: dir, feed: runtime.NewFeed(), stop: make(chan struct{}), ended: make(chan struct{}),
		waiting: map[uint64]chan holder.Push{},
	}
}

func newInstance(r *Runtime, dir runtime.Dir, conn *connection, hello holder.Hello) *instance {
	i := blank(r, dir)
	i.conn, i.hello = conn, hello
	i.monitor.Go(i.watch)
	return i
}

func endedInstance(r *Runtime, dir runtime.Dir, exit holder.Exit) *instance {
	i := blank(r, dir)
	i.hello.Run = exit.Run
	i.finish(exit)
	return i
}

// Run is the number that Start was given.
func (i *instance) Run() uint64 { return i.hello.Run }

// Events delivers what happens to the program.
func (i *instance) Events() <-chan runtime.Event { return i.feed.Events() }

// watch reads what the holder says until the program has ended or the instance is detached.
func (i *instance) watch() {
	retry := time.NewTicker(retryInterval)
	defer retry.Stop()
	conn := i.conn
	for {
		i.read(conn)
		_ = conn.Close()
		for conn = nil; conn == nil; {
			select {
			case <-i.stop:
				return
			case <-retry.C:
			}
			exit, err := conclude(runDir(i.dir))
			if err == nil && exit != nil {
				i.finish(*exit)
				return
			}
			if err == nil {
				// Somebody forgot it from outside. There is nothing more to learn.
				i.finish(holder.Exit{Run: i.hello.Run, Code: -1, At: time.Now(), Lost: true})
				return
			}
			// The holder lives, so it has cut this connection: it is attached to again.
			if again, _, err := dial(runDir(i.dir)); err == nil {
				conn = again
				if !i.replace(conn) {
					_ = conn.Close()
					return
				}
			}
		}
	}
}

// replace makes conn the connection, unless the instance was detached meanwhile. Requests that wait for an answer on the
// old one will not get it.
func (i *instance) replace(conn *connection) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	select {
	case <-i.stop:
		return false
	default:
	}
	i.conn = conn
	for id, answer := range i.waiting {
		delete(i.waiting, id)
		close(answer)
	}
	return true
}

// read passes on what comes over one connection.
func (i *instance) read(conn *connection) {
	for {
		p, err := conn.next()
		if err != nil {
			return
		}
		if p.ID != 0 {
			i.mu.Lock()
			answer := i.waiting[p.ID]
			delete(i.waiting, p.ID)
			i.mu.Unlock()
			if answer != nil {
				answer <- p
			}
			continue
		}
		if p.Ready {
			i.feed.Ready()
		}
		if p.Wrote > 0 {
			i.feed.Wrote(p.Wrote)
		}
	}
}

// finish reports the end.
func (i *instance) finish(exit holder.Exit) {
	reap(i.hello.HolderPID)
	if seq, err := console.LastSeq(consoleDir(i.dir)); err == nil && seq > 0 {
		i.feed.Wrote(seq)
	}
	i.feed.Exit(runtime.Exit{
		Code: exit.Code, Signal: exit.Signal, OOMKilled: exit.OOMKilled, At: exit.At, LastLines: exit.LastLines,
		Unwritten: exit.Unwritten, Lost: exit.Lost,
	})
	close(i.ended)
}

// reap waits for a holder when it is a child of this very process; otherwise somebody else does. It has released its
// lock, so it is as good as gone.
func reap(pid int) {
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

// Detach lets go of the program.
func (i *instance) Detach() {
	i.once.Do(func() {
		i.mu.Lock()
		close(i.stop)
		if i.conn != nil {
			_ = i.conn.Close()
		}
		i.mu.Unlock()
	})
	i.monitor.Wait()
	i.feed.Close()
}

// ask sends one request and waits for its answer.
func (i *instance) ask(ctx context.Context, req holder.Request) (holder.Push, error) {
	select {
	case <-i.ended:
		return holder.Push{}, runtime.ErrNotRunning
	case <-i.stop:
		return holder.Push{}, errDetached
	default:
	}
	answer, err := i.send(&req)
	if err != nil {
		// The connection is broken. Whether that means the end is known soon.
		select {
		case <-i.ended:
			return holder.Push{}, runtime.ErrNotRunning
		case <-i.stop:
			return holder.Push{}, errDetached
		case <-ctx.Done():
			return holder.Push{}, fmt.Errorf("ask holder: %w", errors.Join(context.Cause(ctx), err))
		case <-time.NewTimer(writeTimeout).C:
			return holder.Push{}, fmt.Errorf("ask holder: %w", err)
		}
	}
	select {
	case p, ok := <-answer:
		if !ok {
			return p, fault.New(fault.Conflict, "The connection to the program was interrupted: look at the console and try again.")
		}
		if p.Ended {
			return p, runtime.ErrNotRunning
		}
		return p, nil
	case <-i.ended:
		return holder.Push{}, runtime.ErrNotRunning
	case <-i.stop:
		return holder.Push{}, errDetached
	case <-ctx.Done():
		i.mu.Lock()
		delete(i.waiting, req.ID)
		i.mu.Unlock()
		return holder.Push{}, fmt.Errorf("ask holder: %w", context.Cause(ctx))
	}
}

func (i *instance) send(req *holder.Request) (<-chan holder.Push, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lastID++
	req.ID = i.lastID
	b, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	answer := make(chan holder.Push, 1)
	i.waiting[req.ID] = answer
	err = i.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = i.conn.Write(append(b, '\n'))
	}
	if err != nil {
		delete(i.waiting, req.ID)
		return nil, fmt.Errorf("send request: %w", err)
	}
	return answer, nil
}

// Input writes one line to the program.
func (i *instance) Input(ctx context.Context, text string) (uint64, error) {
	req := holder.Request{Input: &text}
	if deadline, ok := ctx.Deadline(); ok {
		// A little less, so that the holder's own answer arrives in time.
		req.TimeoutMS = max(1, (time.Until(deadline) - 100*time.Millisecond).Milliseconds())
	}
	p, err := i.ask(ctx, req)
	if err != nil {
		return 0, err
	}
	return p.Seq, refusal(p)
}

// Notice records a SYSTEM line.
func (i *instance) Notice(ctx context.Context, text string) error {
	p, err := i.ask(ctx, holder.Request{Notice: &text})
	if err != nil {
		return err
	}
	return refusal(p)
}

// Skip makes the next line's number greater than after.
func (i *instance) Skip(ctx context.Context, after uint64) error {
	p, err := i.ask(ctx, holder.Request{After: after})
	if err != nil {
		return err
	}
	return refusal(p)
}

// Signal sends a signal to the program.
func (i *instance) Signal(ctx context.Context, sig syscall.Signal) error {
	p, err := i.ask(ctx, holder.Request{Signal: int(sig)})
	if err != nil {
		return err
	}
	return refusal(p)
}

func refusal(p holder.Push) error {
	if p.Error == "" {
		return nil
	}
	return fault.New(fault.Conflict, "%s", p.Error)
}

// Stats samples the program and its descendants; the network cannot be told apart.
func (i *instance) Stats(ctx context.Context) (runtime.Sample, error) {
	select {
	case <-i.ended:
		return runtime.Sample{}, runtime.ErrNotRunning
	case <-ctx.Done():
		return runtime.Sample{}, fmt.Errorf("sample: %w", context.Cause(ctx))
	default:
	}
	all, at, err := i.runtime.sampler.processes()
	if err != nil {
		return runtime.Sample{}, err
	}
	s := runtime.Sample{At: at, StartedAt: i.hello.StartedAt}
	for _, p := range all {
		if p.PID == i.hello.HolderPID {
			// Of those that it has inherited and waited for.
			s.CPUTime += p.ChildCPU
		}
	}
	for _, p := range procfs.Below(all, i.hello.HolderPID) {
		s.CPUTime += p.CPU + p.ChildCPU
		s.MemoryBytes += p.Memory
		if !p.Zombie {
			s.Processes++
		}
	}
	return s, nil
}

// Forget removes the record of the end.
func (i *instance) Forget(ctx context.Context) error {
	select {
	case <-i.ended:
	default:
		return runtime.ErrAlreadyRunning
	}
	lock, err := awaitRun(ctx, runDir(i.dir))
	if err != nil {
		return err
	}
	return errors.Join(forget(runDir(i.dir)), unlock(lock))
}
