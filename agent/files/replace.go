package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// As says how a file is to be written.
type As struct {
	// Mode has the permission bits; 0 keeps those of the file that is replaced, or takes 0644.
	Mode fs.FileMode
	// UnmodifiedSince, when set, makes Commit fail with CONFLICT when the file was changed later, or is gone. Microseconds
	// count.
	UnmodifiedSince time.Time
	// New makes Commit fail with CONFLICT when there is something of this name.
	New bool
	// Parents makes directories that are missing.
	Parents bool
	// ModifiedAt, when set, becomes the time of the last change.
	ModifiedAt time.Time
}

// Replacement is a file that takes a name once it is complete. Until then nobody sees it. It ends with Commit or Abort;
// Abort after Commit does nothing.
type Replacement struct {
	*File

	name   string
	staged string
	as     As
	ended  bool
}

// Replace begins to write a file anew. A link is followed, and what it leads to is replaced.
func (t *Tree) Replace(name string, as As) (*Replacement, error) {
	name, err := Clean(name)
	if err != nil {
		return nil, err
	}
	if name == rootPath {
		return nil, errRoot
	}
	if as.Parents {
		if err := t.makeParents(name); err != nil {
			return nil, err
		}
	}
	dir, base, err := t.target(name)
	if err != nil {
		return nil, explain(err)
	}
	defer dir.Close()
	if err := as.allow(dir, base); err != nil {
		return nil, err
	}
	f, staged, err := t.stage()
	if err != nil {
		return nil, explain(err)
	}
	return &Replacement{File: t.newFile(f), name: name, staged: staged, as: as}, nil
}

// stage makes an empty file beside the root.
func (t *Tree) stage() (*os.File, string, error) {
	if err := t.server.Mkdir(stagingDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, "", err
	}
	if err := t.shared.ledger.reserve(0, 1); err != nil {
		return nil, "", err
	}
	name := path.Join(stagingDir, rand.Text())
	f, err := t.server.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return f, name, err
}

// allow checks what has the name at the moment.
func (as As) allow(dir *os.File, base string) error {
	e, err := describe(dir, base, base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if !as.UnmodifiedSince.IsZero() {
			return errModified
		}
		return nil
	case err != nil:
		return explain(err)
	case as.New:
		return errExists
	case e.Kind == Directory:
		return errDirectory
	case e.Kind != Regular:
		return errIrregular
	case !as.UnmodifiedSince.IsZero() && e.ModifiedAt.Truncate(time.Microsecond).After(as.UnmodifiedSince):
		return errModified
	}
	return nil
}

// Commit gives the file its name, and returns what it then is. What was written is on the disk by then.
func (r *Replacement) Commit() (Entry, error) {
	if r.ended {
		return Entry{}, fs.ErrClosed
	}
	defer r.Abort()
	t := r.tree
	t.shared.commit.Lock()
	defer t.shared.commit.Unlock()
	dir, base, err := t.target(r.name)
	if err != nil {
		return Entry{}, explain(err)
	}
	defer dir.Close()
	if err := r.as.allow(dir, base); err != nil {
		return Entry{}, err
	}
	if err := r.finish(dir, base); err != nil {
		return Entry{}, explain(err)
	}
	staging, err := t.server.Open(stagingDir)
	if err != nil {
		return Entry{}, fmt.Errorf("open staging directory: %w", err)
	}
	defer staging.Close()
	if err := rename(staging, path.Base(r.staged), dir, base, !r.as.New); err != nil {
		return Entry{}, explain(err)
	}
	r.ended = true
	t.shared.ledger.freed() // what was replaced
	e, err := r.Stat(r.name)
	return e, errors.Join(err, r.Close())
}

// finish gives the file its owner, mode and time, and puts it on the disk.
func (r *Replacement) finish(dir *os.File, base string) error {
	mode := r.as.Mode
	if mode == 0 {
		mode = 0o644
		if old, err := describe(dir, base, base); err == nil {
			mode = old.Mode
		}
	}
	if err := r.tree.own(r.file, mode); err != nil {
		return err
	}
	if !r.as.ModifiedAt.IsZero() {
		if err := r.Chtimes(r.as.ModifiedAt, r.as.ModifiedAt); err != nil {
			return err
		}
	}
	return r.file.Sync()
}

// Abort forgets the file.
func (r *Replacement) Abort() {
	if r.ended {
		return
	}
	r.ended = true
	r.tree.shared.ledger.freed()
	// A file that stays behind in spite of that is removed with the server or by the next sweep.
	_ = r.Close()
	_ = r.tree.server.Remove(r.staged)
}

// rename moves a name between directories. It follows no link; without over, a name that exists is not replaced.
func rename(from *os.File, old string, to *os.File, name string, over bool) error {
	var flags uint
	if !over {
		flags = unix.RENAME_NOREPLACE
	}
	err := unix.Renameat2(int(from.Fd()), old, int(to.Fd()), name, flags)
	if errors.Is(err, unix.EINVAL) && !over {
		// The file system may not know the flag.
		if _, there := describe(to, name, name); there == nil {
			return errExists
		}
		err = unix.Renameat(int(from.Fd()), old, int(to.Fd()), name)
	}
	if err != nil {
		return &fs.PathError{Op: "rename", Path: old, Err: err}
	}
	return nil
}
