package containerd_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
)

// installer is a server whose script runs in the toolbox.
func installer(t *testing.T, script string) *protocol.ServerSpec {
	t.Helper()
	return &protocol.ServerSpec{
		Image: toolbox(t), Shell: "cat made; id -u", Environment: map[string]string{"VERSION": "1.2", "TOKEN": "s3cret-token"},
		Limits: &protocol.Limits{Memory: 64 << 20}, Secrets: []string{"s3cret-token"}, NetworkMode: "HOST",
		Install: &protocol.InstallSpec{Image: toolbox(t), Entrypoint: "sh", Script: script},
	}
}

// texts are the console's lines as one text.
func texts(b *runtimetest.Bench) string { return strings.Join(b.Texts(), "\n") }

// TestInstall makes files as root of a container that is thrown away; they are the server's afterwards.
func TestInstall(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	spec := installer(t, `set -e
echo "version $VERSION with $TOKEN in $PWD as $(id -u)"
echo content > made; mkdir -p sub/dir; echo x > sub/dir/x; chmod 4755 made; ln -s /etc/passwd link
touch /somewhere /etc/passwd /usr/more 2>&1 || mkdir /usr && touch /usr/more
echo "caps $(grep CapEff /proc/self/status | cut -f2)"; exit 0
`)
	exit := b.Exit(b.Install(spec))
	if exit.Code != 0 {
		t.Fatalf("the script ended with %+v:\n%s", exit, texts(b))
	}
	log := texts(b)
	if !strings.Contains(log, "STDOUT version 1.2 with ******** in /mnt/server as 0") || strings.Contains(log, "s3cret") {
		t.Errorf("the log is\n%s", log)
	}
	if !strings.Contains(log, "caps 00000000000000fb") {
		t.Errorf("the script has other capabilities:\n%s", log)
	}
	owner := -1
	for _, name := range []string{"made", "sub", "sub/dir", "sub/dir/x", "link"} {
		info, err := os.Lstat(filepath.Join(b.Dir.Path, "files", name))
		if err != nil {
			t.Fatal(err)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Uid < 1_900_000_000 || owner >= 0 && owner != int(st.Uid) || info.Mode()&os.ModeSetuid != 0 {
			t.Errorf("%s is %v and belongs to %d", name, info.Mode(), st.Uid)
		}
		owner = int(st.Uid)
	}
	spec.NetworkMode = ""
	b.Exit(b.Start(spec))
	if log := texts(b); !strings.Contains(log, "STDOUT content") || !strings.Contains(log, "STDOUT "+strconv.Itoa(owner)) {
		t.Errorf("the server says\n%s", log)
	}
}

// TestInstallFails tells how the script ended, and hands over what it has made all the same.
func TestInstallFails(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	exit := b.Exit(b.Install(installer(t, "echo half > made; echo cannot go on >&2; exit 3")))
	if exit.Code != 3 || len(exit.LastLines) == 0 || exit.LastLines[len(exit.LastLines)-1] != "cannot go on" {
		t.Errorf("the script ended with %+v", exit)
	}
}

// TestInstallIsAdopted by the next agent, running or ended.
func TestInstallIsAdopted(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	b.Install(installer(t, "while [ ! -e go ]; do sleep 0.1; done; echo done > made")).Detach()
	inst := b.Adopt()
	if inst == nil || inst.Run() != 0 {
		t.Fatalf("adopted %v", inst)
	}
	if err := os.WriteFile(filepath.Join(b.Dir.Path, "files", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if exit := b.Exit(inst); exit.Code != 0 {
		t.Errorf("the script ended with %+v", exit)
	}
	info, err := os.Stat(filepath.Join(b.Dir.Path, "files", "made"))
	if err != nil {
		t.Fatal(err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid < 1_900_000_000 {
		t.Errorf("what was made belongs to %d", st.Uid)
	}
}

// TestC2 tries from an installer what it must not reach.
func TestC2(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := runtimetest.NewBench(t, machine(t))
	b.Exit(b.Install(installer(t, `
gw=$(ip route | sed -n 's/default via \([0-9.]*\).*/\1/p')
for at in 127.0.0.1 $gw 169.254.169.254; do nc -w 2 $at `+port+` </dev/null >/dev/null 2>&1 && echo "reached $at"; done
ls /run/containerd 2>/dev/null; ls `+b.Dir.Path+` 2>/dev/null
mknod /dev/mine b 7 0 2>/dev/null && echo "made a device"
mount -t tmpfs none /mnt 2>/dev/null && echo "mounted"
i=0; while [ $i -lt 1100 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null; echo "started them all"
`)))
	log := texts(b)
	for _, bad := range []string{"reached", "containerd.sock", "started them all", "made a device", "mounted", b.Dir.Path} {
		if strings.Contains(log, bad) {
			t.Errorf("the installer %s:\n%s", bad, log)
		}
	}
}
