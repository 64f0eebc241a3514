package containerd_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime/containerd/testbed"
	"github.com/catalyst-panel/catalyst/agent/runtime/runtimetest"
)

// toolbox is an image with a shell, pushed once.
func toolbox(t *testing.T) string {
	t.Helper()
	toolboxOnce.Do(func() {
		toolboxRef = testbed.Push(t, "toolbox", testbed.NewLayer().Busybox(t), v1.Config{
			Env: []string{"PATH=/bin", "FROM_IMAGE=yes"}, User: "0:0", Labels: map[string]string{"containerd.io/restart.status": "running"},
		})
	})
	if toolboxRef == "" {
		testbed.Missing(t, "there is no image with a shell")
	}
	return toolboxRef
}

var (
	toolboxOnce sync.Once
	toolboxRef  string
)

// shell is a line for the toolbox.
func shell(t *testing.T, line string) *protocol.ServerSpec {
	t.Helper()
	spec := runtimetest.Shell(line)
	spec.Image = toolbox(t)
	return spec
}

// said runs a line to its end and returns what it printed, by keys of "key=value".
func said(b *runtimetest.Bench, spec *protocol.ServerSpec) map[string]string {
	b.Helper()
	b.Exit(b.Start(spec))
	out := map[string]string{}
	for _, text := range b.Texts() {
		if key, value, ok := strings.Cut(strings.TrimPrefix(text, "STDOUT "), "="); ok {
			out[key] = value
		}
	}
	return out
}

