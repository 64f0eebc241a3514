package holder

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// container is a program that somebody else has started, with FIFOs as its standard streams. The agent says when it has
// ended; until then the holder reads on, agent or not.
type container struct {
	pipes    streams
	openedAt time.Time
	exited   chan struct{}
	once     sync.Once
	exit     Exit // valid once exited is closed
}

// openContainer opens the FIFOs for reading and writing, so that they stay open whoever else comes and goes.
func openContainer(names FIFOs) (*container, error) {
	c := &container{openedAt: time.Now(), exited: make(chan struct{})}
	for name, file := range map[string]**os.File{
		names.Stdin: &c.pipes.stdin, names.Stdout: &c.pipes.stdout, names.Stderr: &c.pipes.stderr,
	} {
		if name == "" {
			continue
		}
		f, err := os.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK, 0)
		if err != nil {
			c.pipes.close()
			return nil, fmt.Errorf("open the container's %s: %w", name, err)
		}
		*file = f
	}
	if c.pipes.stdin == nil || c.pipes.stdout == nil {
		c.pipes.close()
		return nil, errors.New("a container needs a standard input and output")
	}
	return c, nil
}

func (c *container) streams() *streams { return &c.pipes }

func (c *container) hello(h *Hello) { h.StartedAt = c.openedAt }

func (c *container) wait() Exit {
	<-c.exited
	return c.exit
}

// settle reads what is still in the FIFOs.
func (c *container) settle(drained <-chan struct{}) {
	c.pipes.drain()
	waitFor(drained, leftoversFor)
}

func (c *container) hasEnded() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// signal is not for it: the runtime sends a container's signals.
func (c *container) signal(syscall.Signal) error {
	return errors.New("the holder cannot send signals to a container")
}

func (c *container) end(exit Exit) error {
	c.once.Do(func() {
		c.exit = exit
		close(c.exited)
	})
	return nil
}
