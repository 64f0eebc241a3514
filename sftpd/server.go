package sftpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Login is whom a client says it is and where it wants to go.
type Login struct {
	// Username is empty for a client with a token, which says who it is itself.
	Username, ServerID string
}

// Backend knows who may come in, and the files. Contexts carry who the caller is from one of its functions to the next.
type Backend interface {
	// Arrive returns the context of a new connection.
	Arrive(ctx context.Context, remote netip.Addr, program string) context.Context
	// Password and Key return the identity of a client with a password, or with a key that it has shown to have. An error is
	// not told to the client.
	Password(ctx context.Context, l Login, password string) (Identity, error)
	Key(ctx context.Context, l Login, key ssh.PublicKey) (Identity, error)
}

// Identity is somebody who may come in.
type Identity interface {
	// Name tells the caller's connections from others'.
	Name() string
	// Begin returns the caller's context, and what is to be called when the connection has ended.
	Begin(ctx context.Context) (context.Context, func(), error)
	// Open opens a session with the files of the server. The context is Begin's.
	Open(ctx context.Context) (Session, error)
}

// Session is one with a server's files.
type Session interface {
	// Done is closed when the session has to end at once.
	Done() <-chan struct{}
	// Serve passes packets until the client, the node or the session has ended.
	Serve(stream io.ReadWriter) error
	// Close must be called.
	Close()
}

// Limits bound what clients may take up.
type Limits struct {
	// Total, PerAddress and PerUser are how many connections there may be: 500, 20 and 20.
	Total, PerAddress, PerUser int
	// Sessions is how many sessions one connection may have: 8.
	Sessions int
	// Handshake is how long a client may take to come in: 30 s.
	Handshake time.Duration
	// Idle is how long a connection may be without a packet: 30 minutes.
	Idle time.Duration
}

func (l Limits) withDefaults() Limits {
	for value, standard := range map[*int]int{&l.Total: 500, &l.PerAddress: 20, &l.PerUser: 20, &l.Sessions: 8} {
		if *value == 0 {
			*value = standard
		}
	}
	if l.Handshake == 0 {
		l.Handshake = 30 * time.Second
	}
	if l.Idle == 0 {
		l.Idle = 30 * time.Minute
	}
	return l
}

// Config is what a Server needs.
type Config struct {
	Backend Backend
	// HostKeys are what the server shows who it is by.
	HostKeys []ssh.Signer
	Limits   Limits
	Logger   *slog.Logger
}

// Server serves SFTP. Make one with New.
type Server struct {
	config Config
	counts counts
}

// New returns a server.
func New(c Config) *Server {
	c.Limits = c.Limits.withDefaults()
	return &Server{config: c, counts: counts{by: make(map[string]int)}}
}

// Connections returns how many there are.
func (s *Server) Connections() int { return s.counts.of("") }

// acceptAgain is how long to wait after a connection could not be accepted.
const acceptAgain = 100 * time.Millisecond

// Serve accepts connections until ctx ends, and returns when all of them have. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connections of SFTP: %w", err)
		case err != nil: // out of descriptors, perhaps: others will end
			s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a connection of SFTP is not accepted", slog.Any("error", err))
			wait := time.NewTimer(acceptAgain)
			select {
			case <-ctx.Done():
			case <-wait.C:
			}
			wait.Stop()
			continue
		}
		running.Go(func() { s.connection(ctx, conn) })
	}
}

// connection serves one connection, if there may be one more.
func (s *Server) connection(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	limits := s.config.Limits
	remote := addressOf(conn)
	leave, ok := s.counts.enter(map[string]int{"": limits.Total, "address " + addressKey(remote): limits.PerAddress})
	if !ok {
		return
	}
	defer leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := &client{server: s, conn: &idleConn{Conn: conn, idle: limits.Idle}, remote: remote}
	c.serve(ctx)
}

func addressOf(conn net.Conn) netip.Addr {
	at, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// addressKey is what connections are counted under: of IPv6, a provider's customer has a whole network.
func addressKey(a netip.Addr) string {
	if a.Is6() {
		if network, err := a.Prefix(64); err == nil {
			return network.String()
		}
	}
	return a.String()
}

// idleConn ends a connection on which nothing goes either way. Until begin is called, the deadline of the handshake holds.
type idleConn struct {
	net.Conn
	idle time.Duration

	mu    sync.Mutex
	begun bool
	moved time.Time
}

// begin says that the client has come in.
func (c *idleConn) begin() {
	c.mu.Lock()
	c.begun = true
	c.mu.Unlock()
	c.extend()
}

// extend moves the deadline, but not for every packet.
func (c *idleConn) extend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.begun && now.Sub(c.moved) > c.idle/100 {
		c.moved = now
		_ = c.SetDeadline(now.Add(c.idle)) // a connection that is closed says so when it is used
	}
}

// Read implements net.Conn.
func (c *idleConn) Read(p []byte) (int, error) {
	c.extend()
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *idleConn) Write(p []byte) (int, error) {
	c.extend()
	return c.Conn.Write(p)
}

// counts counts connections by who they belong to.
type counts struct {
	mu sync.Mutex
	by map[string]int
}

// enter counts one more under each key, unless one of them has as many as it may.
func (c *counts) enter(limits map[string]int) (leave func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, limit := range limits {
		if c.by[key] >= limit {
			return nil, false
		}
	}
	for key := range limits {
		c.by[key]++
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for key := range limits {
			if c.by[key]--; c.by[key] == 0 {
				delete(c.by, key)
			}
		}
	}, true
}

func (c *counts) of(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[key]
}
