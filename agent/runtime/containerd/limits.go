package containerd

import (
	"context"
	"fmt"

	"github.com/containerd/containerd/v2/client"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/catalyst-panel/catalyst/agent/cgroup"
	"github.com/catalyst-panel/catalyst/agent/protocol"
)

const (
	// cpuPeriod is the period in microseconds within which a processor quota is counted.
	cpuPeriod = 100_000
	// defaultPids is the limit of processes and threads of a server that has none: without one, a single server could
	// use up the node's.
	defaultPids = 2048
	// unlimited is what the kernel's interfaces call no limit.
	unlimited = -1
	// diskWeight is a server's share of the disk, the least that there is: servers share alike among themselves, and what
	// belongs to the node itself goes before them.
	diskWeight = 10
)

// resources translates a server's limits.
func resources(limits *protocol.Limits) *specs.LinuxResources {
	pids := int64(limits.GetPids())
	if pids <= 0 {
		pids = defaultPids
	}
	res := &specs.LinuxResources{
		Pids: &specs.LinuxPids{Limit: &pids},
		CPU:  cpu(int64(limits.GetCpu())),
	}
	memory, swap := int64(unlimited), int64(unlimited)
	if limit := limits.GetMemory(); limit > 0 {
		// The kernel counts memory and swap together.
		memory, swap = limit, limit+max(0, limits.GetSwap())
	}
	res.Memory = &specs.LinuxMemory{Limit: &memory}
	if cgroup.Can("memory", "memory.memsw.limit_in_bytes") || cgroup.Can("memory", "memory.swap.max") {
		res.Memory.Swap = &swap
	}
	if sharesDisks() {
		res.BlockIO = &specs.LinuxBlockIO{Weight: new(uint16(diskWeight))}
	}
	return res
}

// sharesDisks reports whether the kernel shares disks by weight, which depends on its schedulers.
func sharesDisks() bool {
	for _, file := range []struct{ controller, name string }{
		{"blkio", "blkio.weight"}, {"blkio", "blkio.bfq.weight"}, {"io", "io.weight"}, {"io", "io.bfq.weight"},
	} {
		if cgroup.Can(file.controller, file.name) {
			return true
		}
	}
	return false
}

// cpu limits to percent of one processor.
func cpu(percent int64) *specs.LinuxCPU {
	period, quota := uint64(cpuPeriod), int64(unlimited)
	if percent > 0 {
		quota = max(1000, percent*cpuPeriod/100)
	}
	return &specs.LinuxCPU{Period: &period, Quota: &quota}
}

// Limit changes the limits of the running program.
func (i *instance) Limit(ctx context.Context, limits *protocol.Limits) error {
	if err := i.Alive(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	task, err := i.runtime.task(ctx, i.dir.ServerID)
	if err != nil {
		return err
	}
	if err := task.Update(ctx, client.WithResources(resources(limits))); err != nil {
		return fmt.Errorf("change the container's limits: %w", err)
	}
	return nil
}
