package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// Usage is what a server's root takes up.
type Usage struct {
	// Bytes are those allocated on the disk; a file with several names counts once, holes do not count.
	Bytes int64
	// Inodes counts files and directories.
	Inodes int64
}

// Usage measures a server's root. It follows no links, opens only directories (so that a FIFO cannot block it), skips
// what vanishes meanwhile, and stops when ctx is done. A server without a root uses nothing.
//
// What lies beside the root until it is complete counts, too. The ledger, by which writers are held to the server's quota,
// learns from every measurement.
func (s *Store) Usage(ctx context.Context, serverID string) (Usage, error) {
	if err := check(serverID); err != nil {
		return Usage{}, err
	}
	if _, err := s.root.Lstat(path.Join(serverID, FilesDir)); errors.Is(err, fs.ErrNotExist) {
		return Usage{}, nil
	}
	l := s.share(serverID).ledger
	l.measuring.Lock()
	defer l.measuring.Unlock()
	return l.refresh(ctx)
}

// counting are the directories of a server that count.
var counting = []string{FilesDir, stagingDir, uploadsDir}

// measure walks through directories of a server.
func (s *Store) measure(ctx context.Context, serverID string, names ...string) (Usage, error) {
	w := walk{seen: map[inode]struct{}{}}
	for _, name := range names {
		dir, err := s.root.OpenFile(path.Join(serverID, name), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Usage{}, fmt.Errorf("open server root: %w", err)
		}
		if err := w.run(ctx, dir); err != nil {
			return Usage{}, fmt.Errorf("measure server root: %w", err)
		}
	}
	return w.usage, nil
}

const batch = 256

type inode struct{ dev, ino uint64 }

// walk is one measurement. It holds one descriptor however deep directories are nested: the way back up is "..", and
// whether that is where it came from is checked, since a program may move directories meanwhile.
type walk struct {
	seen  map[inode]struct{}
	usage Usage
	path  []level
}

// level is one directory on the way from the root to where the walk is.
type level struct {
	is inode
	// below are the directories in it that were not visited yet.
	below []string
}

// run measures everything below a directory, which it closes.
func (w *walk) run(ctx context.Context, dir *os.File) error {
	defer func() { _ = dir.Close() }()
	if err := w.enter(ctx, dir); err != nil {
		return err
	}
	for len(w.path) > 0 {
		here := &w.path[len(w.path)-1]
		if len(here.below) == 0 {
			if w.path = w.path[:len(w.path)-1]; len(w.path) == 0 {
				return nil
			}
			up, err := w.back(dir)
			if err != nil {
				return err
			}
			dir = up
			continue
		}
		name := here.below[len(here.below)-1]
		here.below = here.below[:len(here.below)-1]
		down, err := openDir(dir, name)
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			return err
		}
		if err != nil {
			w.look(dir, name) // it is gone, or not readable
			continue
		}
		_ = dir.Close() // it was only read
		dir = down
		if err := w.enter(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}

// enter counts a directory and the files in it, and notes the directories.
func (w *walk) enter(ctx context.Context, dir *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return err
	}
	w.count(&st)
	here := level{is: inode{st.Dev, st.Ino}}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		entries, err := dir.ReadDir(batch)
		for _, e := range entries {
			if e.IsDir() {
				here.below = append(here.below, e.Name())
			} else {
				w.look(dir, e.Name())
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			w.path = append(w.path, here)
			return nil
		case err != nil:
			return err
		}
	}
}

// errMoved ends a walk under which a directory was moved: it is measured again later.
var errMoved = errors.New("a directory was moved meanwhile")

// back returns the directory above, and closes this one.
func (w *walk) back(dir *os.File) (*os.File, error) {
	up, err := openDir(dir, "..")
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(up.Fd()), &st); err != nil {
		return nil, errors.Join(err, up.Close())
	}
	if w.path[len(w.path)-1].is != (inode{st.Dev, st.Ino}) {
		return nil, errors.Join(errMoved, up.Close())
	}
	_ = dir.Close() // it was only read
	return up, nil
}

// openDir opens a directory in another one. It follows no link, and cannot block: what is no directory is refused.
func openDir(dir *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// look counts a name in a directory, if it is still there.
func (w *walk) look(dir *os.File, name string) {
	var st unix.Stat_t
	if unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
		w.count(&st)
	}
}

// count adds one inode.
func (w *walk) count(st *unix.Stat_t) {
	if st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		key := inode{st.Dev, st.Ino}
		if _, again := w.seen[key]; again {
			return
		}
		w.seen[key] = struct{}{}
	}
	w.usage.Inodes++
	w.usage.Bytes += st.Blocks * 512
}
