package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// File is an open regular file of a tree. It is as safe for concurrent use as an os.File.
type File struct {
	file *os.File
	tree *Tree

	appends bool

	mu  sync.Mutex
	end int64 // up to where room is reserved, or was there before; -1 before the first write
}

func (t *Tree) newFile(f *os.File) *File { return &File{file: f, tree: t, end: -1} }

// reserve takes the room that writing so many bytes to a place needs; a place below 0 is where the file is at.
func (f *File) reserve(at, n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end < 0 {
		size, err := f.Size()
		if err != nil {
			return err
		}
		f.end = size
	}
	if at < 0 {
		var err error
		if at, err = f.file.Seek(0, io.SeekCurrent); err != nil {
			return err
		}
		if f.appends {
			at = f.end
		}
	}
	grows := at + n - f.end
	if grows <= 0 {
		return nil
	}
	if err := f.tree.shared.ledger.reserve(grows, 0); err != nil {
		return err
	}
	f.end = at + n
	return nil
}

var _ interface {
	io.ReadWriteSeeker
	io.ReaderAt
	io.WriterAt
	io.Closer
} = (*File)(nil)

// Open opens a file for reading.
func (t *Tree) Open(name string) (*File, error) { return t.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens a file with the flags of the package os; what it has to make gets the mode perm. Files are changed in
// place, which programs see at once: Replace is for everything that is written from its beginning to its end.
func (t *Tree) OpenFile(name string, flag int, perm fs.FileMode) (*File, error) {
	name, err := Clean(name)
	if err != nil {
		return nil, err
	}
	f, err := t.openFile(name, flag, perm)
	if err != nil {
		return nil, explain(err)
	}
	opened := t.newFile(f)
	opened.appends = flag&os.O_APPEND != 0
	return opened, nil
}

func (t *Tree) openFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	const tries = 8 // somebody may make and remove the name all the time
	for range tries {
		if flag&os.O_EXCL == 0 {
			f, err := t.openRegular(name, flag)
			if err == nil || flag&os.O_CREATE == 0 || !errors.Is(err, fs.ErrNotExist) {
				return f, err
			}
		}
		f, err := t.create(name, flag, perm)
		if err == nil || flag&os.O_EXCL != 0 || !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, errExists
}

// openRegular opens what is there. It is emptied only after it has turned out to be a file.
func (t *Tree) openRegular(name string, flag int) (*os.File, error) {
	flags := flag&(os.O_RDONLY|os.O_WRONLY|os.O_RDWR|os.O_APPEND) | unix.O_NONBLOCK | unix.O_NOCTTY
	f, err := t.root.OpenFile(name, flags, 0)
	if err != nil {
		return nil, err
	}
	if err := regular(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if flag&os.O_TRUNC != 0 {
		if err := f.Truncate(0); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// regular refuses everything but a file.
func regular(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFDIR:
		return errDirectory
	default:
		return errIrregular
	}
}

// create makes a file that must not be there yet.
func (t *Tree) create(name string, flag int, perm fs.FileMode) (*os.File, error) {
	dir, base, err := t.target(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	flags := flag&(os.O_RDONLY|os.O_WRONLY|os.O_RDWR|os.O_APPEND) | os.O_CREATE | os.O_EXCL
	if err := t.shared.ledger.reserve(0, 1); err != nil {
		return nil, err
	}
	f, err := openAt(dir, base, flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := t.own(f, perm); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openAt opens a name in a directory, and follows no link.
func openAt(dir *os.File, base string, flag int, perm uint32) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), base, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, perm)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: base, Err: err}
	}
	return os.NewFile(uintptr(fd), base), nil
}

// Read reads from where the file is at.
func (f *File) Read(b []byte) (int, error) { return f.file.Read(b) }

// ReadAt reads from a place.
func (f *File) ReadAt(b []byte, at int64) (int, error) { return f.file.ReadAt(b, at) }

// Seek changes where the file is at.
func (f *File) Seek(to int64, whence int) (int64, error) { return f.file.Seek(to, whence) }

// Write writes to where the file is at.
func (f *File) Write(b []byte) (int, error) {
	if err := f.reserve(-1, int64(len(b))); err != nil {
		return 0, err
	}
	n, err := f.file.Write(b)
	return n, explain(err)
}

// WriteAt writes to a place.
func (f *File) WriteAt(b []byte, at int64) (int, error) {
	if err := f.reserve(at, int64(len(b))); err != nil {
		return 0, err
	}
	n, err := f.file.WriteAt(b, at)
	return n, explain(err)
}

// Truncate changes the length.
func (f *File) Truncate(size int64) error {
	if err := f.reserve(0, size); err != nil {
		return err
	}
	return explain(f.file.Truncate(size))
}

// Chmod changes the permission bits.
func (f *File) Chmod(mode fs.FileMode) error { return explain(f.file.Chmod(mode.Perm())) }

// Chtimes changes the times of the last access and change of the content.
func (f *File) Chtimes(accessed, modified time.Time) error {
	times := []unix.Timespec{unix.NsecToTimespec(accessed.UnixNano()), unix.NsecToTimespec(modified.UnixNano())}
	err := unix.UtimesNanoAt(int(f.file.Fd()), "", times, unix.AT_EMPTY_PATH)
	if errors.Is(err, unix.EINVAL) { // a system before Linux 5.8, which then keeps microseconds
		err = unix.Futimes(int(f.file.Fd()), []unix.Timeval{unix.NsecToTimeval(accessed.UnixNano()), unix.NsecToTimeval(modified.UnixNano())})
	}
	return explain(err)
}

// Size is the length at this moment.
func (f *File) Size() (int64, error) {
	info, err := f.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at file: %w", err)
	}
	return info.Size(), nil
}

// Stat describes the open file; its path is the one given.
func (f *File) Stat(name string) (Entry, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.file.Fd()), &st); err != nil {
		return Entry{}, fmt.Errorf("look at file: %w", err)
	}
	return entryOf(&st, name), nil
}

// Sync returns when what was written is on the disk.
func (f *File) Sync() error { return explain(f.file.Sync()) }

// Close closes the file.
func (f *File) Close() error { return explain(f.file.Close()) }
