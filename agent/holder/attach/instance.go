package attach

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/holder"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// firstRetry is the first pause before a broken connection is made again, each further one is twice as long.
	firstRetry = 20 * time.Millisecond
	lastRetry  = 2 * time.Second
)

var errDetached = errors.New("the instance was detached")

// Resume finds out, for an instance that has lost its holder, what has become of the program: a connection, or the end.
// Both are nil when nothing is left of it. After an error it is asked again.
type Resume func(ctx context.Context) (*Conn, *holder.Exit, error)

// Instance is a program seen through its holder's socket. It is the part of a runtime's instance that does not depend on
// how the program is run.
type Instance struct {
	dir    runtime.Dir
	resume Resume
	hello  holder.Hello
	feed   *runtime.Feed
	cancel context.CancelFunc
	// stop is closed by Detach, ended when the program has ended and everything about it is known.
	stop, ended chan struct{}
	once        sync.Once
	monitor     sync.WaitGroup

	mu      sync.Mutex
	conn    *Conn
	lastID  uint64
	waiting map[uint64]chan holder.Push
}

func blank(dir runtime.Dir) *Instance {
	return &Instance{
		dir: dir, feed: runtime.NewFeed(), stop: make(chan struct{}), ended: make(chan struct{}),
		cancel: func() {}, waiting: map[uint64]chan holder.Push{},
	}
}

// New returns the instance of a program that runs. The context only lends its values: the instance watches its holder
// until Detach or the end.
func New(ctx context.Context, dir runtime.Dir, conn *Conn, resume Resume) *Instance {
	i := blank(dir)
	i.conn, i.hello, i.resume = conn, conn.Hello, resume
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	i.cancel = cancel
	i.monitor.Go(func() {
		defer cancel()
		i.watch(ctx)
	})
	return i
}

// Ended returns the instance of a program that has ended.
func Ended(dir runtime.Dir, exit holder.Exit) *Instance {
	i := blank(dir)
	i.hello.Run = exit.Run
	i.finish(exit)
	return i
}

// Run is the number that Start was given.
func (i *Instance) Run() uint64 { return i.hello.Run }

// Hello is what the first holder of the instance said; zero when the program had ended before.
func (i *Instance) Hello() holder.Hello { return i.hello }

// Events delivers what happens to the program.
func (i *Instance) Events() <-chan runtime.Event { return i.feed.Events() }

// Done is closed when the program has ended and everything about it is known.
func (i *Instance) Done() <-chan struct{} { return i.ended }

// Detached is closed by Detach.
func (i *Instance) Detached() <-chan struct{} { return i.stop }

// watch reads what the holder says until the program has ended or the instance is detached.
func (i *Instance) watch(ctx context.Context) {
	conn := i.conn
	for conn != nil {
		said := i.read(conn)
		_ = conn.Close()
		conn = i.recover(ctx, said)
	}
}

// left waits until the holder has ended, after it said how the program did.
func (i *Instance) left(ctx context.Context) bool {
	lock, err := AwaitLock(ctx, RunDir(i.dir))
	return err == nil && Unlock(lock) == nil
}

// recover returns the next connection; nil when there will be none. The end of which the holder has told counts where
// nothing else is known: the disk may have taken no record of it.
func (i *Instance) recover(ctx context.Context, said *holder.Exit) *Conn {
	pause := firstRetry
	retry := time.NewTimer(pause)
	defer retry.Stop()
	for {
		select {
		case <-i.stop:
			return nil
		case <-retry.C:
		}
		conn, exit, err := i.resume(ctx)
		if unknown := err != nil || exit == nil || exit.Lost; said != nil && conn == nil && unknown && i.left(ctx) {
			exit, err = said, nil
		}
		switch {
		case err != nil:
			pause = min(2*pause, lastRetry)
			retry.Reset(pause)
		case exit != nil:
			i.finish(*exit)
			return nil
		case conn == nil:
			// Somebody forgot it from outside. There is nothing more to learn.
			i.finish(holder.Exit{Run: i.hello.Run, Code: -1, At: time.Now(), Lost: true})
			return nil
		case !i.replace(conn):
			_ = conn.Close()
			return nil
		default:
			return conn
		}
	}
}

