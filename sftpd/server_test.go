package sftpd_test

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/sftpd"
)

const user = "ann.srv_1"

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// backend lets ann in with the password "right", and whoever has one of the keys under the key's name.
type backend struct {
	keys   map[string]string // fingerprint → name
	refuse error             // of Open

	mu     sync.Mutex
	begun  []string // names
	ended  int
	opened []*session
}

func (*backend) Arrive(ctx context.Context, _ netip.Addr, _ string) context.Context { return ctx }

func (b *backend) Password(_ context.Context, l sftpd.Login, password string) (sftpd.Identity, error) {
	if l.Username != "ann" || password != "right" {
		return nil, errors.New("wrong")
	}
	return &identity{b, l.Username}, nil
}

func (b *backend) Key(_ context.Context, _ sftpd.Login, key ssh.PublicKey) (sftpd.Identity, error) {
	name, ok := b.keys[ssh.FingerprintSHA256(key)]
	if !ok {
		return nil, errors.New("unknown")
	}
	return &identity{b, name}, nil
}

type identity struct {
	backend *backend
	name    string
}

func (i *identity) Name() string { return i.name }

func (i *identity) Begin(ctx context.Context) (context.Context, func(), error) {
	i.backend.mu.Lock()
	defer i.backend.mu.Unlock()
	i.backend.begun = append(i.backend.begun, i.name)
	return ctx, func() {
		i.backend.mu.Lock()
		defer i.backend.mu.Unlock()
		i.backend.ended++
	}, nil
}

func (i *identity) Open(context.Context) (sftpd.Session, error) {
	if i.backend.refuse != nil {
		return nil, i.backend.refuse
	}
	s := &session{done: make(chan struct{})}
	i.backend.mu.Lock()
	defer i.backend.mu.Unlock()
	i.backend.opened = append(i.backend.opened, s)
	return s, nil
}

// session echoes.
type session struct{ done chan struct{} }

func (s *session) Done() <-chan struct{} { return s.done }

func (*session) Serve(stream io.ReadWriter) error {
	_, err := io.Copy(stream, stream)
	return err
}

func (*session) Close() {}

// world is a server that runs.
type world struct {
	t       *testing.T
	backend *backend
	addr    string
	stop    context.CancelFunc
	served  chan error
}

