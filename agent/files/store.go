package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// FilesDir is the directory below a server's that is the server's own root.
const FilesDir = "files"

// Store is the directory that holds one directory for each server.
type Store struct {
	path string
	root *os.Root
}

// Open opens the directory, which it makes if need be.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find servers directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make servers directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open servers directory: %w", err)
	}
	return &Store{path: dir, root: root}, nil
}

// Close lets go of the directory.
func (s *Store) Close() error {
	if err := s.root.Close(); err != nil {
		return fmt.Errorf("close servers directory: %w", err)
	}
	return nil
}

// Path is the absolute path of a server's directory, whether or not it exists.
func (s *Store) Path(serverID string) string { return filepath.Join(s.path, serverID) }

// List names the servers that have a directory.
func (s *Store) List() ([]string, error) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list servers: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && kind.ValidID(kind.PrefixServer, e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// Create makes a server's directory and its root. What is already there stays.
func (s *Store) Create(serverID string) error {
	if err := check(serverID); err != nil {
		return err
	}
	if err := s.root.MkdirAll(path.Join(serverID, FilesDir), 0o700); err != nil {
		return fmt.Errorf("make server directory: %w", err)
	}
	return nil
}

// Remove removes a server's directory with everything in it; with keepFiles its root stays. What is not there is no
// error, so that it can be repeated. The program must have ended.
func (s *Store) Remove(serverID string, keepFiles bool) error {
	if err := check(serverID); err != nil {
		return err
	}
	if !keepFiles {
		if err := s.root.RemoveAll(serverID); err != nil {
			return fmt.Errorf("remove server directory: %w", err)
		}
		return nil
	}
	entries, err := fs.ReadDir(s.root.FS(), serverID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list server directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() == FilesDir {
			continue
		}
		if err := s.root.RemoveAll(path.Join(serverID, e.Name())); err != nil {
			return fmt.Errorf("remove from server directory: %w", err)
		}
	}
	return nil
}

// check refuses anything but a server's id as the name of a directory.
func check(serverID string) error {
	if !kind.ValidID(kind.PrefixServer, serverID) {
		return fmt.Errorf("%q is no server's id", serverID)
	}
	return nil
}

// Usage is what a server's root takes up.
type Usage struct {
	// Bytes are those allocated on the disk; a file with several names counts once, holes do not count.
	Bytes int64
	// Inodes counts files and directories.
	Inodes int64
}

// Usage measures a server's root. It follows no links, opens only directories (so that a FIFO cannot block it), skips
// what vanishes meanwhile, and stops when ctx is done. A server without a root uses nothing.
func (s *Store) Usage(ctx context.Context, serverID string) (Usage, error) {
	if err := check(serverID); err != nil {
		return Usage{}, err
	}
	root, err := s.root.OpenRoot(path.Join(serverID, FilesDir))
	if errors.Is(err, fs.ErrNotExist) {
		return Usage{}, nil
	}
	if err != nil {
		return Usage{}, fmt.Errorf("open server root: %w", err)
	}
	defer root.Close()
	w := walk{ctx: ctx, seen: map[inode]struct{}{}}
	if err := w.dir(root); err != nil {
		return Usage{}, fmt.Errorf("measure server root: %w", err)
	}
	return w.usage, nil
}

type inode struct{ dev, ino uint64 }

// walk is one measurement.
type walk struct {
	ctx   context.Context //nolint:containedctx // it lives for one call of Usage
	seen  map[inode]struct{}
	usage Usage
}

const batch = 256

// dir measures a directory and everything below. It holds one descriptor for each level.
func (w *walk) dir(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err //nolint:wrapcheck // Usage wraps it
	}
	defer d.Close()
	if info, err := d.Stat(); err == nil {
		w.count(info)
	}
	for {
		entries, err := d.ReadDir(batch)
		for _, e := range entries {
			if err := w.entry(root, e); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err //nolint:wrapcheck // Usage wraps it
		}
	}
}

func (w *walk) entry(root *os.Root, e fs.DirEntry) error {
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	if !e.IsDir() {
		if info, err := root.Lstat(e.Name()); err == nil {
			w.count(info)
		}
		return nil
	}
	// OpenRoot opens directories only, so whatever takes this one's place meanwhile is not followed and cannot block.
	sub, err := root.OpenRoot(e.Name())
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return err //nolint:wrapcheck // Usage wraps it
	}
	if err != nil {
		// It is gone, or not readable: its inode is counted if it is still there.
		if info, err := root.Lstat(e.Name()); err == nil {
			w.count(info)
		}
		return nil
	}
	defer sub.Close()
	return w.dir(sub)
}

// count adds one inode.
func (w *walk) count(info fs.FileInfo) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	if st.Nlink > 1 && !info.IsDir() {
		key := inode{dev: st.Dev, ino: st.Ino}
		if _, again := w.seen[key]; again {
			return
		}
		w.seen[key] = struct{}{}
	}
	w.usage.Inodes++
	w.usage.Bytes += st.Blocks * 512
}