// replace makes conn the connection, unless the instance was detached meanwhile. Requests that wait for an answer on the
// old one will not get it.
func (i *Instance) replace(conn *Conn) bool {
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

// read passes on what comes over one connection, and returns the end of the program if it is told of it.
func (i *Instance) read(conn *Conn) *holder.Exit {
	for {
		p, err := conn.next()
		if err != nil {
			return nil
		}
		if p.Exit != nil {
			return p.Exit
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
func (i *Instance) finish(exit holder.Exit) {
	i.mu.Lock()
	pid := i.hello.HolderPID
	if i.conn != nil {
		pid = i.conn.Hello.HolderPID
	}
	i.mu.Unlock()
	Reap(pid)
	if seq, err := console.LastSeq(ConsoleDir(i.dir)); err == nil && seq > 0 {
		i.feed.Wrote(seq)
	}
	close(i.ended) // whoever hears of the end may acknowledge it at once
	i.feed.Exit(runtime.Exit{
		Code: exit.Code, Signal: exit.Signal, OOMKilled: exit.OOMKilled, At: exit.At, LastLines: exit.LastLines,
		Unwritten: exit.Unwritten, Lost: exit.Lost,
	})
}

// Detach lets go of the program.
func (i *Instance) Detach() {
	i.once.Do(func() {
		i.mu.Lock()
		close(i.stop)
		i.cancel()
		if i.conn != nil {
			_ = i.conn.Close()
		}
		i.mu.Unlock()
	})
	i.monitor.Wait()
	i.feed.Close()
}

// Alive is nil while the program runs and the instance is attached.
func (i *Instance) Alive() error {
	select {
	case <-i.ended:
		return runtime.ErrNotRunning
	case <-i.stop:
		return errDetached
	default:
		return nil
	}
}

// Ask sends one request to the holder and waits for its answer.
func (i *Instance) Ask(ctx context.Context, req holder.Request) (holder.Push, error) {
	if err := i.Alive(); err != nil {
		return holder.Push{}, err
	}
	answer, err := i.send(&req)
	if err != nil {
		return holder.Push{}, i.broken(ctx, err)
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

// broken waits until it is known whether a broken connection means the end.
func (i *Instance) broken(ctx context.Context, err error) error {
	patience := time.NewTimer(writeTimeout)
	defer patience.Stop()
	select {
	case <-i.ended:
		return runtime.ErrNotRunning
	case <-i.stop:
		return errDetached
	case <-ctx.Done():
		return fmt.Errorf("ask holder: %w", errors.Join(context.Cause(ctx), err))
	case <-patience.C:
		return fmt.Errorf("ask holder: %w", err)
	}
}

func (i *Instance) send(req *holder.Request) (<-chan holder.Push, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lastID++
	req.ID = i.lastID
	answer := make(chan holder.Push, 1)
	i.waiting[req.ID] = answer
	if err := i.conn.send(*req); err != nil {
		delete(i.waiting, req.ID)
		return nil, err
	}
	return answer, nil
}

// Input writes one line to the program.
func (i *Instance) Input(ctx context.Context, text string) (uint64, error) {
	req := holder.Request{Input: &text}
	if deadline, ok := ctx.Deadline(); ok {
		req.Expires(time.Until(deadline) - 100*time.Millisecond) // so that the holder's own answer arrives in time
	}
	p, err := i.Ask(ctx, req)
	if err != nil {
		return 0, err
	}
	return p.Seq, refusal(p)
}

// Notice records a SYSTEM line.
func (i *Instance) Notice(ctx context.Context, text string) error {
	return i.order(ctx, holder.Request{Notice: &text})
}

// Skip makes the next line's number greater than after.
func (i *Instance) Skip(ctx context.Context, after uint64) error {
	return i.order(ctx, holder.Request{After: after})
}

// Signal has the holder send a signal to the program that it started.
func (i *Instance) Signal(ctx context.Context, sig syscall.Signal) error {
	return i.order(ctx, holder.Request{Signal: int(sig)})
}

func (i *Instance) order(ctx context.Context, req holder.Request) error {
	p, err := i.Ask(ctx, req)
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
