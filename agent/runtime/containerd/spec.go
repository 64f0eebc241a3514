package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/pkg/oci"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/catalyst-panel/catalyst/agent/holder/attach"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// home is where a container has the server's files.
	home = "/home/container"
	// searchPath is where programs are looked for when the image does not say; Debian has its games in a directory of
	// their own.
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/games:/usr/games"
	// openFiles is the limit of open files, unless the machine's own is lower.
	openFiles = 1 << 16
	// oomScore makes the kernel choose a server before the agent, its holders and containerd.
	oomScore = 500
)

// plan is everything about a container that is settled before it is made.
type plan struct {
	spec   runtime.Spec
	id     string
	run    string
	image  client.Image
	config ocispec.ImageConfig
	uid    int
	// mountAt is where the files are, more are other mounts.
	mountAt string
	more    []specs.Mount
}

// imageConfig reads what an image says about its programs.
func imageConfig(ctx context.Context, img client.Image) (ocispec.ImageConfig, error) {
	desc, err := img.Config(ctx)
	if err != nil {
		return ocispec.ImageConfig{}, fmt.Errorf("find image configuration: %w", err)
	}
	b, err := content.ReadBlob(ctx, img.ContentStore(), desc)
	if err != nil {
		return ocispec.ImageConfig{}, fmt.Errorf("read image configuration: %w", err)
	}
	var config ocispec.Image
	if err := json.Unmarshal(b, &config); err != nil {
		return ocispec.ImageConfig{}, fmt.Errorf("read image configuration: %w", err)
	}
	return config.Config, checkUser(config.Config.User)
}

// checkUser refuses an image whose user is a number that does not fit: it would be somebody else, or root. Apart from
// that an image's user does not matter, since a server has its own.
func checkUser(user string) error {
	for part := range strings.SplitSeq(user, ":") {
		digits := part != "" && strings.Trim(part, "0123456789") == ""
		if n, err := strconv.ParseInt(part, 10, 64); digits && (err != nil || n > 1<<31-1) {
			return fault.New(fault.BadUserInput, "The image's user is not a valid number: choose another image.")
		}
	}
	return nil
}

// arguments returns the program and its arguments: the server's, or those of the image.
func (p *plan) arguments() ([]string, error) {
	server := p.spec.Server
	own := slices.Concat(p.config.Entrypoint, p.config.Cmd)
	switch {
	case p.entrypoint() && len(own) > 0:
		return own, nil
	case server.GetShell() != "":
		return []string{"/bin/sh", "-c", server.GetShell()}, nil
	case len(server.GetArgv()) > 0:
		return server.GetArgv(), nil
	}
	if len(own) == 0 {
		return nil, fault.New(fault.BadUserInput, "The server has no startup command, and its image has none either.")
	}
	return own, nil
}

// entrypoint reports whether the image's own entrypoint runs the shell line.
func (p *plan) entrypoint() bool {
	return p.spec.Server.GetImageEntrypoint() && p.spec.Server.GetShell() != "" && !p.installs()
}

// startupFile is where an image's own entrypoint finds the shell line.
const startupFile = "/etc/catalyst/startup"

// startupScript is that file. Lines of other panels' templates are written for bash, which not every image has.
func startupScript(line string) string {
	return `if [ -z "$BASH_VERSION" ] && command -v bash >/dev/null; then exec bash "$0"; fi` + "\n" + line + "\n"
}

// environment returns KEY=value entries: nothing of the agent's own, which may hold secrets.
func (p *plan) environment() []string {
	env := map[string]string{"PATH": searchPath, "LANG": "C.UTF-8"}
	for _, entry := range p.config.Env {
		if key, value, ok := strings.Cut(entry, "="); ok {
			env[key] = value
		}
	}
	maps.Copy(env, p.spec.Server.GetEnvironment())
	env["HOME"], env["PWD"], env["USER"] = p.mountAt, p.mountAt, "container"
	if p.installs() {
		env["HOME"], env["USER"] = "/root", "root"
	} else if p.entrypoint() {
		// Entrypoints evaluate this text, some after splitting it into words and some twice. What is safe from all of that
		// is a command without a value, a quote or an expansion in it.
		env["STARTUP"] = "/bin/sh " + startupFile
	}
	if p.spec.Server.GetTty() {
		env["TERM"] = "xterm-256color"
	}
	entries := make([]string, 0, len(env))
	for _, key := range slices.Sorted(maps.Keys(env)) {
		entries = append(entries, key+"="+env[key])
	}
	return entries
}

