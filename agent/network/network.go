package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// interfaceName is the name of a container's network interface.
const interfaceName = "eth0"

// Defaults of a node.
const (
	DefaultBridge  = "catalyst0"
	DefaultSubnet4 = "10.213.0.0/16"
	DefaultSubnet6 = "fd00:ca7a:1757::/64"
	defaultConfDir = "/etc/cni/net.d"
	defaultState   = "/run/catalyst"
)

// Config is what Networks needs; everything has a default.
type Config struct {
	// Bridge names the default network and its bridge: at most 15 characters.
	Bridge string
	// Subnet4 and Subnet6 are the default network's.
	Subnet4, Subnet6 string
	// PluginDirs hold the CNI plugins, ConfDir the administrator's networks.
	PluginDirs []string
	ConfDir    string
	// StateDir holds what is given out. It must not survive a restart of the machine, which takes all networks with it.
	StateDir string
}

// PluginDirs are where distributions, and CNI's own releases, have the plugins.
func PluginDirs() []string { return []string{"/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"} }

// Plugins are those that the default network needs.
func Plugins() []string { return []string{"bridge", "host-local", "portmap"} }

// Networks are a node's networks.
type Networks struct {
	config Config
	cni    *libcni.CNIConfig
	list   *libcni.NetworkConfigList
	ipv6   bool

	mu      sync.Mutex // guards the node's rules
	guarded time.Time  // when they were last put in order
}

// Port is an address of the node that leads to the same port of a container.
type Port struct {
	Address string
	Port    int
}

// New prepares the default network. The error says what the machine lacks.
func New(ctx context.Context, cfg Config) (*Networks, error) {
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&cfg.Bridge, DefaultBridge)
	fill(&cfg.Subnet4, DefaultSubnet4)
	fill(&cfg.Subnet6, DefaultSubnet6)
	fill(&cfg.ConfDir, defaultConfDir)
	fill(&cfg.StateDir, defaultState)
	if cfg.PluginDirs == nil {
		cfg.PluginDirs = PluginDirs()
	}
	if missing := MissingPlugins(cfg.PluginDirs); len(missing) > 0 {
		return nil, fmt.Errorf("the CNI plugins %s are not installed: on Debian and Ubuntu, install containernetworking-plugins", strings.Join(missing, ", "))
	}
	if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the networks' directory: %w", err)
	}
	// Without one of its own, the library makes it at the first use, which several servers may be at once.
	plugins := &invoke.DefaultExec{RawExec: &invoke.RawExec{Stderr: os.Stderr}}
	n := &Networks{config: cfg, cni: libcni.NewCNIConfigWithCacheDir(cfg.PluginDirs, filepath.Join(cfg.StateDir, "cni"), plugins)}
	n.ipv6 = canIPv6(ctx)
	var err error
	if n.list, err = n.bridge(); err != nil {
		return nil, err
	}
	return n, n.guard(ctx)
}

// MissingPlugins names the plugins that are in none of the directories.
func MissingPlugins(dirs []string) []string {
	var missing []string
	for _, plugin := range Plugins() {
		found := false
		for _, dir := range dirs {
			_, err := os.Stat(filepath.Join(dir, plugin))
			found = found || err == nil
		}
		if !found {
			missing = append(missing, plugin)
		}
	}
	return missing
}

