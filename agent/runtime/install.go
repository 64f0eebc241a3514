package runtime

import (
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// InstallRun is the number of the run that installs a server; programs are numbered from 1.
const InstallRun = 0

// ScriptPath is where an installer finds its script.
const ScriptPath = "/mnt/install/install.sh"

// Limits of an installer: at least what downloads and package managers need, and never without a bound.
const (
	installMemory, installMemoryMost = 1 << 30, 4 << 30
	installCPU, installCPUMost       = 100, 400
	installPids                      = 1024
)

// defaultEntrypoint runs scripts of templates that name nothing else.
const defaultEntrypoint = "/bin/sh"

// Installer returns the program that installs a server, as what a runtime starts: the script in its own image, with the
// server's variables, and never on the node's own network or a server's ports.
func Installer(server *protocol.ServerSpec) *protocol.ServerSpec {
	install := server.GetInstall()
	spec := proto.CloneOf(server)
	spec.Image, spec.Shell, spec.Argv = install.GetImage(), "", []string{install.GetEntrypoint(), ScriptPath}
	if install.GetEntrypoint() == "" {
		spec.Argv[0] = defaultEntrypoint
	}
	spec.NetworkMode, spec.Network, spec.Ports = string(kind.NetworkModeBridge), "", nil
	spec.ReadyPatterns, spec.StartTimeoutMs, spec.Tty = nil, 0, false
	spec.Limits = &protocol.Limits{
		Memory: bounded(server.GetLimits().GetMemory(), installMemory, installMemoryMost), Disk: server.GetLimits().GetDisk(),
		Cpu: bounded(server.GetLimits().GetCpu(), installCPU, installCPUMost), Pids: installPids,
	}
	return spec
}

// bounded is a server's limit, or the least that an installer needs; 0, which is unlimited, becomes most.
func bounded[T int32 | int64](limit, least, most T) T {
	if limit == 0 {
		return most
	}
	return max(limit, least)
}