func serve(t *testing.T, limits sftpd.Limits) *world {
	t.Helper()
	keys, err := sftpd.HostKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, backend: &backend{keys: map[string]string{}}, addr: l.Addr().String(), served: make(chan error, 1)}
	server := sftpd.New(sftpd.Config{Backend: w.backend, HostKeys: keys, Limits: limits, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	w.stop = cancel
	go func() { w.served <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-w.served; err != nil {
			t.Error(err)
		}
		if n := server.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
	return w
}

// config is a client's.
func config(auth ...ssh.AuthMethod) *ssh.ClientConfig {
	return &ssh.ClientConfig{User: user, Auth: auth, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: patience}
}

func (w *world) dial(c *ssh.ClientConfig) (*ssh.Client, error) {
	conn, err := ssh.Dial("tcp", w.addr, c)
	if err == nil {
		w.t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, err
}

// enter is dial for ann.
func (w *world) enter() *ssh.Client {
	w.t.Helper()
	conn, err := w.dial(config(ssh.Password("right")))
	if err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// channel opens a session's channel.
func channel(t *testing.T, conn *ssh.Client) (ssh.Channel, <-chan *ssh.Request) {
	t.Helper()
	ch, requests, err := conn.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	return ch, requests
}

func TestLetIn(t *testing.T) {
	t.Parallel()
	w := serve(t, sftpd.Limits{})
	tests := []struct {
		name, user, password string
		in                   bool
	}{
		{"right", user, "right", true},
		{"wrong", user, "wrong", false},
		{"nobody", "bob.srv_1", "right", false},
		{"no server", "ann", "right", false},
		{"nothing before the point", ".srv_1", "right", false},
		{"long", strings.Repeat("a", 300) + ".srv_1", "right", false},
	}
	for _, tt := range tests {
		c := config(ssh.Password(tt.password))
		c.User = tt.user
		if _, err := w.dial(c); (err == nil) != tt.in {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestRightsOfTheKeyThatSigned offers a key of somebody else, whose private half the client lacks, before its own.
func TestRightsOfTheKeyThatSigned(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ssh"); err != nil {
		testbed.Missing(t, "ssh is not installed")
	}
	w := serve(t, sftpd.Limits{})
	dir := t.TempDir()
	for _, name := range []string{"root", "ann"} {
		_, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.NewSignerFromKey(private)
		if err != nil {
			t.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKey(private, "")
		if err != nil {
			t.Fatal(err)
		}
		w.backend.keys[ssh.FingerprintSHA256(signer.PublicKey())] = name
		for file, text := range map[string][]byte{name: pem.EncodeToMemory(block), name + ".pub": ssh.MarshalAuthorizedKey(signer.PublicKey())} {
			if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Remove(filepath.Join(dir, "root")); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(w.addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "ssh", "-v", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-i", filepath.Join(dir, "root.pub"), "-i", filepath.Join(dir, "ann"), "-p", port,
		"-s", user+"@"+host, "sftp")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "Server accepts key") != 2 {
		t.Fatalf("%v\n%s", err, out)
	}
	w.backend.mu.Lock()
	defer w.backend.mu.Unlock()
	if len(w.backend.begun) != 1 || w.backend.begun[0] != "ann" {
		t.Errorf("let in: %v", w.backend.begun)
	}
}

// TestOnlySFTP asks for everything else.
func TestOnlySFTP(t *testing.T) {
	t.Parallel()
	w := serve(t, sftpd.Limits{})
	conn := w.enter()
	for _, kind := range []string{"direct-tcpip", "x11", "forwarded-tcpip", "auth-agent@openssh.com"} {
		if _, _, err := conn.OpenChannel(kind, nil); err == nil {
			t.Errorf("a channel %q was opened", kind)
		}
	}
	if ok, _, err := conn.SendRequest("tcpip-forward", true, nil); ok || err != nil {
		t.Errorf("ports are forwarded: %v, %v", ok, err)
	}
	ch, requests := channel(t, conn)
	go ssh.DiscardRequests(requests)
	for name, payload := range map[string][]byte{
		"subsystem": nil, "subsystem ": {0}, "subsystem  ": {0, 0, 0}, "subsystem   ": {0, 0, 0, 9, 's'}, "subsystem    ": ssh.Marshal(struct{ N string }{"shell"}),
		"pty-req": nil, "env": nil, "x11-req": nil,
	} {
		if ok, err := ch.SendRequest(strings.TrimSpace(name), true, payload); ok || err != nil {
			t.Errorf("%s %v: %v, %v", name, payload, ok, err)
		}
	}
	if ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ N string }{"id"})); ok || err != nil {
		t.Errorf("a command was carried out: %v, %v", ok, err)
	}
}

// TestSession echoes through a session, which ends when it has to.
func TestSession(t *testing.T) {
	t.Parallel()
	w := serve(t, sftpd.Limits{})
	ch, requests := channel(t, w.enter())
	go ssh.DiscardRequests(requests)
	if ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ N string }{"sftp"})); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	if _, err := ch.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(ch, got); err != nil || string(got) != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
	w.backend.mu.Lock()
	close(w.backend.opened[0].done)
	w.backend.mu.Unlock()
	if _, err := ch.Read(got); !errors.Is(err, io.EOF) {
		t.Errorf("the session goes on: %v", err)
	}
}

// TestRefusedSession tells why there is none.
func TestRefusedSession(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fault.New(fault.NodeOffline, "The node is offline."), "The node is offline."},
		{errors.New("secret"), "The session could not be served."},
	} {
		w := serve(t, sftpd.Limits{})
		w.backend.refuse = tt.err
		ch, requests := channel(t, w.enter())
		go ssh.DiscardRequests(requests)
		if ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ N string }{"sftp"})); !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		said, err := io.ReadAll(ch.Stderr())
		if err != nil || !strings.Contains(string(said), tt.want) {
			t.Errorf("%v: %v, %q", tt.err, err, said)
		}
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]sftpd.Limits{"total": {Total: 1}, "address": {PerAddress: 1}, "user": {PerUser: 1}} {
		w := serve(t, limits)
		first := w.enter()
		second, err := w.dial(config(ssh.Password("right")))
		if err == nil { // it was let in, and is sent away at once
			_ = second.Wait()
			_, _, err = second.OpenChannel("session", nil)
		}
		if err == nil {
			t.Errorf("%s: there is a second connection", name)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(patience)
		for {
			third, err := w.dial(config(ssh.Password("right")))
			if err == nil {
				_, _, err = third.OpenChannel("session", nil)
			}
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the place of a connection that has ended is not free: %v", name, err)
			}
		}
	}
}

