package supervisor

import (
	"context"
	"time"

	"github.com/catalyst-panel/catalyst/agent/files"
)

const (
	// overTime is how long a program that has filled its disk has to make room.
	overTime = time.Minute
	// leastInodes is how many files every server may have, and bytesPerInode how much of its quota each further one takes.
	leastInodes, bytesPerInode = 100_000, 8 << 10
)

// setQuota tells those who write to the server's files what they may fill.
func (a *actor) setQuota() {
	disk := a.Spec.orEmpty().GetLimits().GetDisk()
	quota := files.Quota{Bytes: disk}
	if disk > 0 {
		quota.Inodes = max(leastInodes, disk/bytesPerInode)
	}
	a.supervisor.store.SetQuota(a.id, quota)
}

// measured looks whether the program has filled more than the server's quota. It is warned, and stopped when there is not enough
// room after a minute.
func (a *actor) measured(ctx context.Context, used int64) {
	limit := a.Spec.orEmpty().GetLimits().GetDisk()
	if a.phase != up || a.Installing || limit <= 0 || used <= limit {
		a.overSince = time.Time{}
		return
	}
	switch now := time.Now(); {
	case a.overSince.IsZero():
		a.overSince = now
		a.say(ctx, "The server uses more disk space than its quota. It is stopped in a minute unless it makes room.")
	case now.Sub(a.overSince) >= overTime:
		a.overSince = time.Time{}
		a.say(ctx, "The server is stopped: it still uses more disk space than its quota.")
		a.Failure = "used more disk space than its quota: delete files, or raise the quota"
		a.stop(ctx, false)
	}
}
