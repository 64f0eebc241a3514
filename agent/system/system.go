package system

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

// freshness is how long a sample is given to further callers, so that many watchers cost as much as one.
const freshness = 900 * time.Millisecond

// Info describes the machine; dir lies on the file system that holds the servers. What cannot be read is left empty.
func Info(ctx context.Context, dir string) *protocol.SystemInfo {
	info := &protocol.SystemInfo{Os: runtime.GOOS, Arch: runtime.GOARCH, CpuCount: int32(runtime.NumCPU())}
	if h, err := host.InfoWithContext(ctx); err == nil {
		info.Kernel, info.Hostname = valid(h.KernelVersion), valid(h.Hostname)
		if h.Platform != "" {
			info.Os = valid(fmt.Sprintf("%s %s", h.Platform, h.PlatformVersion))
		}
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		info.Memory = int64(m.Total)
	}
	if d, err := disk.UsageWithContext(ctx, dir); err == nil {
		info.Disk = int64(d.Total)
	}
	return info
}

// valid makes what a machine says of itself text, which nothing else can be sent as.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// Sampler reads the node's use. It remembers the last reading, from which the CPU percentage is taken.
type Sampler struct {
	dir string

	mu     sync.Mutex
	last   *protocol.StatsSample
	busy   float64
	lastAt time.Time
}

// NewSampler returns a sampler whose disk figures are those of the file system of dir.
func NewSampler(dir string) *Sampler { return &Sampler{dir: dir} }

// Sample reads the node's use; within a second it answers the same reading again. The first one has the CPU's average
// since boot. Figures that cannot be read are 0.
func (s *Sampler) Sample(ctx context.Context) *protocol.StatsSample {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.last != nil && now.Sub(s.lastAt) < freshness {
		return s.last
	}
	sample := &protocol.StatsSample{AtUs: now.UnixMicro()}
	s.sampleCPU(ctx, sample, now)
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		sample.MemoryBytes, sample.MemoryLimit = int64(m.Total-m.Available), int64(m.Total)
	}
	if d, err := disk.UsageWithContext(ctx, s.dir); err == nil {
		sample.DiskBytes, sample.DiskLimit = int64(d.Used), int64(d.Total)
	}
	if counters, err := net.IOCountersWithContext(ctx, true); err == nil {
		for _, c := range counters {
			if c.Name == "lo" {
				continue
			}
			sample.NetworkRxBytes += int64(c.BytesRecv)
			sample.NetworkTxBytes += int64(c.BytesSent)
		}
	}
	if pids, err := process.PidsWithContext(ctx); err == nil {
		sample.Processes = int32(len(pids))
	}
	s.last, s.lastAt = sample, now
	return sample
}

func (s *Sampler) sampleCPU(ctx context.Context, sample *protocol.StatsSample, now time.Time) {
	uptime, err := host.UptimeWithContext(ctx)
	if err != nil {
		return
	}
	sample.UptimeMs = int64(uptime) * 1000
	times, err := cpu.TimesWithContext(ctx, false)
	if err != nil || len(times) == 0 {
		return
	}
	t := times[0]
	// Guest time is contained in user time.
	busy := t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal
	period, since := float64(uptime), 0.0
	if s.last != nil {
		period, since = now.Sub(s.lastAt).Seconds(), s.busy
	}
	s.busy = busy
	if period > 0 {
		sample.CpuPercent = max(0, 100*(busy-since)/period)
	}
}
