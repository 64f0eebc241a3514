package sftpd

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// identityKey is where the identity lies in a connection's permissions.
type identityKey struct{}

// errRefused is what a client who may not come in is answered; why is not its business.
var errRefused = errors.New("permission denied")

// maxTries is how many passwords and keys a client may show on one connection.
const maxTries = 6

// client is one connection.
type client struct {
	server *Server
	conn   *idleConn
	remote netip.Addr
	// discarding are those who refuse what a client asks for besides; they end with the connection.
	discarding sync.WaitGroup
}

// serve lets the client in and serves its sessions.
func (c *client) serve(ctx context.Context) {
	limits := c.server.config.Limits
	if err := c.conn.SetDeadline(time.Now().Add(limits.Handshake)); err != nil {
		return
	}
	conn, channels, requests, err := ssh.NewServerConn(c.conn, c.config(ctx))
	if err != nil {
		return // scanners and wrong passwords; the backend has recorded what matters
	}
	defer c.discarding.Wait()
	defer func() { _ = conn.Close() }()
	c.discarding.Go(func() { ssh.DiscardRequests(requests) }) // no forwarding
	c.conn.begin()
	identity, ok := conn.Permissions.ExtraData[identityKey{}].(Identity)
	if !ok {
		return
	}
	leave, ok := c.server.counts.enter(map[string]int{"user " + identity.Name(): limits.PerUser})
	if !ok {
		c.server.config.Logger.LogAttrs(ctx, slog.LevelInfo, "a user has too many connections of SFTP", slog.String("user", identity.Name()))
		return
	}
	defer leave()
	ctx, end, err := identity.Begin(c.arrive(ctx, conn))
	if err != nil {
		c.server.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a client of SFTP could not begin", slog.Any("error", err))
		return
	}
	defer end()
	c.accept(ctx, channels, identity)
}

// arrive is the context of the connection, as the backend wants it.
func (c *client) arrive(ctx context.Context, conn ssh.ConnMetadata) context.Context {
	return c.server.config.Backend.Arrive(ctx, c.remote, printable(string(conn.ClientVersion())))
}

// config are the rules of the handshake.
func (c *client) config(ctx context.Context) *ssh.ServerConfig {
	backend := c.server.config.Backend
	config := &ssh.ServerConfig{
		Config: algorithms(), MaxAuthTries: maxTries, ServerVersion: "SSH-2.0-Catalyst", PublicKeyAuthAlgorithms: keyAlgorithms(),
		PasswordCallback: func(conn ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			l, ok := parseLogin(conn.User())
			if !ok {
				return nil, errRefused
			}
			return c.found(backend.Password(c.arrive(ctx, conn), l, string(password)))
		},
		// The permissions of the key whose signature is good count, whatever others were offered before.
		PublicKeyCallback: func(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			l, ok := parseLogin(conn.User())
			if !ok || l.Username == "" {
				return nil, errRefused
			}
			return c.found(backend.Key(c.arrive(ctx, conn), l, key))
		},
	}
	for _, key := range c.server.config.HostKeys {
		config.AddHostKey(key)
	}
	return config
}

func (*client) found(identity Identity, err error) (*ssh.Permissions, error) {
	if err != nil {
		return nil, errRefused
	}
	return &ssh.Permissions{ExtraData: map[any]any{identityKey{}: identity}}, nil
}

// parseLogin reads a user's name: "<server>" or "<username>.<server>".
func parseLogin(user string) (Login, bool) {
	if len(user) > 256 {
		return Login{}, false
	}
	l := Login{ServerID: user}
	if at := strings.LastIndexByte(user, '.'); at >= 0 {
		l = Login{Username: user[:at], ServerID: user[at+1:]}
		if l.Username == "" {
			return Login{}, false
		}
	}
	return l, strings.HasPrefix(l.ServerID, "srv_")
}

// printable is a client's name for itself, fit to be stored.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, text[:min(len(text), 128)])
}

// accept serves the channels that the client opens until the connection ends.
func (c *client) accept(ctx context.Context, channels <-chan ssh.NewChannel, identity Identity) {
	var running sync.WaitGroup
	defer running.Wait()
	places := make(chan struct{}, c.server.config.Limits.Sessions)
	for asked := range channels {
		if asked.ChannelType() != "session" {
			_ = asked.Reject(ssh.UnknownChannelType, "only sessions of SFTP are served here")
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			_ = asked.Reject(ssh.ResourceShortage, "too many sessions on this connection")
			continue
		}
		channel, requests, err := asked.Accept()
		if err != nil {
			return // the connection has ended
		}
		running.Go(func() {
			defer func() { <-places }()
			c.session(ctx, channel, requests, identity)
		})
	}
}

// session waits for the client to ask for SFTP, and serves it.
func (c *client) session(ctx context.Context, channel ssh.Channel, requests <-chan *ssh.Request, identity Identity) {
	defer func() { _ = channel.Close() }()
	for r := range requests {
		if wantsSFTP(r) {
			_ = r.Reply(true, nil)
			c.discarding.Go(func() { ssh.DiscardRequests(requests) })
			c.transfer(ctx, channel, identity)
			return
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
		if r.Type == "shell" || r.Type == "exec" {
			_, _ = channel.Stderr().Write([]byte("This server speaks SFTP only.\r\n"))
			return
		}
	}
}

// wantsSFTP reports whether a request asks for the subsystem. Its payload is a length of four bytes and a name.
func wantsSFTP(r *ssh.Request) bool {
	var subsystem struct{ Name string }
	return r.Type == "subsystem" && ssh.Unmarshal(r.Payload, &subsystem) == nil && subsystem.Name == "sftp"
}

// transfer serves one session with the files.
func (c *client) transfer(ctx context.Context, channel ssh.Channel, identity Identity) {
	session, err := identity.Open(ctx)
	if err != nil {
		_, _ = channel.Stderr().Write([]byte(told(err) + "\r\n"))
		c.exit(channel, 1)
		return
	}
	defer session.Close()
	served := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-session.Done():
			_ = channel.Close()
		case <-served:
		}
	})
	err = session.Serve(channel)
	close(served)
	watching.Wait()
	if err != nil {
		_, _ = channel.Stderr().Write([]byte(told(err) + "\r\n"))
		c.exit(channel, 1)
		return
	}
	c.exit(channel, 0)
}

// exit tells the client how the session has ended; clients of SFTP wait for it.
func (*client) exit(channel ssh.Channel, status uint32) {
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}

// told is what a client is told of an error: what was written for people, and nothing else.
func told(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return "The session could not be served. Try again."
}
