package files

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dirMode is the mode of directories that are made by the way.
const dirMode = 0o755

// Mkdir makes a directory. With parents, those above it are made, too, when they are missing. Something of that name is a
// CONFLICT.
func (t *Tree) Mkdir(name string, perm fs.FileMode, parents bool) error {
	name, err := Clean(name)
	if err != nil {
		return err
	}
	if name == rootPath {
		return errExists
	}
	if parents {
		if err := t.makeParents(name); err != nil {
			return err
		}
	}
	return explain(t.mkdir(name, perm))
}

// MkdirParents makes the directories above a name that are missing.
func (t *Tree) MkdirParents(name string) error {
	name, err := Clean(name)
	if err != nil {
		return err
	}
	return t.makeParents(name)
}

// makeParents makes the directories above a name.
func (t *Tree) makeParents(name string) error {
	parts := strings.Split(name, "/")
	for i := 1; i < len(parts); i++ {
		err := t.mkdir(strings.Join(parts[:i], "/"), dirMode)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return explain(err)
		}
	}
	return nil
}

func (t *Tree) mkdir(name string, perm fs.FileMode) error {
	dir, base, err := t.parent(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return t.mkdirAt(dir, base, perm)
}

func (t *Tree) mkdirAt(dir *os.File, base string, perm fs.FileMode) error {
	if err := t.shared.ledger.reserve(0, 1); err != nil {
		return err
	}
	if err := unix.Mkdirat(int(dir.Fd()), base, 0o700); err != nil {
		return &fs.PathError{Op: "mkdir", Path: base, Err: err}
	}
	made, err := openDir(dir, base)
	if err != nil {
		return err
	}
	defer made.Close()
	return t.own(made, perm)
}

// Rename gives a name another place. A link is moved, not what it leads to. Without over, something that has the new name is
// a CONFLICT; with it, a file or an empty directory is replaced.
func (t *Tree) Rename(from, to string, over bool) error {
	from, to, err := pair(from, to)
	if err != nil {
		return err
	}
	t.shared.commit.Lock()
	defer t.shared.commit.Unlock()
	source, old, err := t.parent(from)
	if err != nil {
		return explain(err)
	}
	defer source.Close()
	goal, name, err := t.parent(to)
	if err != nil {
		return explain(err)
	}
	defer goal.Close()
	err = rename(source, old, goal, name, over)
	if errors.Is(err, unix.EINVAL) {
		return errIntoItself.Wrap(err)
	}
	return explain(err)
}

// pair cleans the two paths of an operation, neither of which may be the root.
func pair(from, to string) (string, string, error) {
	from, err := Clean(from)
	if err != nil {
		return "", "", err
	}
	if to, err = Clean(to); err != nil {
		return "", "", err
	}
	if from == rootPath || to == rootPath {
		return "", "", errRoot
	}
	return from, to, nil
}

// Chmod changes the permission bits of a file or a directory. Links are followed.
func (t *Tree) Chmod(name string, mode fs.FileMode) error {
	name, err := Clean(name)
	if err != nil {
		return err
	}
	f, err := t.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, fs.ErrPermission) {
		// What may not be read may be changed by its owner all the same.
		dir, base, err := t.target(name)
		if err != nil {
			return explain(err)
		}
		defer dir.Close()
		return explain(chmodAt(dir, base, mode))
	}
	if err != nil {
		return explain(err)
	}
	defer f.Close()
	if err := regular(f); err != nil && !errors.Is(err, errDirectory) {
		return err
	}
	return explain(f.Chmod(mode.Perm()))
}

// chmodAt changes the mode of a name in a directory, whatever its mode is now. A link is not followed, and refused.
func chmodAt(dir *os.File, base string, mode fs.FileMode) error {
	fd, err := unix.Openat(int(dir.Fd()), base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: base, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return errIrregular
	}
	// The descriptor leads to what was looked at, whatever has the name by now.
	return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), uint32(mode.Perm()))
}

// Chtimes changes the times of the last access and change of the content. A link's own times are changed.
func (t *Tree) Chtimes(name string, accessed, modified time.Time) error {
	name, err := Clean(name)
	if err != nil {
		return err
	}
	if name == rootPath {
		return nil // nobody reads them
	}
	dir, base, err := t.parent(name)
	if err != nil {
		return explain(err)
	}
	defer dir.Close()
	return explain(chtimesAt(dir, base, accessed, modified))
}

func chtimesAt(dir *os.File, base string, accessed, modified time.Time) error {
	var times [2]unix.Timespec
	for i, at := range []time.Time{accessed, modified} {
		ts, err := unix.TimeToTimespec(at)
		if err != nil {
			return err
		}
		times[i] = ts
	}
	if err := unix.UtimesNanoAt(int(dir.Fd()), base, times[:], unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "chtimes", Path: base, Err: err}
	}
	return nil
}

// Symlink makes a link. It must lead to a place in the root, from where it stands, whether or not there is anything.
func (t *Tree) Symlink(target, name string) error {
	name, err := Clean(name)
	if err != nil {
		return err
	}
	if !linkStays(name, target) {
		return errEscapes
	}
	return t.SymlinkAnywhere(target, name)
}

// SymlinkAnywhere is as Symlink, but the link may lead anywhere: nothing here follows it. It is for what the server's
// program made itself.
func (t *Tree) SymlinkAnywhere(target, name string) error {
	name, err := Clean(name)
	if err != nil {
		return err
	}
	if target == "" || len(target) >= maxPath || strings.IndexByte(target, 0) >= 0 {
		return errEscapes
	}
	dir, base, err := t.parent(name)
	if err != nil {
		return explain(err)
	}
	defer dir.Close()
	return explain(t.symlinkAt(dir, base, target))
}

// linkStays reports whether a link, by what is written in it, leads to a place in the root.
func linkStays(name, target string) bool {
	if target == "" || len(target) >= maxPath || path.IsAbs(target) || strings.IndexByte(target, 0) >= 0 {
		return false
	}
	to := path.Join("/root", path.Dir(name), target)
	return to == "/root" || strings.HasPrefix(to, "/root/")
}

func (t *Tree) symlinkAt(dir *os.File, base, target string) error {
	if err := t.shared.ledger.reserve(0, 1); err != nil {
		return err
	}
	if err := unix.Symlinkat(target, int(dir.Fd()), base); err != nil {
		return &fs.PathError{Op: "symlink", Path: base, Err: err}
	}
	if t.uid < 0 {
		return nil
	}
	if err := unix.Fchownat(int(dir.Fd()), base, t.uid, t.gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "chown", Path: base, Err: err}
	}
	return nil
}

// Link gives a file a second name.
func (t *Tree) Link(existing, name string) error {
	existing, name, err := pair(existing, name)
	if err != nil {
		return err
	}
	from, old, err := t.parent(existing)
	if err != nil {
		return explain(err)
	}
	defer from.Close()
	e, err := describe(from, old, existing)
	if err != nil {
		return explain(err)
	}
	if e.Kind != Regular {
		return errIrregular
	}
	to, base, err := t.parent(name)
	if err != nil {
		return explain(err)
	}
	defer to.Close()
	return explain(unix.Linkat(int(from.Fd()), old, int(to.Fd()), base, 0))
}