// TestIsolation looks around from inside of a container.
func TestIsolation(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	spec := shell(t, `echo uid=$(id -u); echo gid=$(id -g); echo name=$(id -un); echo pwd=$PWD
echo caps=$(grep CapBnd /proc/self/status | cut -f2); echo nnp=$(grep NoNewPrivs /proc/self/status | cut -f2)
echo seccomp=$(grep Seccomp: /proc/self/status | cut -f2); echo root=$(touch /rootfile 2>&1)
echo tmp=$(touch /tmp/x && echo ok); echo mine=$(touch mine && echo ok); echo kcore=$(head -c 1 /proc/kcore | wc -c)
echo procs=$(ls -d /proc/[0-9]* | wc -l); echo files=$(ulimit -n); echo from=$FROM_IMAGE; echo greeting="$GREETING"
echo devices=$(ls /dev | grep -c -E '^(sd|vd|loop|mem|kmsg)'); echo mounts=$(grep -c /var/lib /proc/mounts); echo host=$(hostname)
echo own=$(cat /proc/1/environ | tr '\0' '\n' | grep -c CATALYST)`)
	spec.Environment = map[string]string{"GREETING": `'"; $(touch /tmp/pwned) ` + "`id`"}
	got := said(b, spec)
	uid, err := strconv.Atoi(got["uid"])
	if err != nil || uid < 1_900_000_000 {
		t.Errorf("uid = %q", got["uid"])
	}
	for key, want := range map[string]string{
		"gid": got["uid"], "name": "container", "pwd": "/home/container", "caps": "0000000000000000", "nnp": "1", "seccomp": "2",
		"tmp": "ok", "mine": "ok", "kcore": "0", "from": "yes", "greeting": spec.Environment["GREETING"], "devices": "0", "own": "0",
		"root": "touch: /rootfile: Read-only file system", "host": strings.ReplaceAll(b.Dir.ServerID, "_", "-"),
	} {
		if got[key] != want {
			t.Errorf("%s = %q, want %q", key, got[key], want)
		}
	}
	if n, err := strconv.Atoi(got["procs"]); err != nil || n > 6 {
		t.Errorf("the container sees %q processes", got["procs"])
	}
	info, err := os.Stat(filepath.Join(b.Dir.Path, "files", "mine"))
	if err != nil {
		t.Fatal(err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != uid {
		t.Errorf("the file belongs to %+v, want %d", info.Sys(), uid)
	}
	other := runtimetest.NewBench(t, b.Machine)
	if again := said(other, shell(t, "echo uid=$(id -u); echo theirs=$(ls "+b.Dir.Path+" 2>&1)")); again["uid"] == got["uid"] ||
		!strings.Contains(again["theirs"], "No such file") {
		t.Errorf("another server is user %s and sees %q", again["uid"], again["theirs"])
	}
}

// TestNetworkIsClosed tries from a container what it must not reach, and what it may.
func TestNetworkIsClosed(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := runtimetest.NewBench(t, machine(t))
	neighbour := runtimetest.NewBench(t, b.Machine)
	spec := shell(t, `echo addr=$(ip -4 -o addr show eth0 | sed 's/.*inet \([0-9.]*\).*/\1/'); nc -l -p 9999 -e echo hello; sleep 60`)
	inst := neighbour.Start(spec)
	defer inst.Detach()
	address := ""
	for _, text := range await(neighbour, "STDOUT addr=") {
		if a, ok := strings.CutPrefix(text, "STDOUT addr="); ok {
			address = a
		}
	}
	got := said(b, shell(t, fmt.Sprintf(`try() { nc -w 2 "$1" "$2" </dev/null >/dev/null 2>&1 && echo open || echo closed; }
gateway=$(ip route | sed -n 's/default via \([0-9.]*\).*/\1/p'); echo gateway=$gateway
echo loopback=$(try 127.0.0.1 %[1]s); echo node=$(try $gateway %[1]s); echo metadata=$(ip route get 169.254.169.254 >/dev/null && try 169.254.169.254 80)
echo neighbour=$(try %[2]s 9999); echo socket=$(ls /run/containerd 2>&1)`, port, address)))
	if got["gateway"] == "" || address == "" {
		t.Fatalf("there is no network: %v, %q", got, address)
	}
	for _, target := range []string{"loopback", "node", "metadata", "neighbour"} {
		if got[target] != "closed" {
			t.Errorf("%s is %q", target, got[target])
		}
	}
	if !strings.Contains(got["socket"], "No such file") {
		t.Errorf("the container sees %q", got["socket"])
	}
}

// await returns the console once it has a line with the prefix.
func await(b *runtimetest.Bench, prefix string) []string {
	b.Helper()
	poll, limit := time.NewTicker(20*time.Millisecond), time.NewTimer(20*time.Second)
	defer poll.Stop()
	defer limit.Stop()
	for {
		texts := b.Texts()
		for _, text := range texts {
			if strings.HasPrefix(text, prefix) {
				return texts
			}
		}
		select {
		case <-poll.C:
		case <-limit.C:
			b.Fatalf("no line %q in %q", prefix, texts)
		}
	}
}

// TestPortsAreMapped reaches a server through its allocation, and finds the port refused while another program has it.
func TestPortsAreMapped(t *testing.T) {
	t.Parallel()
	b := runtimetest.NewBench(t, machine(t))
	port := testbed.Port(t)
	taken, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	spec := shell(t, fmt.Sprintf("echo up; while true; do nc -l -p %d -e echo hello; done", port))
	spec.ReadyPatterns = []string{"up"}
	spec.Ports = []*protocol.Port{{Ip: "127.0.0.1", Port: int32(port), Primary: true}}
	if _, err := b.TryStart(spec); err == nil || !strings.Contains(err.Error(), "Another program of the node listens on") {
		t.Errorf("start with a port that is taken: %v", err)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	spec.Ports[0].Ip = "192.0.2.77"
	if _, err := b.TryStart(spec); err == nil || !strings.Contains(err.Error(), "does not have the address 192.0.2.77") {
		t.Errorf("start with an address that the node does not have: %v", err)
	}
	spec.Ports[0].Ip = "127.0.0.1"
	inst := b.Start(spec)
	b.Ready(inst)
	deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var answer [5]byte
	for string(answer[:]) != "hello" {
		conn, err := new(net.Dialer).DialContext(deadline, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatalf("connect through the mapped port: %v", err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = conn.Read(answer[:])
		_ = conn.Close()
	}
	s, err := inst.Stats(t.Context())
	if err != nil || s.NetworkRxBytes == 0 || s.NetworkTxBytes == 0 {
		t.Errorf("sample = %+v, %v", s, err)
	}
}
