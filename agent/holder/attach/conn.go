package attach

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/catalyst-panel/catalyst/agent/holder"
)

const (
	writeTimeout = 5 * time.Second
	maxPush      = 1 << 20 // an Exit with its last lines is the largest
)

// Conn is a connection to a holder that has greeted.
type Conn struct {
	// Hello is what the holder said of itself.
	Hello holder.Hello

	socket net.Conn
	lines  *bufio.Scanner
}

// Dial attaches to the holder of a run directory. The socket is reached through a descriptor of its directory, since a
// socket's path may have 107 bytes only.
func Dial(run string) (*Conn, error) {
	dir, err := os.Open(run)
	if err != nil {
		return nil, fmt.Errorf("open run directory: %w", err)
	}
	defer dir.Close()
	path := filepath.Join("/proc/self/fd", strconv.Itoa(int(dir.Fd())), holder.SocketFile)
	socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := &Conn{socket: socket, lines: bufio.NewScanner(socket)}
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
		return nil, errors.Join(fmt.Errorf("greet: %w", err), socket.Close())
	}
	c.Hello = *first.Hello
	return c, nil
}

// End tells the holder how the container has ended whose streams it has; it then ends by itself.
func (c *Conn) End(exit holder.Exit) error { return c.send(holder.Request{ID: 1, End: &exit}) }

// Close ends the connection; the holder goes on.
func (c *Conn) Close() error {
	if err := c.socket.Close(); err != nil {
		return fmt.Errorf("leave holder: %w", err)
	}
	return nil
}

// next reads one message.
func (c *Conn) next() (holder.Push, error) {
	var p holder.Push
	if !c.lines.Scan() {
		return p, errors.Join(net.ErrClosed, c.lines.Err())
	}
	if err := json.Unmarshal(c.lines.Bytes(), &p); err != nil {
		return p, fmt.Errorf("decode message: %w", err)
	}
	return p, nil
}

// send writes one request.
func (c *Conn) send(req holder.Request) error {
	b, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	err = c.socket.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = c.socket.Write(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	return nil
}
