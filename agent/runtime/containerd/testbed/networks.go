package testbed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/catalyst-panel/catalyst/agent/network"
)

// networks are those of this test process, with a bridge and subnets that no other has.
var networks = sync.OnceValues(func() (*network.Networks, error) {
	config, err := NetworkConfig()
	if err != nil {
		return nil, err
	}
	return network.New(context.Background(), config) //nolint:forbidigo // they outlive every test
})

// Networks returns the networks of this test process. A test is skipped where they cannot be had.
func Networks(t testing.TB) *network.Networks {
	t.Helper()
	need(t)
	NeedPlugins(t)
	n, err := networks()
	if err != nil {
		t.Fatalf("prepare networks: %v", err)
	}
	return n
}

// NeedPlugins skips a test where the CNI plugins are not installed.
func NeedPlugins(t testing.TB) {
	t.Helper()
	if missing := network.MissingPlugins(network.PluginDirs()); len(missing) > 0 {
		Missing(t, "the CNI plugins %v are not installed", missing)
	}
}

// removeNetworks removes a bridge, the rules of its name, and a directory.
const removeNetworks = `sleep 2
ip link delete "$1" 2>/dev/null
for command in iptables ip6tables; do
	for where in "filter INPUT IN -i $1" "filter FORWARD FW" "nat POSTROUTING NAT"; do
		set -- "$1" "$2" $where
		chain="CATALYST-$5-$1"
		$command -w 5 -t "$3" -D "$4" ${6+"$6" "$7"} -j "$chain" 2>/dev/null
		$command -w 5 -t "$3" -F "$chain" 2>/dev/null
		$command -w 5 -t "$3" -X "$chain" 2>/dev/null
	done
done
rm -rf "$2"`

// DefaultNetworks has the networks that an agent makes by itself removed when this process ends, unless the machine has
// them already.
func DefaultNetworks(t testing.TB) {
	t.Helper()
	need(t)
	NeedPlugins(t)
	defaults.Do(func() {
		const bridge, state = "catalyst0", "/run/catalyst"
		if _, err := net.InterfaceByName(bridge); err == nil {
			return // an agent of this machine has it
		}
		if err := guard(removeNetworks, bridge, state); err != nil {
			t.Fatal(err)
		}
	})
}

var defaults sync.Once

// NetworkConfig describes networks that nobody else uses, and has them removed when this process ends.
func NetworkConfig() (network.Config, error) {
	bridge := fmt.Sprintf("ct%08x", rand.Uint32()) //nolint:gosec // a name, no secret
	dir, err := os.MkdirTemp("", "catalyst-net")
	if err != nil {
		return network.Config{}, fmt.Errorf("make the networks' directory: %w", err)
	}
	if err := guard(removeNetworks, bridge, dir); err != nil {
		return network.Config{}, err
	}
	a, b := 64+rand.IntN(100), rand.IntN(256) //nolint:gosec // numbers, no secrets
	return network.Config{
		Bridge: bridge, StateDir: filepath.Join(dir, "state"), ConfDir: filepath.Join(dir, "conf"),
		Subnet4: fmt.Sprintf("10.%d.%d.0/24", a, b), Subnet6: fmt.Sprintf("fd00:ca7a:%x:%x::/64", a, b),
	}, nil
}