// options are the container's OCI specification. Everything that an image could say about its isolation is left out.
func (p *plan) options(args []string) []oci.SpecOpts {
	uid := uint32(p.uid) // it lies between firstUser and lastUser
	files := uint64(openFiles)
	var own syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &own); err == nil {
		files = min(files, own.Max)
	}
	opts := []oci.SpecOpts{
		oci.WithDefaultSpec(),
		oci.WithDefaultUnixDevices,
		oci.WithProcessArgs(args...),
		oci.WithProcessCwd(p.mountAt),
		oci.WithUIDGID(uid, uid),
		oci.WithCapabilities(p.capabilities()),
		oci.WithNoNewPrivileges,
		oci.WithHostname(hostname(p.spec.ServerID)),
		oci.WithCgroup(cgroupPath(p.id)),
		oci.WithRlimit(&specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: files, Hard: files}),
		oci.WithRlimit(&specs.POSIXRlimit{Type: "RLIMIT_CORE"}),
		oci.WithMounts(p.mounts()),
	}
	if p.spec.Server.GetTty() {
		opts = append(opts, oci.WithTTY, oci.WithTTYSize(120, 40))
	}
	if !p.installs() {
		opts = append(opts, oci.WithRootFSReadonly())
	}
	opts = append(opts, p.limit)
	if p.spec.Server.GetNetworkMode() == string(kind.NetworkModeHost) {
		opts = append(opts, oci.WithHostNamespace(specs.NetworkNamespace))
	}
	// Last, since the profile depends on the capabilities.
	return append(opts, seccomp.WithDefaultProfile())
}

// capabilities are none, but for an installer.
func (p *plan) capabilities() []string {
	if p.installs() {
		return installerCapabilities
	}
	return nil
}

// limit sets what has no option of its own.
func (p *plan) limit(_ context.Context, _ oci.Client, _ *containers.Container, s *oci.Spec) error {
	devices := s.Linux.Resources.Devices
	s.Linux.Resources = resources(p.spec.Server.GetLimits())
	s.Linux.Resources.Devices = devices
	s.Process.Env = p.environment()
	score := oomScore
	s.Process.OOMScoreAdj = &score
	if p.spec.Server.GetNetworkMode() != string(kind.NetworkModeHost) {
		// A server is nobody's root, and may listen on the port that it was given all the same.
		s.Linux.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
	}
	s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/proc/interrupts", "/sys/devices/virtual/powercap", "/sys/devices/virtual/dmi")
	return nil
}

// mounts are the server's files, those that programs expect below /etc, and file systems in memory for what is temporary,
// which count as the server's memory.
func (p *plan) mounts() []specs.Mount {
	memory := func(at, size string, more ...string) specs.Mount {
		return specs.Mount{
			Destination: at, Type: "tmpfs", Source: "tmpfs",
			Options: append([]string{"nosuid", "nodev", "mode=1777", "size=" + size}, more...),
		}
	}
	mounts := []specs.Mount{
		{Destination: p.mountAt, Type: "bind", Source: attach.FilesDir(p.spec.Dir), Options: []string{"bind", "rw", "nosuid", "nodev"}},
	}
	if !p.installs() { // which has a whole file system to write to
		mounts = append(mounts, memory("/tmp", "256m"), memory("/var/tmp", "64m"))
	}
	for _, name := range etcFiles {
		if p.installs() && (name == "passwd" || name == "group") {
			continue // package managers write them
		}
		mounts = append(mounts, specs.Mount{
			Destination: path.Join("/etc", name), Type: "bind", Source: filepath.Join(p.run, etcDir, name),
			Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"},
		})
	}
	if p.entrypoint() {
		mounts = append(mounts, specs.Mount{
			Destination: startupFile, Type: "bind", Source: filepath.Join(p.run, etcDir, path.Base(startupFile)),
			Options: []string{"bind", "ro", "nosuid", "nodev"},
		})
	}
	return append(mounts, p.more...)
}

// Gateway is the address under which a server's program reaches the node; empty in a network that is not Catalyst's.
func (r *Runtime) Gateway(server *protocol.ServerSpec) string {
	switch kind.NetworkMode(server.GetNetworkMode()) {
	case kind.NetworkModeHost:
		return "127.0.0.1"
	case kind.NetworkModeCustom:
		return ""
	case kind.NetworkModeBridge:
	}
	return r.config.Networks.Gateway()
}

// hostname is a server's name in its container: short, and no secret.
func hostname(serverID string) string {
	return strings.ReplaceAll(serverID, "_", "-")
}

func cgroupPath(id string) string { return "/" + namespace + "/" + id }

// etcDir is the part of the run directory that holds what a container finds below /etc.
const etcDir = "etc"

var etcFiles = []string{"passwd", "group", "hostname", "hosts", "resolv.conf"}

// writeEtc writes those files.
func (p *plan) writeEtc(resolver string) error {
	dir := filepath.Join(p.run, etcDir)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the container's user reads it
		return fmt.Errorf("make etc directory: %w", err)
	}
	name, id := hostname(p.spec.ServerID), strconv.Itoa(p.uid)
	for file, text := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/bin/sh\n" +
			"container:x:" + id + ":" + id + "::" + p.mountAt + ":/bin/sh\n" +
			"nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
		"group":       "root:x:0:\ncontainer:x:" + id + ":\nnogroup:x:65534:\n",
		"hostname":    name + "\n",
		"hosts":       "127.0.0.1 localhost " + name + "\n::1 localhost ip6-localhost ip6-loopback\n",
		"resolv.conf": resolver,

		path.Base(startupFile): startupScript(p.spec.Server.GetShell()),
	} {
		full := filepath.Join(dir, file)
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil { //nolint:gosec // the container's user reads it
			return fmt.Errorf("write %s: %w", file, err)
		}
		if err := os.Chmod(full, 0o644); err != nil { //nolint:gosec // whatever the umask is
			return fmt.Errorf("write %s: %w", file, err)
		}
	}
	return nil
}
