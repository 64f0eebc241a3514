package app

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"

	"golang.org/x/crypto/ssh"

	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/files"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/viewer"
	"github.com/catalyst-panel/catalyst/sftpd"
)

// sftpAddress is where clients reach SFTP; nothing when it is switched off.
func (c *Config) sftpAddress() files.SFTPAddress {
	if c.SFTPAddr == switchedOff {
		return files.SFTPAddress{}
	}
	addr := c.SFTPPublicAddr
	if addr == "" {
		_, port, _ := net.SplitHostPort(c.SFTPAddr) // checked when it was read
		if u, err := url.Parse(c.PublicURL); err == nil {
			addr = net.JoinHostPort(u.Hostname(), port)
		}
	}
	host, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)
	return files.SFTPAddress{Host: host, Port: number}
}

// makeSFTP makes the SFTP server, unless it is switched off.
func (p *panel) makeSFTP() error {
	if p.config.SFTPAddr == switchedOff {
		return nil
	}
	keys, err := sftpd.HostKeys(filepath.Dir(p.config.TokenKeyFile))
	if err != nil {
		return err
	}
	p.sftp = sftpd.New(sftpd.Config{Backend: &sftpBackend{accounts: p.accounts, files: p.files}, HostKeys: keys, Logger: p.log})
	return nil
}

// listenSFTP opens the address of SFTP and returns what serves it until its context ends.
func (p *panel) listenSFTP(ctx context.Context) (func(context.Context) error, error) {
	if p.sftp == nil {
		return func(context.Context) error { return nil }, nil
	}
	l, err := listen(ctx, p.config.SFTPAddr, "sftp-addr")
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return p.sftp.Serve(ctx, l) }, nil
}

// sftpBackend lets SFTP speak with the accounts and the files.
type sftpBackend struct {
	accounts *accounts.Service
	files    *files.Service
}

var _ sftpd.Backend = (*sftpBackend)(nil)

// Arrive returns the context of a connection.
func (*sftpBackend) Arrive(ctx context.Context, remote netip.Addr, program string) context.Context {
	return request.NewContext(ctx, request.Info{ID: rand.Text(), IP: remote, UserAgent: program})
}

// Password finds out who a client with a password is; without a user name, the password is a token.
func (b *sftpBackend) Password(ctx context.Context, l sftpd.Login, password string) (sftpd.Identity, error) {
	if l.Username == "" {
		ctx, err := b.files.RedeemSFTPToken(ctx, l.ServerID, password)
		if err != nil {
			return nil, err
		}
		return &sftpIdentity{backend: b, login: l, known: viewer.FromContext(ctx)}, nil
	}
	proof, err := b.accounts.SFTPPassword(ctx, l.Username, password)
	if err != nil {
		return nil, err
	}
	return &sftpIdentity{backend: b, login: l, proof: proof}, nil
}

// Key finds out whose a key is.
func (b *sftpBackend) Key(ctx context.Context, l sftpd.Login, key ssh.PublicKey) (sftpd.Identity, error) {
	proof, err := b.accounts.SFTPKey(ctx, l.Username, key)
	if err != nil {
		return nil, err
	}
	return &sftpIdentity{backend: b, login: l, proof: proof}, nil
}

// sftpIdentity is somebody who may come in: by a proof, or known already by a token.
type sftpIdentity struct {
	backend *sftpBackend
	login   sftpd.Login
	proof   *accounts.Proof
	known   *viewer.Viewer
}

// Name tells the caller's connections from others'.
func (i *sftpIdentity) Name() string {
	if i.known != nil {
		return i.known.UserID
	}
	return i.proof.UserID()
}

// Begin makes the client the caller.
func (i *sftpIdentity) Begin(ctx context.Context) (context.Context, func(), error) {
	if i.known != nil {
		return viewer.NewContext(ctx, i.known), func() {}, nil
	}
	return i.backend.accounts.OpenSFTP(ctx, i.proof)
}

// Open opens a session with the server's files.
func (i *sftpIdentity) Open(ctx context.Context) (sftpd.Session, error) {
	session, err := i.backend.files.OpenSFTP(ctx, i.login.ServerID)
	if err != nil {
		return nil, err
	}
	return sftpSession{session}, nil
}

// sftpSession is a session of the files' service.
type sftpSession struct{ *files.SFTPSession }

// Done is closed when the session has to end.
func (s sftpSession) Done() <-chan struct{} { return s.Context.Done() }

// Close ends it.
func (s sftpSession) Close() { s.SFTPSession.Close() }

// Serve passes packets.
func (s sftpSession) Serve(stream io.ReadWriter) error { return s.SFTPSession.Serve(stream) }
