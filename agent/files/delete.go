package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Delete removes a name, and everything in it when it is a directory. A link is removed, not what it leads to. A directory
// is out of sight at once; when the context ends before its room is free, that is done later.
func (t *Tree) Delete(ctx context.Context, name string) error {
	name, err := Clean(name)
	if err != nil {
		return err
	}
	dir, base, err := t.parent(name)
	if err != nil {
		return explain(err)
	}
	defer dir.Close()
	defer t.shared.ledger.freed()
	err = unlink(dir, base, 0)
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return explain(err)
	}
	if err := t.throw(dir, base); err != nil {
		return explain(err)
	}
	return t.Sweep(ctx)
}

// RemoveFile removes a name that is no directory.
func (t *Tree) RemoveFile(name string) error { return t.remove(name, 0) }

// RemoveDir removes an empty directory.
func (t *Tree) RemoveDir(name string) error { return t.remove(name, unix.AT_REMOVEDIR) }

func (t *Tree) remove(name string, flags int) error {
	name, err := Clean(name)
	if err != nil {
		return err
	}
	dir, base, err := t.parent(name)
	if err != nil {
		return explain(err)
	}
	defer dir.Close()
	defer t.shared.ledger.freed()
	return explain(unlink(dir, base, flags))
}

func unlink(dir *os.File, base string, flags int) error {
	if err := unix.Unlinkat(int(dir.Fd()), base, flags); err != nil {
		return &fs.PathError{Op: "remove", Path: base, Err: err}
	}
	return nil
}

// throw moves a directory out of the root into the bin.
func (t *Tree) throw(dir *os.File, base string) error {
	const tries = 8 // the bin may be removed between its making and its opening
	for range tries {
		if err := t.server.Mkdir(binDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		bin, err := t.server.Open(binDir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = throwInto(bin, dir, base)
		_ = bin.Close() // it was only read
		// Not found is either the name, and then that is the answer, or the bin.
		if _, there := describe(dir, base, base); !errors.Is(err, fs.ErrNotExist) || there != nil {
			return err
		}
	}
	return errMoved
}

func throwInto(bin, dir *os.File, base string) error {
	to := rand.Text()
	err := rename(dir, base, bin, to, false)
	if errors.Is(err, fs.ErrPermission) && chmodAt(dir, base, 0o700) == nil {
		// A directory that must not be written to cannot be moved.
		err = rename(dir, base, bin, to, false)
	}
	return err
}

// Sweep frees the room of what was deleted.
func (t *Tree) Sweep(ctx context.Context) error {
	t.shared.bin.Lock()
	defer t.shared.bin.Unlock()
	if err := emptyBin(ctx, t.server); err != nil {
		return fmt.Errorf("free what was deleted: %w", err)
	}
	return nil
}
