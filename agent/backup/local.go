package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/catalyst-panel/catalyst/agent/durable"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// floor is the free space that backups leave on the node's disk, in bytes.
	floor = 512 << 20
	// lookEvery is how many bytes are written between two looks at it.
	lookEvery = 16 << 20
	// readAtOnce is how much is read at once, in bytes.
	readAtOnce = 1 << 20
)

// target is where an archive goes. It ends with finish or abort; abort after finish does nothing.
type target interface {
	io.Writer
	// finish makes the archive complete, after it has found that it is what was written.
	finish(ctx context.Context, end *protocol.BackupProgress) error
	// abort removes what there is of it.
	abort()
}

// target begins to write the archive.
func (j *job) target() (target, error) {
	if j.note.spec.GetRemote() {
		return newUpload(j), nil
	}
	name := j.keeper.archive(j.note.spec)
	f, err := os.OpenFile(name+partEnding, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make an archive: %w", err)
	}
	return &local{job: j, file: f, name: name}, nil
}

// local is an archive on the node's own disk.
type local struct {
	job    *job
	file   *os.File
	name   string
	looked int64
	ended  bool
}

func newHash() hash.Hash { return sha256.New() }

var errNodeFull = fault.New(fault.QuotaExceeded, "The node's disk is nearly full: an administrator must make room on it, or choose another storage.")

// Write implements io.Writer.
func (l *local) Write(b []byte) (int, error) {
	if l.looked -= int64(len(b)); l.looked <= 0 {
		l.looked = lookEvery
		var st unix.Statfs_t
		if err := unix.Fstatfs(int(l.file.Fd()), &st); err == nil && int64(st.Bavail)*st.Bsize < floor {
			return 0, errNodeFull
		}
	}
	n, err := l.file.Write(b)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = errNodeFull.Wrap(err)
	}
	return n, err
}

func (l *local) finish(ctx context.Context, end *protocol.BackupProgress) error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("write an archive to the disk: %w", err)
	}
	// What is read now comes from the disk, where the system can forget what it has in memory.
	_ = unix.Fadvise(int(l.file.Fd()), 0, 0, unix.FADV_DONTNEED)
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read an archive again: %w", err)
	}
	if err := verify(ctx, l.file, end.GetSize(), end.GetChecksum(), func(part float64) {
		l.job.set(func(s *protocol.BackupProgress) { s.Progress = readPart + (1-readPart)*part })
	}); err != nil {
		return err
	}
	l.ended = true
	if err := errors.Join(l.file.Close(), os.Rename(l.name+partEnding, l.name)); err != nil {
		return fmt.Errorf("complete an archive: %w", err)
	}
	return durable.SyncDir(filepath.Dir(l.name))
}

func (l *local) abort() {
	if l.ended {
		return
	}
	l.ended = true
	_ = l.file.Close()
	_ = os.Remove(l.file.Name()) // what stays is removed by the next agent
}

var (
	errDamaged = fault.New(fault.Conflict, "The archive is damaged: it is not what was stored. Nothing was changed.")
	errNoCopy  = fault.New(fault.NotFound, "The node does not have this backup's archive any more.")
)

// verify reads an archive and compares it with what it should be.
func verify(ctx context.Context, from io.Reader, size int64, checksum string, told func(float64)) error {
	sum, buffer, n := newHash(), make([]byte, readAtOnce), int64(0)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		got, err := from.Read(buffer)
		_, _ = sum.Write(buffer[:got]) // it never fails
		if n += int64(got); size > 0 {
			told(min(1, float64(n)/float64(size)))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read an archive again: %w", err)
		}
	}
	if n != size || hex.EncodeToString(sum.Sum(nil)) != checksum {
		return errDamaged
	}
	return nil
}

// open opens the archive of a complete backup on the node's own disk.
func (k *Keeper) open(serverID, backupID string, gzip bool) (*os.File, error) {
	if err := checkIDs(serverID, backupID); err != nil {
		return nil, err
	}
	f, err := os.Open(k.archive(&protocol.BackupSpec{ServerId: serverID, BackupId: backupID, Gzip: gzip}))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoCopy
	}
	if err != nil {
		return nil, fmt.Errorf("open an archive: %w", err)
	}
	return f, nil
}
