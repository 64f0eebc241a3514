package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// renewalDir is where a server's new root is made, replacedDir where the one lies whose place it has taken.
const renewalDir, replacedDir = ".renewal", ".replaced"

// Renewal is a root that is made out of everybody's sight, with all that a Tree offers, and then takes the place of a
// server's own as a whole. The server's quota holds for it alone, since the old root goes. Close it after use.
type Renewal struct {
	*Tree

	of *Tree
}

// Renew begins a new root, which is empty. What is left of an earlier one goes. Nobody else may do it at the same time.
func (s *Store) Renew(ctx context.Context, serverID string) (*Renewal, error) {
	t, err := s.Tree(serverID)
	if err != nil {
		return nil, err
	}
	r := &Renewal{of: t}
	if err := t.discard(ctx, renewalDir); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if err := t.server.Mkdir(renewalDir, 0o700); err != nil {
		return nil, errors.Join(explain(err), t.Close())
	}
	root, err := t.server.OpenRoot(renewalDir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open new root: %w", err), t.Close())
	}
	fresh := *t
	fresh.root, fresh.shared = root, s.apart(serverID)
	r.Tree = &fresh
	old, err := t.statRoot()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	dir, err := root.Open(rootPath)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	defer dir.Close()
	if err := t.own(dir, old.Mode); err != nil {
		return nil, errors.Join(explain(err), r.Close())
	}
	return r, nil
}

// apart counts what a new root takes up, and nothing else of the server.
func (s *Store) apart(serverID string) *shared {
	own := s.share(serverID).ledger
	own.mu.Lock()
	defer own.mu.Unlock()
	return &shared{ledger: &ledger{
		life: s.life, free: s.space.look, quota: own.quota,
		measure: func(ctx context.Context) (Usage, error) { return s.measure(ctx, serverID, renewalDir) },
	}}
}

// Close lets go of both roots. A new root that has not taken its place goes with the next one.
func (r *Renewal) Close() error {
	if r.Tree == nil {
		return r.of.Close()
	}
	return errors.Join(r.root.Close(), r.of.Close())
}

// Identity is by what Renewed knows the root again.
func (r *Renewal) Identity() (string, error) {
	e, err := r.statRoot()
	return e.inode.String(), err
}

// String writes it down.
func (i inode) String() string {
	return strconv.FormatUint(i.dev, 16) + ":" + strconv.FormatUint(i.ino, 16)
}

// Keep copies what the server's root has and the new one has not.
func (r *Renewal) Keep(ctx context.Context) error {
	c := &copying{tree: r.Tree, made: true}
	err := r.of.Walk(ctx, rootPath, func(v *Visit) error {
		there, err := r.Stat(v.Path, false)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if v.Kind == Other {
				return nil
			}
			return c.visit(ctx, v)
		case err != nil, v.Kind == Directory && there.Kind == Directory:
			return err
		case v.Kind == Directory:
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.finish()
}

// TakePlace puts the new root, which is on the disk by then, into the place of the server's own, in one step. The old one is
// kept until DropReplaced. The caller has written the new one's identity down before.
func (r *Renewal) TakePlace(ctx context.Context) error {
	dir, err := r.dir(rootPath)
	if err != nil {
		return explain(err)
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("write the new root to the disk: %w", err)
	}
	if err := r.of.discard(ctx, replacedDir); err != nil {
		return err
	}
	server, err := r.server.Open(rootPath)
	if err != nil {
		return fmt.Errorf("open server directory: %w", err)
	}
	defer server.Close()
	fd := int(server.Fd())
	err = unix.Renameat2(fd, renewalDir, fd, FilesDir, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// The file system cannot do it in one step. Renewed goes on where this ends between the two.
		if err = unix.Renameat(fd, FilesDir, fd, replacedDir); err == nil {
			err = unix.Renameat(fd, renewalDir, fd, FilesDir)
		}
	} else if err == nil {
		err = unix.Renameat(fd, renewalDir, fd, replacedDir)
	}
	if err != nil {
		return fmt.Errorf("exchange the server's root: %w", err)
	}
	r.of.shared.ledger.freed()
	return errors.Join(touch(fd), server.Sync())
}

// touch notes when a root was replaced.
func touch(fd int) error {
	now := unix.NsecToTimespec(time.Now().UnixNano())
	if err := unix.UtimesNanoAt(fd, replacedDir, []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("note when the server's root was replaced: %w", err)
	}
	return nil
}

// Renewed reports whether the root with an identity has taken its place, and completes that where an earlier agent was
// killed in the midst of it.
func (s *Store) Renewed(serverID, identity string) (bool, error) {
	if err := check(serverID); err != nil {
		return false, err
	}
	if identity == "" {
		return false, nil
	}
	is := func(name string) bool {
		dir, err := s.root.OpenFile(path.Join(serverID, name), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err != nil {
			return false
		}
		defer dir.Close()
		var st unix.Stat_t
		return unix.Fstat(int(dir.Fd()), &st) == nil && inode{st.Dev, st.Ino}.String() == identity
	}
	server, err := s.root.Open(serverID)
	if err != nil {
		return false, fmt.Errorf("open server directory: %w", err)
	}
	defer server.Close()
	fd := int(server.Fd())
	_, err = s.root.Lstat(path.Join(serverID, FilesDir))
	switch {
	case errors.Is(err, fs.ErrNotExist) && is(renewalDir):
		err = unix.Renameat(fd, renewalDir, fd, FilesDir)
	case err != nil || !is(FilesDir):
		return false, err
	default:
		// The old root may not have got its name yet.
		if err = unix.Renameat2(fd, renewalDir, fd, replacedDir, unix.RENAME_NOREPLACE); errors.Is(err, unix.ENOENT) {
			return true, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("complete the exchange of the server's root: %w", err)
	}
	s.share(serverID).ledger.freed()
	return true, errors.Join(touch(fd), server.Sync())
}

// DropReplaced removes the root whose place another one has taken since before a moment, if there is one.
func (s *Store) DropReplaced(ctx context.Context, serverID string, before time.Time) error {
	t, err := s.Tree(serverID)
	if err != nil {
		return gone(err)
	}
	defer t.Close()
	info, err := t.server.Lstat(replacedDir)
	if err != nil || !info.ModTime().Before(before) {
		return gone(err)
	}
	return t.discard(ctx, replacedDir)
}

// discard removes a directory beside the root.
func (t *Tree) discard(ctx context.Context, name string) error {
	dir, err := t.server.Open(rootPath)
	if err != nil {
		return fmt.Errorf("open server directory: %w", err)
	}
	defer dir.Close()
	if err := t.throw(dir, name); err != nil {
		return explain(gone(err))
	}
	return t.Sweep(ctx)
}
