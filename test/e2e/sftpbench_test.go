package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// benchSize is what is sent and fetched, benchCipher what everybody uses for it.
const (
	benchSize   = 512 << 20
	benchCipher = "aes128-gcm@openssh.com"
)

// BenchmarkSFTP sends and fetches a file with OpenSSH's client: through panel, link and agent, and beside it from OpenSSH's own
// server on the same machine.
func BenchmarkSFTP(b *testing.B) {
	w := separate(b, withSFTP(b), "CATALYST_LOG_LEVEL=warn")
	id := w.create("files", w.demo())
	w.admin.Run(`mutation($id: ID!) { updateServer(input: {id: $id, disk: 4294967296}) { server { id } } }`, vars{"id": id}, nil)
	c := w.sftp(b, w.admin, "admin", id)
	c.extra = []string{"-o", "Ciphers=" + benchCipher}
	content := noise(8 << 20)
	c.local("large", bytes.Repeat(content, benchSize/len(content)))
	yardstick := openSSHServer(b, c)
	for _, run := range []struct {
		name string
		to   *sshClient
	}{{"catalyst", c}, {"openssh", yardstick}} {
		for name, command := range map[string]string{"up": "put large", "down": "get large fetched"} {
			run.to.t = b
			run.to.must("put large")
			b.Run(run.name+"/"+name, func(b *testing.B) {
				b.SetBytes(benchSize)
				for b.Loop() {
					run.to.t = b
					run.to.must(command)
				}
			})
		}
	}
}

// openSSHServer starts OpenSSH's server, whose files are a directory of the test.
func openSSHServer(b *testing.B, like *sshClient) *sshClient {
	b.Helper()
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		b.Skip("sshd is not installed: there is nothing to compare with")
	}
	dir := b.TempDir()
	like.run("", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "host"))
	host, port, err := net.SplitHostPort(harness.FreeAddr(b))
	if err != nil {
		b.Fatal(err)
	}
	public, err := os.ReadFile(like.key() + ".pub")
	if err != nil {
		b.Fatal(err)
	}
	config := fmt.Sprintf("ListenAddress %s\nPort %s\nHostKey %s/host\nAuthorizedKeysFile %s/keys\nStrictModes no\nUsePAM no\nPidFile none\nSubsystem sftp /usr/lib/openssh/sftp-server -d %s\n",
		host, port, dir, dir, dir)
	for name, text := range map[string][]byte{"config": []byte(config), "keys": public} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", filepath.Join(dir, "config"))
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	c := *like
	c.host, c.port, c.at = host, port, strings.TrimSpace(like.run("", "id", "-un"))
	harness.Eventually(b, 10*time.Second, "OpenSSH's server answers", func() error {
		_, err := c.batch("pwd")
		return err
	})
	return &c
}