func TestSessionsAreCounted(t *testing.T) {
	t.Parallel()
	w := serve(t, sftpd.Limits{Sessions: 2})
	conn := w.enter()
	channel(t, conn)
	channel(t, conn)
	if _, _, err := conn.OpenChannel("session", nil); err == nil {
		t.Error("there are three sessions")
	}
}

// TestHandshakeEnds has clients that say nothing, or not enough.
func TestHandshakeEnds(t *testing.T) {
	t.Parallel()
	w := serve(t, sftpd.Limits{Handshake: 300 * time.Millisecond})
	for _, said := range []string{"", "SSH-2.0-slow\r\n", "GET / HTTP/1.1\r\n\r\n"} {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(said)); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %q the connection is open still", said)
		}
		_ = conn.Close()
	}
}

func TestIdleEnds(t *testing.T) {
	t.Parallel()
	w := serve(t, sftpd.Limits{Idle: 300 * time.Millisecond})
	ended := make(chan error, 1)
	conn := w.enter()
	go func() { ended <- conn.Wait() }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the connection is open still")
	}
}

// TestStop ends what is open when the server stops.
func TestStop(t *testing.T) {
	t.Parallel()
	w := serve(t, sftpd.Limits{})
	conn := w.enter()
	w.stop()
	_ = conn.Wait() // it says that the connection was closed
	if err := <-w.served; err != nil {
		t.Error(err)
	}
	w.served <- nil
	w.backend.mu.Lock()
	defer w.backend.mu.Unlock()
	if w.backend.ended != 1 {
		t.Errorf("%d ends were told", w.backend.ended)
	}
}

// TestWeakAlgorithms has clients that know nothing better.
func TestWeakAlgorithms(t *testing.T) {
	t.Parallel()
	w := serve(t, sftpd.Limits{})
	for name, weaken := range map[string]func(*ssh.Config){
		"key exchange": func(c *ssh.Config) { c.KeyExchanges = []string{ssh.InsecureKeyExchangeDH1SHA1} },
		"cipher":       func(c *ssh.Config) { c.Ciphers = []string{ssh.InsecureCipherAES128CBC} },
		"MAC": func(c *ssh.Config) {
			c.Ciphers, c.MACs = []string{ssh.CipherAES128CTR}, []string{ssh.InsecureHMACSHA196}
		},
	} {
		c := config(ssh.Password("right"))
		weaken(&c.Config)
		if _, err := w.dial(c); err == nil {
			t.Errorf("%s: let in", name)
		}
	}
}

// TestHostKeysAreKept finds the same keys again, for nobody else to read.
func TestHostKeysAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := sftpd.HostKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := sftpd.HostKeys(dir)
	if err != nil || len(first) != 2 || len(second) != 2 {
		t.Fatalf("%d and %d keys, %v", len(first), len(second), err)
	}
	for i := range first {
		if ssh.FingerprintSHA256(first[i].PublicKey()) != ssh.FingerprintSHA256(second[i].PublicKey()) {
			t.Errorf("the %s key has changed", first[i].PublicKey().Type())
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "sftp_rsa"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sftpd.HostKeys(dir); err == nil {
		t.Error("a key that is none was replaced in silence")
	}
}

// FuzzLogin reads user names.
func FuzzLogin(f *testing.F) {
	for _, name := range []string{"ann.srv_1", "srv_1", "a.b.srv_1", ".srv_1", "", "srv_", "ann.", "ann@example.com.srv_x"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		l, ok := sftpd.ParseLogin(name)
		if !ok {
			return
		}
		whole := l.ServerID
		if l.Username != "" {
			whole = l.Username + "." + l.ServerID
		}
		if whole != name || !strings.HasPrefix(l.ServerID, "srv_") || strings.Contains(l.ServerID, ".") {
			t.Errorf("%q is read as %+v", name, l)
		}
	})
}
