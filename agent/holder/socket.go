package holder

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	maxAgents    = 4
	maxRequest   = 128 << 10
	sendTimeout  = 5 * time.Second
	pushInterval = 5 * time.Millisecond
)

// listener is a Unix socket without package net, which would cost memory in every holder.
type listener struct{ file *os.File }

func listen(path string) (*listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old socket: %w", err)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("make socket: %w", err)
	}
	old := syscall.Umask(0o177)
	err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: path})
	syscall.Umask(old)
	if err == nil {
		err = syscall.Listen(fd, maxAgents)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), syscall.Close(fd))
	}
	return &listener{file: os.NewFile(uintptr(fd), path)}, nil
}

// accept waits for a connection. It fails for good once the listener is closed.
func (l *listener) accept() (*os.File, error) {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	var (
		fd     int
		failed error
	)
	err = raw.Read(func(s uintptr) bool {
		fd, _, failed = syscall.Accept4(int(s), syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
		return !errors.Is(failed, syscall.EAGAIN) && !errors.Is(failed, syscall.EINTR) && !errors.Is(failed, syscall.ECONNABORTED)
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	return os.NewFile(uintptr(fd), "agent"), nil
}

// exhausted reports whether the machine lacked what a connection needs, which passes.
func exhausted(err error) bool {
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// hub holds the attached agents.
type hub struct {
	mu     sync.Mutex
	agents []*agent
	closed bool
	group  sync.WaitGroup
}

// agent is one attached agent.
type agent struct {
	file *os.File
	news chan struct{}
	gone chan struct{}

	mu   sync.Mutex
	once sync.Once
}

// wake tells every agent's goroutine that there is news. It never blocks.
func (h *hub) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.agents {
		select {
		case a.news <- struct{}{}:
		default:
		}
	}
}

// add makes a connection an attached agent; the oldest one goes when there are too many.
func (h *hub) add(file *os.File) *agent {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := &agent{file: file, news: make(chan struct{}, 1), gone: make(chan struct{})}
	a.news <- struct{}{}
	if h.closed {
		a.close()
		return a
	}
	if len(h.agents) == maxAgents {
		h.agents[0].close()
		h.agents = h.agents[1:]
	}
	h.agents = append(h.agents, a)
	return a
}

func (h *hub) remove(a *agent) {
	a.close()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, other := range h.agents {
		if other == a {
			h.agents = append(h.agents[:i], h.agents[i+1:]...)
			return
		}
	}
}

// tell sends a message to every agent.
func (h *hub) tell(p Push) {
	h.mu.Lock()
	agents := slices.Clone(h.agents)
	h.mu.Unlock()
	var sending sync.WaitGroup
	for _, a := range agents {
		sending.Go(func() { a.send(p) })
	}
	sending.Wait()
}

// close ends all connections and waits for their goroutines.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	for _, a := range h.agents {
		a.close()
	}
	h.mu.Unlock()
	h.group.Wait()
}

func (a *agent) close() {
	a.once.Do(func() {
		close(a.gone)
		_ = a.file.Close()
	})
}

// send writes one message. An agent that does not read in time is cut off.
func (a *agent) send(p Push) {
	b, err := json.Marshal(p)
	if err != nil {
		a.close()
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	err = a.file.SetWriteDeadline(time.Now().Add(sendTimeout))
	if err == nil {
		_, err = a.file.Write(append(b, '\n'))
	}
	if err != nil {
		a.close()
	}
}

// push tells the agent of news until it is gone, at most every pushInterval, the first one at once.
func (a *agent) push(r *recorder) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	var (
		told      uint64
		toldReady bool
	)
	for {
		select {
		case <-a.gone:
			return
		case <-pause.C:
		}
		select {
		case <-a.gone:
			return
		case <-a.news:
		}
		if wrote, ready := r.news(); wrote != told || ready != toldReady {
			told, toldReady = wrote, ready
			a.send(Push{Wrote: wrote, Ready: ready})
		}
		pause.Reset(pushInterval)
	}
}

// serve reads the agent's requests until it is gone.
func (a *agent) serve(handle func(Request)) {
	lines := bufio.NewScanner(a.file)
	lines.Buffer(nil, maxRequest)
	for lines.Scan() {
		var req Request
		if json.Unmarshal(lines.Bytes(), &req) != nil || req.ID == 0 {
			return
		}
		handle(req)
	}
}
