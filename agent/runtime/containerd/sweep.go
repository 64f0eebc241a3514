package containerd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"github.com/catalyst-panel/catalyst/agent/runtime"
)

const (
	// sweepEvery is how often orphans are looked for; defaultGrace is how long each is left alone.
	sweepEvery   = time.Minute
	defaultGrace = 2 * time.Minute
)

// tidy removes what has lost its owner: what a kill has left behind, and containers of servers that are gone.
func (r *Runtime) tidy() {
	tick := time.NewTicker(min(sweepEvery, r.config.Grace))
	defer tick.Stop()
	orphans := map[string]time.Time{}
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.sweep(r.ctx, orphans); err != nil && r.ctx.Err() == nil {
			r.log.LogAttrs(r.ctx, slog.LevelWarn, "orphans are not removed, trying again", slog.Any("error", err))
		}
	}
}

// sweep removes the orphans that were seen before the grace, and notes the new ones.
func (r *Runtime) sweep(ctx context.Context, orphans map[string]time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, sweepEvery)
	defer cancel()
	kept, err := r.sweepContainers(ctx, orphans)
	if err != nil {
		return err
	}
	return errors.Join(r.sweepSnapshots(ctx, kept, orphans), r.sweepNetworks(ctx, kept, orphans), r.sweepLeases(ctx))
}

// due notes an orphan, and reports whether it was one for long enough.
func (r *Runtime) due(orphans map[string]time.Time, what string) bool {
	since, known := orphans[what]
	if !known {
		orphans[what] = time.Now()
		return false
	}
	if time.Since(since) < r.config.Grace {
		return false
	}
	delete(orphans, what)
	return true
}

// sweepContainers returns the containers that stay.
func (r *Runtime) sweepContainers(ctx context.Context, orphans map[string]time.Time) (map[string]bool, error) {
	all, err := r.client.Containers(ctx, `labels."`+labelOwner+`"==`+r.owner)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	kept := make(map[string]bool, len(all))
	for _, c := range all {
		kept[c.ID()] = true
		labels, err := c.Labels(ctx)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read container: %w", err)
		}
		dir := runtime.Dir{ServerID: labels[labelServer], Path: labels[labelDir]}
		if unfinished(dir) {
			delete(orphans, "container "+c.ID())
			continue
		}
		if !r.due(orphans, "container "+c.ID()) {
			continue
		}
		if err := r.removeOrphan(ctx, dir, c.ID()); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

func (r *Runtime) removeOrphan(ctx context.Context, dir runtime.Dir, id string) error {
	unlock, err := r.locks.lock(ctx, dir.ServerID)
	if err != nil {
		return err
	}
	defer unlock()
	if unfinished(dir) {
		return nil // it is being started
	}
	r.log.LogAttrs(ctx, slog.LevelInfo, "a container without an owner is removed", slog.String("container", id))
	return r.remove(ctx, id)
}

// sweepSnapshots removes file systems whose container was never made.
func (r *Runtime) sweepSnapshots(ctx context.Context, containers map[string]bool, orphans map[string]time.Time) error {
	var due []string
	err := r.client.SnapshotService("").Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		if !containers[info.Name] && r.due(orphans, "snapshot "+info.Name) {
			due = append(due, info.Name)
		}
		return nil
	}, `labels."`+labelOwner+`"==`+r.owner)
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	for _, name := range due {
		if _, err := r.client.LoadContainer(ctx, name); !errdefs.IsNotFound(err) {
			continue
		}
		if err := r.removeSnapshot(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// sweepNetworks disconnects what is not there any more.
func (r *Runtime) sweepNetworks(ctx context.Context, containers map[string]bool, orphans map[string]time.Time) error {
	attached, err := r.config.Networks.Attached()
	if err != nil {
		return err
	}
	for _, id := range attached {
		if containers[id] || !r.due(orphans, "network "+id) {
			continue
		}
		// Another agent of this machine may share the network.
		if _, err := r.client.LoadContainer(ctx, id); !errdefs.IsNotFound(err) {
			continue
		}
		if err := r.config.Networks.Detach(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// sweepLeases releases what an earlier process of this agent held when it was killed.
func (r *Runtime) sweepLeases(ctx context.Context) error {
	all, err := r.client.LeasesService().List(ctx, `labels."`+labelOwner+`"==`+r.owner)
	if err != nil {
		return fmt.Errorf("list leases: %w", err)
	}
	for _, lease := range all {
		if lease.Labels[labelSession] == r.session || time.Since(lease.CreatedAt) < r.config.Grace {
			continue
		}
		if err := r.client.LeasesService().Delete(ctx, lease); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("release lease: %w", err)
		}
	}
	return nil
}