// bridge is the default network's CNI list.
func (n *Networks) bridge() (*libcni.NetworkConfigList, error) {
	type object = map[string]any
	ranges := [][]object{{{"subnet": n.config.Subnet4}}}
	routes := []object{{"dst": "0.0.0.0/0"}}
	if n.ipv6 {
		ranges = append(ranges, []object{{"subnet": n.config.Subnet6}})
		routes = append(routes, object{"dst": "::/0"})
	}
	list, err := json.Marshal(object{
		"cniVersion": "1.0.0",
		"name":       n.config.Bridge,
		"plugins": []object{{
			"type": "bridge", "bridge": n.config.Bridge, "isGateway": true, "hairpinMode": true,
			"ipam": object{"type": "host-local", "dataDir": n.leaseDir(), "ranges": ranges, "routes": routes},
		}, {
			"type": "portmap", "snat": true, "capabilities": object{"portMappings": true},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("describe the default network: %w", err)
	}
	parsed, err := libcni.ConfListFromBytes(list)
	if err != nil {
		return nil, fmt.Errorf("describe the default network: %w", err)
	}
	return parsed, nil
}

// Gateway is the node's address in the default network.
func (n *Networks) Gateway() string {
	subnet, err := netip.ParsePrefix(n.config.Subnet4)
	if err != nil {
		return ""
	}
	return subnet.Masked().Addr().Next().String()
}

func (n *Networks) leaseDir() string { return filepath.Join(n.config.StateDir, "leases") }

// Attach connects the network namespace of a container and maps its ports. name is an administrator's network, or empty
// for the default one. After an error, Detach is due.
func (n *Networks) Attach(ctx context.Context, id, netns, name string, ports []Port) error {
	list := n.list
	if name != "" {
		var err error
		if list, err = libcni.LoadNetworkConf(n.config.ConfDir, name); err != nil {
			return fault.New(fault.BadUserInput, "The node has no network %q: its administrator has to place one, or the server needs another.", name).Wrap(err)
		}
	}
	mappings, err := n.mappings(ctx, ports)
	if err != nil {
		return err
	}
	if err := n.guard(ctx); err != nil {
		return err
	}
	result, err := n.cni.AddNetworkList(ctx, list, &libcni.RuntimeConf{
		ContainerID: id, NetNS: netns, IfName: interfaceName, CapabilityArgs: map[string]any{"portMappings": mappings},
	})
	if err != nil {
		return fmt.Errorf("connect the container to its network: %w", err)
	}
	if name != "" {
		return nil
	}
	connected, err := types100.GetResult(result)
	if err != nil {
		return fmt.Errorf("connect the container to its network: %w", err)
	}
	return isolate(connected)
}

// isolate keeps a container's end of the bridge from reaching the others' ends.
func isolate(connected *types100.Result) error {
	for _, i := range connected.Interfaces {
		file := filepath.Join("/sys/class/net", i.Name, "brport", "isolated")
		if i.Sandbox != "" {
			continue
		}
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			continue // the bridge itself
		}
		if err := os.WriteFile(file, []byte("1"), 0o600); err != nil {
			return fmt.Errorf("keep the container from others: %w", err)
		}
	}
	return nil
}

// mapping is one entry for the portmap plugin.
type mapping struct {
	HostPort      int    `json:"hostPort"`
	ContainerPort int    `json:"containerPort"`
	Protocol      string `json:"protocol"`
	HostIP        string `json:"hostIP,omitempty"`
}

// mappings checks the ports and translates them.
func (n *Networks) mappings(ctx context.Context, ports []Port) ([]mapping, error) {
	var out []mapping
	for _, p := range ports {
		addr, err := netip.ParseAddr(p.Address)
		if err != nil || p.Port < 1 || p.Port > 65535 {
			return nil, fault.New(fault.BadUserInput, "The allocation %s port %d is not valid.", p.Address, p.Port)
		}
		addr = addr.Unmap()
		if addr.Is6() && !n.ipv6 {
			return nil, fault.New(fault.Conflict, "The node has no IPv6 for containers: give the server an IPv4 allocation instead of %s.", addr)
		}
		if err := free(ctx, addr, p.Port); err != nil {
			return nil, err
		}
		host := addr.String()
		if addr.IsUnspecified() {
			host = ""
		}
		for _, protocol := range []string{"tcp", "udp"} {
			out = append(out, mapping{HostPort: p.Port, ContainerPort: p.Port, Protocol: protocol, HostIP: host})
		}
	}
	return out, nil
}

// Detach disconnects a container, whose namespace may be gone, and releases what it had.
func (n *Networks) Detach(ctx context.Context, id string) error {
	attachments, err := n.cni.GetCachedAttachments(id)
	if err != nil {
		return fmt.Errorf("find the container's networks: %w", err)
	}
	var errs []error
	own := false
	for _, a := range attachments {
		own = own || a.Network == n.config.Bridge
		list, err := libcni.NetworkConfFromBytes(a.Config)
		if err == nil {
			err = n.cni.DelNetworkList(ctx, list, &libcni.RuntimeConf{
				ContainerID: id, NetNS: present(a.NetNS), IfName: a.IfName, CapabilityArgs: a.CapabilityArgs,
			})
		}
		errs = append(errs, err)
	}
	if !own && n.leased(id) {
		// A kill came between the lease of its address and the record of it.
		errs = append(errs, n.cni.DelNetworkList(ctx, n.list, &libcni.RuntimeConf{
			ContainerID: id, IfName: interfaceName, CapabilityArgs: map[string]any{"portMappings": []mapping{}},
		}))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("disconnect the container from its network: %w", err)
	}
	return nil
}

// present is a namespace's path, or empty when it is gone.
func present(netns string) string {
	if _, err := os.Stat(netns); err != nil {
		return ""
	}
	return netns
}

// Attached names the containers that have something of a network.
func (n *Networks) Attached() ([]string, error) {
	seen := map[string]bool{}
	var ids []string
	add := func(id string) {
		if id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	attachments, err := n.cni.GetCachedAttachments("")
	if err != nil {
		return nil, fmt.Errorf("list connected containers: %w", err)
	}
	for _, a := range attachments {
		add(a.ContainerID)
	}
	for _, id := range n.leases() {
		add(id)
	}
	return ids, nil
}

func (n *Networks) leased(id string) bool {
	return slices.Contains(n.leases(), id)
}

// leases names the containers that addresses of the default network are leased to.
func (n *Networks) leases() []string {
	files, err := filepath.Glob(filepath.Join(n.leaseDir(), n.config.Bridge, "*[.:]*"))
	if err != nil {
		return nil
	}
	var ids []string
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && !strings.HasPrefix(filepath.Base(file), "last_reserved_ip") {
			id, _, _ := strings.Cut(string(b), "\n")
			ids = append(ids, strings.TrimSpace(id))
		}
	}
	return ids
}
