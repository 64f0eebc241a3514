package files

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is what a name stands for.
type Kind int

// The kinds.
const (
	// Regular is a file.
	Regular Kind = iota + 1
	// Directory is a directory.
	Directory
	// Symlink is a symbolic link; it is never followed when entries are described.
	Symlink
	// Other is a FIFO, a socket or a device.
	Other
)

// Entry describes one name of a tree.
type Entry struct {
	// Path is the clean path from the root, "." for the root itself.
	Path string
	Kind Kind
	// Size is the length of a file's content in bytes, 0 for everything else.
	Size int64
	// Mode has the permission bits only.
	Mode fs.FileMode
	// ModifiedAt is when the content was changed last.
	ModifiedAt time.Time
	// Target is where a symbolic link leads, as it is written in it.
	Target string

	inode inode
	names uint64
}

// Shared reports whether a file has several names, and what they have in common.
func (e Entry) Shared() (id any, several bool) { return e.inode, e.Kind == Regular && e.names > 1 }

// Name is the last part of the path, "." for the root.
func (e Entry) Name() string { return path.Base(e.Path) }

// Stat describes a name. With follow, a link's place is taken by what it leads to, which must lie in the root.
func (t *Tree) Stat(name string, follow bool) (Entry, error) {
	name, err := Clean(name)
	if err != nil {
		return Entry{}, err
	}
	if name == rootPath {
		return t.statRoot()
	}
	var dir *os.File
	var base string
	if follow {
		dir, base, err = t.target(name)
	} else {
		dir, base, err = t.parent(name)
	}
	if err != nil {
		return Entry{}, explain(err)
	}
	defer dir.Close()
	e, err := describe(dir, base, name)
	return e, explain(err)
}

func (t *Tree) statRoot() (Entry, error) {
	dir, err := t.dir(rootPath)
	if err != nil {
		return Entry{}, fmt.Errorf("open server root: %w", err)
	}
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return Entry{}, fmt.Errorf("look at server root: %w", err)
	}
	return entryOf(&st, rootPath), nil
}

// describe looks at a name in a directory without following it.
func describe(dir *os.File, base, name string) (Entry, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Entry{}, &fs.PathError{Op: "stat", Path: base, Err: err}
	}
	e := entryOf(&st, name)
	if e.Kind == Symlink {
		e.Target = readLink(dir, base)
	}
	return e, nil
}

func entryOf(st *unix.Stat_t, name string) Entry {
	e := Entry{
		Path: name, Mode: fs.FileMode(st.Mode & 0o777), ModifiedAt: time.Unix(st.Mtim.Unix()), inode: inode{st.Dev, st.Ino}, names: st.Nlink,
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		e.Kind, e.Size = Regular, st.Size
	case unix.S_IFDIR:
		e.Kind = Directory
	case unix.S_IFLNK:
		e.Kind = Symlink
	default:
		e.Kind = Other
	}
	return e
}

// kindOf is the kind of a directory's entry as far as the directory tells; 0 when it does not.
func kindOf(e fs.DirEntry) Kind {
	switch e.Type() {
	case 0:
		return Regular
	case fs.ModeDir:
		return Directory
	case fs.ModeSymlink:
		return Symlink
	default:
		return Other
	}
}
