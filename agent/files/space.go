package files

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Space is how much room a server has, in bytes and inodes: as much as its quota and the node's disk allow.
type Space struct {
	Bytes, FreeBytes   int64
	Inodes, FreeInodes int64
}

// Space tells how much room the server has. Without a measurement of late, what it uses is measured first.
func (t *Tree) Space() (Space, error) {
	dir, err := t.root.Open(".")
	if err != nil {
		return Space{}, explain(err)
	}
	defer dir.Close() //nolint:errcheck // nothing was written
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return Space{}, fmt.Errorf("look at the free space: %w", err)
	}
	s := Space{
		Bytes: int64(st.Blocks) * st.Bsize, FreeBytes: max(0, int64(st.Bavail)*st.Bsize-floor),
		Inodes: int64(st.Files), FreeInodes: int64(st.Ffree),
	}
	quota, used, err := t.shared.ledger.standing()
	if err != nil {
		return Space{}, err
	}
	if quota.Bytes > 0 {
		s.Bytes, s.FreeBytes = quota.Bytes, min(s.FreeBytes, max(0, quota.Bytes-used.Bytes))
	}
	if quota.Inodes > 0 {
		s.Inodes, s.FreeInodes = quota.Inodes, min(s.FreeInodes, max(0, quota.Inodes-used.Inodes))
	}
	return s, nil
}
