package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// freshness is how long a sample is given to further callers, so that many watchers cost as much as one.
	freshness = 900 * time.Millisecond
	// diskFreshness is how long a measured directory counts.
	diskFreshness = 45 * time.Second
	// statsTime bounds one reading.
	statsTime = 5 * time.Second
)

// meter turns the readings of one instance into samples.
type meter struct {
	mu   sync.Mutex
	last runtime.Sample
	made *protocol.StatsSample
}

// Sample reads the resources of a running server; within a second it answers the same reading again. The first one has
// the CPU's average since the start. The size on disk is up to a minute old.
func (s *Supervisor) Sample(ctx context.Context, id string) (*protocol.StatsSample, error) {
	a := s.find(id)
	if a == nil {
		return nil, fault.Missing("server")
	}
	live := a.live.Load()
	if live == nil {
		return nil, errNotRunning
	}
	s.measureDisk(a)
	ctx, cancel := context.WithTimeout(ctx, statsTime)
	defer cancel()
	sample, err := live.sample(ctx, id)
	if errors.Is(err, runtime.ErrNotRunning) {
		return nil, errNotRunning
	}
	if err != nil {
		return nil, err
	}
	sample.DiskBytes = a.disk.bytes()
	return sample, nil
}

// Samples reads the resources of every running server.
func (s *Supervisor) Samples(ctx context.Context) []*protocol.StatsSample {
	var out []*protocol.StatsSample
	for _, a := range s.all() {
		sample, err := s.Sample(ctx, a.id)
		switch {
		case err == nil:
			out = append(out, sample)
		case fault.CodeOf(err) != fault.Conflict && fault.CodeOf(err) != fault.NotFound && ctx.Err() == nil:
			a.log.LogAttrs(ctx, slog.LevelWarn, "resources cannot be read", slog.Any("error", err))
		}
	}
	return out
}

func (l *live) sample(ctx context.Context, id string) (*protocol.StatsSample, error) {
	m := &l.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made == nil || time.Since(m.last.At) >= freshness {
		reading, err := l.instance.Stats(ctx)
		if err != nil {
			return nil, err
		}
		m.made = convert(id, l.spec, m.last, reading)
		m.last = reading
	}
	return &protocol.StatsSample{
		ServerId: m.made.GetServerId(), AtUs: m.made.GetAtUs(), CpuPercent: m.made.GetCpuPercent(),
		MemoryBytes: m.made.GetMemoryBytes(), MemoryLimit: m.made.GetMemoryLimit(),
		NetworkRxBytes: m.made.GetNetworkRxBytes(), NetworkTxBytes: m.made.GetNetworkTxBytes(),
		DiskLimit: m.made.GetDiskLimit(), Processes: m.made.GetProcesses(), UptimeMs: m.made.GetUptimeMs(),
	}, nil
}

// convert makes a sample of a reading and the one before it, if there is one.
func convert(id string, spec *protocol.ServerSpec, last, now runtime.Sample) *protocol.StatsSample {
	sample := &protocol.StatsSample{
		ServerId:       id,
		AtUs:           now.At.UnixMicro(),
		MemoryBytes:    now.MemoryBytes,
		MemoryLimit:    spec.GetLimits().GetMemory(),
		NetworkRxBytes: now.NetworkRxBytes,
		NetworkTxBytes: now.NetworkTxBytes,
		DiskLimit:      spec.GetLimits().GetDisk(),
		Processes:      int32(now.Processes),
		UptimeMs:       max(0, now.At.Sub(now.StartedAt).Milliseconds()),
	}
	since, used := last.At, now.CPUTime-last.CPUTime
	if since.IsZero() {
		since, used = now.StartedAt, now.CPUTime
	}
	if period := now.At.Sub(since); period > 0 {
		// A process that ended takes its time with it, so the sum may shrink.
		sample.CpuPercent = max(0, 100*used.Seconds()/period.Seconds())
	}
	return sample
}

// disk is the measured size of a server's files.
type disk struct {
	mu        sync.Mutex
	size      int64
	at        time.Time
	measuring bool
}

func (d *disk) bytes() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.size
}

// begin reports whether it is time to measure, and claims it.
func (d *disk) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.measuring || (!d.at.IsZero() && time.Since(d.at) < diskFreshness) {
		return false
	}
	d.measuring = true
	return true
}

func (d *disk) end(size int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.measuring, d.at = false, time.Now()
	if err == nil {
		d.size = size
	}
}

// measureDisk walks a server's files beside the caller when the last size is old; one server at a time, since it is
// the disk that is slow.
func (s *Supervisor) measureDisk(a *actor) {
	if !a.disk.begin() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		a.disk.end(0, errClosed)
		return
	}
	s.actors.Go(func() {
		select {
		case <-s.walks:
		case <-s.ctx.Done():
			return
		}
		defer func() { s.walks <- struct{}{} }()
		size, err := s.store.Usage(s.ctx, a.id)
		if err != nil && s.ctx.Err() == nil {
			a.log.LogAttrs(s.ctx, slog.LevelWarn, "size of the files is unknown", slog.Any("error", err))
		}
		a.disk.end(size.Bytes, err)
		if err == nil {
			a.post(s.ctx, func(ctx context.Context) { a.measured(ctx, size.Bytes) })
		}
	})
}
