package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/test/harness"
)

// clientTime bounds one run of a client.
const clientTime = time.Minute

// sshClient runs programs that speak SFTP, as one user with a key.
type sshClient struct {
	w          *world
	t          testing.TB
	host, port string
	dir        string // with the key
	user       string
	at         string   // user name and server, as clients send it
	extra      []string // options of OpenSSH's programs
}

// withSFTP returns the setting that has a panel serve SFTP at an address of its own.
func withSFTP(t testing.TB) string { return "CATALYST_SFTP_ADDR=" + harness.FreeAddr(t) }

// sftp returns a client of a user, whose key is made known.
func (w *world) sftp(t testing.TB, as *harness.Client, user, serverID string) *sshClient {
	t.Helper()
	addr := ""
	for _, setting := range w.env {
		if at, ok := strings.CutPrefix(setting, "CATALYST_SFTP_ADDR="); ok {
			addr = at
		}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &sshClient{w: w, t: t, host: host, port: port, dir: t.TempDir(), user: user, at: user + "." + serverID}
	c.run("", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", c.key())
	public, err := os.ReadFile(c.key() + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	as.Run(`mutation($k: String!) { addSshKey(input: {name: "laptop", publicKey: $k}) { sshKey { id } } }`, vars{"k": string(public)}, nil)
	return c
}

func (c *sshClient) key() string { return filepath.Join(c.dir, "id") }

// options are those of OpenSSH's programs, for nothing of this machine's.
func (c *sshClient) options() []string {
	return append([]string{
		"-F", "/dev/null", "-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=" + filepath.Join(c.dir, "known_hosts"),
		"-o", "IdentitiesOnly=yes", "-i", c.key(),
	}, c.extra...)
}

// try runs a program and returns what it printed.
func (c *sshClient) try(input, name string, args ...string) (string, error) {
	c.t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		testbed.Missing(c.t, "%s is not installed", name)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin = c.dir, strings.NewReader(input)
	cmd.Env = append(os.Environ(), "HOME="+c.dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// run is try for what must succeed.
func (c *sshClient) run(input, name string, args ...string) string {
	c.t.Helper()
	out, err := c.try(input, name, args...)
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// batch has OpenSSH's sftp carry commands out; a command that fails ends it.
func (c *sshClient) batch(commands ...string) (string, error) {
	c.t.Helper()
	args := append(c.options(), "-P", c.port, "-b", "-", c.at+"@"+c.host)
	return c.try(strings.Join(commands, "\n")+"\n", "sftp", args...)
}

// must is batch for what must succeed.
func (c *sshClient) must(commands ...string) string {
	c.t.Helper()
	out, err := c.batch(commands...)
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(commands, "; "), err, out)
	}
	return out
}

// local writes a file for a client to send.
func (c *sshClient) local(name string, content []byte) string {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), content, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return filepath.Join(c.dir, name)
}

// same fails the test unless a file has a content.
func same(t testing.TB, file string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes, want %d others: %v", file, len(got), len(want), err)
	}
}

// TestSFTP works with a server's files by programs that nobody here wrote.
func TestSFTP(t *testing.T) {
	t.Parallel()
	w := separate(t, withSFTP(t))
	id := w.create("files", w.demo())
	c := w.sftp(t, w.admin, "admin", id)
	content := noise(5 << 20)
	c.local("world.bin", content)
	root := filepath.Dir(w.nodeFile(id, "."))

	openSSH(t, c, filepath.Join(root, "files"), content)
	scp := append(c.options(), "-P", c.port, "-p")
	c.run("", "scp", append(scp, c.local("one", []byte("copied")), c.at+"@"+c.host+":/one")...)
	same(t, w.nodeFile(id, "one"), []byte("copied"))
	c.run("", "scp", append(scp, c.at+"@"+c.host+":/one", filepath.Join(c.dir, "back"))...)
	same(t, filepath.Join(c.dir, "back"), []byte("copied"))
	if err := os.Remove(filepath.Join(c.dir, "back")); err != nil {
		t.Fatal(err)
	}
	lftp(t, c, w.nodeFile(id, "."))
	rclone(t, c)
	sshfs(t, c)
	w.onRecord(t, id)
}

func openSSH(t *testing.T, c *sshClient, root string, content []byte) {
	c.must("put world.bin", "mkdir maps", "put world.bin maps/two.bin", "chmod 600 maps/two.bin", "rename maps/two.bin maps/three.bin",
		"ln -s three.bin maps/link", "ln maps/three.bin maps/hard", "get maps/link back.bin")
	same(t, filepath.Join(root, "world.bin"), content)
	same(t, filepath.Join(c.dir, "back.bin"), content)
	info, err := os.Stat(filepath.Join(root, "maps/hard"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != int64(len(content)) {
		t.Errorf("the hard link is %v, %v", info, err)
	}
	if target, err := os.Readlink(filepath.Join(root, "maps/link")); err != nil || target != "three.bin" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	if out := c.must("ls -l maps", "df -h /", "pwd"); !strings.Contains(out, "three.bin") || !strings.Contains(out, "Remote working directory: /") || !strings.Contains(out, "%Capacity") {
		t.Errorf("listed %s", out)
	}
	// Half of a file is there: the rest is sent and fetched.
	if err := os.Truncate(filepath.Join(root, "world.bin"), 1<<20); err != nil {
		t.Fatal(err)
	}
	c.local("half.bin", content[:1<<20])
	c.must("reput world.bin", "reget maps/three.bin half.bin")
	same(t, filepath.Join(root, "world.bin"), content)
	same(t, filepath.Join(c.dir, "half.bin"), content)

	for _, refused := range []string{
		"get /../../../../etc/passwd x", "ln -s /etc/passwd leak", "ln -s ../../../etc leak", "rmdir maps", "rm nothing", "mkdir maps", "rename world.bin maps/hard/x",
	} {
		if out, err := c.batch(refused); err == nil {
			t.Errorf("%s was done: %s", refused, out)
		}
	}
	c.must("rm maps/*", "rmdir maps")
	if _, err := os.Stat(filepath.Join(root, "maps")); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

// lftp mirrors a tree there and back.
func lftp(t *testing.T, c *sshClient, root string) {
	for i := range 40 {
		dir := filepath.Join(c.dir, "tree", fmt.Sprint(i%4))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), noise(1000*i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	connect := fmt.Sprintf(`set sftp:connect-program "ssh -a -x %s"; set net:max-retries 2; open -u %s, sftp://%s:%s; `,
		strings.Join(c.options(), " "), c.at, c.host, c.port)
	c.run("", "lftp", "-c", connect+"mirror -R --parallel=4 tree mirrored; mirror --parallel=4 mirrored back")
	c.run("", "diff", "-r", "tree", "back")
	c.run("", "diff", "-r", "tree", filepath.Join(root, "mirrored"))
}

// rclone copies a tree and compares it.
func rclone(t *testing.T, c *sshClient) {
	c.local("rclone.conf", fmt.Appendf(nil, "[panel]\ntype = sftp\nhost = %s\nport = %s\nuser = %s\nkey_file = %s\nshell_type = none\n", c.host, c.port, c.at, c.key()))
	c.run("", "rclone", "--config", "rclone.conf", "copy", "tree", "panel:cloned")
	c.run("", "rclone", "--config", "rclone.conf", "check", "--download", "tree", "panel:cloned")
	if out := c.run("", "rclone", "--config", "rclone.conf", "about", "panel:"); !strings.Contains(out, "Free") {
		t.Errorf("rclone says %s", out)
	}
	c.run("", "rclone", "--config", "rclone.conf", "purge", "panel:cloned")
}

// sshfs builds a program in a mount.
func sshfs(t *testing.T, c *sshClient) {
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Logf("no mount is tried, since there is no FUSE here: %v", err)
		return
	} else if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(c.dir, "mount")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	c.run("", "sshfs", c.at+"@"+c.host+":/", at, "-p", c.port, "-F", "/dev/null", "-o", "IdentityFile="+c.key(), "-o", "StrictHostKeyChecking=accept-new",
		"-o", "UserKnownHostsFile="+filepath.Join(c.dir, "known_hosts"))
	defer c.run("", "fusermount", "-u", "-z", at)
	src := filepath.Join(at, "src")
	if err := os.Mkdir(src, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"main.c": "#include <stdio.h>\nint add(int, int);\nint main(void) { printf(\"%d\\n\", add(40, 2)); return 0; }\n",
		"add.c":  "int add(int a, int b) { return a + b; }\n",
	} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.run("", "sh", "-c", "cd '"+src+"' && gcc -c main.c && gcc -c add.c && gcc -o program main.o add.o && chmod 755 program && mv program renamed && ./renamed >out && test \"$(cat out)\" = 42 && echo more >>out && test \"$(wc -l <out)\" = 2")
}

// onRecord looks for what was done in the audit trail and on the console.
func (w *world) onRecord(t *testing.T, id string) {
	harness.Eventually(t, soon, "everything is on record", func() error {
		var out struct {
			Server struct {
				Logs struct {
					Edges []struct{ Node struct{ Text string } }
				}
			}
			AuditLogs struct {
				Edges []struct {
					Node struct {
						Action    string
						ActorName string
						Details   map[string]any
					}
				}
			}
		}
		w.admin.Run(`query($id: ID!) { server(id: $id) { logs(last: 100, streams: [SYSTEM]) { edges { node { text } } } }
			auditLogs(first: 100, where: {actionHasPrefix: "sftp."}) { edges { node { action actorName details } } } }`, vars{"id": id}, &out)
		seen := map[string]bool{}
		for _, e := range out.AuditLogs.Edges {
			if e.Node.ActorName == "admin" {
				seen[e.Node.Action] = true
			}
			if strings.Contains(fmt.Sprint(e.Node.Details), "/maps/three.bin") {
				seen["rename"] = true
			}
		}
		for _, e := range out.Server.Logs.Edges {
			if strings.Contains(e.Node.Text, "SFTP, admin: wrote") {
				seen["line"] = true
			}
		}
		for _, want := range []string{"sftp.login", "sftp.open", "sftp.close", "sftp.change", "rename", "line"} {
			if !seen[want] {
				return fmt.Errorf("%s is missing in %v", want, seen)
			}
		}
		return nil
	})
}

// withPassword runs OpenSSH's sftp with a password instead of a key.
func (c *sshClient) withPassword(user, password string, commands ...string) (string, error) {
	c.t.Helper()
	ask := c.local("ask", fmt.Appendf(nil, "#!/bin/sh\necho '%s'\n", password))
	if err := os.Chmod(ask, 0o700); err != nil {
		c.t.Fatal(err)
	}
	c.local("commands", []byte(strings.Join(commands, "\n")+"\n"))
	return c.try("", "env", "SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force", "sftp", "-F", "/dev/null", "-o", "StrictHostKeyChecking=accept-new",
		"-o", "UserKnownHostsFile="+filepath.Join(c.dir, "known_hosts"), "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
		"-o", "BatchMode=no", "-P", c.port, "-b", "commands", user+"@"+c.host)
}

// TestSFTPAccess comes in by every kind of credential, and does what the user may and nothing else.
func TestSFTPAccess(t *testing.T) {
	t.Parallel()
	w := separate(t, withSFTP(t))
	id, other := w.create("files", w.demo()), w.create("others", w.demo())
	bob := w.panel.Register("bob")
	grant := func(permissions ...string) {
		w.admin.Run(`mutation($s: ID!, $u: ID!, $p: [String!]!) { grantServerAccess(input: {serverId: $s, userId: $u, permissions: $p}) { serverAccess { id } } }`,
			vars{"s": id, "u": bob.UserID, "p": permissions}, nil)
	}
	revoke := func() {
		w.admin.Run(`mutation($s: ID!, $u: ID!) { revokeServerAccess(input: {serverId: $s, userId: $u}) { deletedId } }`, vars{"s": id, "u": bob.UserID}, nil)
	}
	c := w.sftp(t, bob, "bob", id)
	c.local("file", []byte("content"))
	if out, err := c.batch("ls"); err == nil {
		t.Errorf("a stranger was let in: %s", out)
	}
	grant("file.read")
	if out, err := c.batch("ls", "put file"); err == nil || !strings.Contains(out, "ermission denied") {
		t.Errorf("who may only read has written: %v %s", err, out)
	}
	revoke()
	grant("file.read", "file.write")
	c.must("put file")
	if out, err := c.batch("rm file"); err == nil {
		t.Errorf("who may not delete has deleted: %s", out)
	}

	var token struct {
		CreateSftpToken struct {
			Host, Username, Password string
			Port                     int
		}
	}
	bob.Run(`mutation($id: ID!) { createSftpToken(input: {serverId: $id}) { host port username password } }`, vars{"id": id}, &token)
	var key struct{ CreateAPIKey struct{ Key string } }
	bob.Run(`mutation { createApiKey(input: {name: "deploy", permissions: ["server.read", "file.read"]}) { key } }`, nil, &key)
	tests := []struct {
		name, user, password string
		commands             string
		in                   bool
	}{
		{"token", token.CreateSftpToken.Username, token.CreateSftpToken.Password, "put file again", true},
		{"token for another server", other, token.CreateSftpToken.Password, "ls", false},
		{"access token", id, bob.Token, "ls", false},
		{"password", "bob." + id, "a-long-password", "ls", true},
		{"password for another server", "bob." + other, "a-long-password", "ls", false},
		{"wrong password", "bob." + id, "another-password", "ls", false},
		{"nobody", "nobody." + id, "a-long-password", "ls", false},
		{"API key", "bob." + id, key.CreateAPIKey.Key, "get file x", true},
		{"API key of another", "admin." + id, key.CreateAPIKey.Key, "ls", false},
		{"beyond the API key", "bob." + id, key.CreateAPIKey.Key, "put file x", false},
		{"no server", "bob", "a-long-password", "ls", false},
	}
	for _, tt := range tests {
		out, err := c.withPassword(tt.user, tt.password, tt.commands)
		if (err == nil) != tt.in {
			t.Errorf("%s: %v %s", tt.name, err, out)
		}
	}
	c.revoked(revoke)
}

// revoked has a session open while its right is taken away.
func (c *sshClient) revoked(revoke func()) {
	t := c.t
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	c.local("large", noise(4<<20))
	c.must("put large")
	// At this speed, in kbit/s, the file takes half a minute.
	cmd := exec.CommandContext(ctx, "sftp", append(c.options(), "-l", "1000", "-P", c.port, c.at+"@"+c.host+":large", "received")...)
	cmd.Dir = c.dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, soon, "the file comes", func() error {
		info, err := os.Stat(filepath.Join(c.dir, "received"))
		if err == nil && info.Size() == 0 {
			err = errors.New("it is empty")
		}
		return err
	})
	begun := time.Now()
	revoke()
	_ = cmd.Wait() // it says that the connection was closed
	if took := time.Since(begun); took > time.Second || ctx.Err() != nil {
		t.Errorf("the session went on for %v", took)
	}
}
