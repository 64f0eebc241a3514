package files

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// floor is the free space that nothing takes from the node, in bytes.
	floor = 256 << 20
	// block is what a new name takes at the least, in bytes.
	block = 4 << 10
	// looked is how long a look at the free space counts.
	looked = time.Second
	// remeasure is how soon a full server is measured again: something may have been deleted since.
	remeasure = 2 * time.Second
)

// Quota is what a server may take up. 0 is unlimited.
type Quota struct{ Bytes, Inodes int64 }

// ledger counts what a server takes up. Whoever writes reserves first: what was measured and what was reserved since then
// never exceeds the quota. Nothing is ever given back: what has become free is found by measuring again, which happens at
// the latest when there seems to be no room.
type ledger struct {
	life    context.Context //nolint:containedctx // the store's: a measurement is for all who wait
	measure func(context.Context) (Usage, error)
	free    func() (int64, error)

	measuring sync.Mutex // held by the one who measures

	mu    sync.Mutex
	quota Quota
	known bool
	at    time.Time // of the beginning of the last measurement
	used  Usage     // what that found
	since Usage     // what was reserved since its beginning
}

// SetQuota says what a server may take up from now on.
func (s *Store) SetQuota(serverID string, q Quota) {
	l := s.share(serverID).ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quota = q
}

// reserve takes room, or fails with QUOTA_EXCEEDED. The room is taken whether or not it is then used.
func (l *ledger) reserve(bytes, inodes int64) error {
	if bytes <= 0 && inodes <= 0 {
		return nil
	}
	bytes += inodes * block
	if err := l.take(bytes, inodes); err != nil {
		if err := l.look(); err != nil {
			return err
		}
		if err := l.take(bytes, inodes); err != nil {
			return err
		}
	}
	if free, err := l.free(); err == nil && free-bytes < floor {
		l.giveBack(bytes, inodes)
		return errNodeFull
	}
	return nil
}

// giveBack returns room of which none was used.
func (l *ledger) giveBack(bytes, inodes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since.Bytes -= bytes
	l.since.Inodes -= inodes
}

// fits fails with QUOTA_EXCEEDED when there is no room for something now. It takes none.
func (l *ledger) fits(bytes int64) error {
	if err := l.reserve(bytes, 1); err != nil {
		return err
	}
	l.giveBack(bytes+block, 1)
	return nil
}

// take takes room when there is some, by what is known.
func (l *ledger) take(bytes, inodes int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.quota
	if q != (Quota{}) && !l.known {
		return errNodeFull // it is not known yet: whoever asks measures
	}
	if now := l.used.Bytes + l.since.Bytes; q.Bytes > 0 && now+bytes > q.Bytes {
		return fault.New(fault.QuotaExceeded, "The server's quota of %s does not suffice: %s are used and %s more are needed. Delete something first.",
			size(q.Bytes), size(now), size(bytes))
	}
	if now := l.used.Inodes + l.since.Inodes; q.Inodes > 0 && now+inodes > q.Inodes {
		return fault.New(fault.QuotaExceeded, "The server may have %d files and directories, and has %d. Delete something first.", q.Inodes, now)
	}
	l.since.Bytes += bytes
	l.since.Inodes += inodes
	return nil
}

// freed notes that something was removed: there may be more room than is known.
func (l *ledger) freed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = time.Time{}
}

// look measures, unless that was done just now.
func (l *ledger) look() error {
	l.measuring.Lock()
	defer l.measuring.Unlock()
	l.mu.Lock()
	fresh := l.known && time.Since(l.at) < remeasure
	l.mu.Unlock()
	if fresh {
		return nil
	}
	if _, err := l.refresh(l.life); err != nil {
		return fault.New(fault.Conflict, "How much room the server has left cannot be found out while its files are moved about: try again.").Wrap(err)
	}
	return nil
}

// refresh measures. The caller holds measuring, or is the only one.
func (l *ledger) refresh(ctx context.Context) (Usage, error) {
	l.mu.Lock()
	before, began := l.since, time.Now()
	l.mu.Unlock()
	found, err := l.measure(ctx)
	if err != nil {
		return Usage{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// What was reserved meanwhile may have been measured, too: it counts twice until the next time.
	l.used, l.known, l.at = found, true, began
	l.since.Bytes -= before.Bytes
	l.since.Inodes -= before.Inodes
	return found, nil
}

var errNodeFull = fault.New(fault.QuotaExceeded, "The node's disk is nearly full: an administrator must make room on it.")

// size is a count of bytes for people.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d bytes", n)
	}
	value, names := float64(n)/unit, []string{"KiB", "MiB", "GiB", "TiB"}
	i := 0
	for value >= unit && i < len(names)-1 {
		value, i = value/unit, i+1
	}
	return fmt.Sprintf("%.1f %s", value, names[i])
}

// freeSpace looks at the free space of the file system, once a second at the most.
type freeSpace struct {
	path string

	mu   sync.Mutex
	at   time.Time
	free int64
}

func (f *freeSpace) look() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.at) < looked {
		return f.free, nil
	}
	var st unix.Statfs_t
	if err := unix.Statfs(f.path, &st); err != nil {
		return 0, fmt.Errorf("look at the free space: %w", err)
	}
	f.at, f.free = time.Now(), int64(st.Bavail)*st.Bsize
	return f.free, nil
}

// standing returns the quota and what is used of it, which is measured when it is not known.
func (l *ledger) standing() (Quota, Usage, error) {
	l.mu.Lock()
	unknown := l.quota != (Quota{}) && !l.known
	l.mu.Unlock()
	if unknown {
		if err := l.look(); err != nil {
			return Quota{}, Usage{}, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.quota, Usage{Bytes: l.used.Bytes + l.since.Bytes, Inodes: l.used.Inodes + l.since.Inodes}, nil
}
