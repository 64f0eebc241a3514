package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// Staging is a directory beside the root that is filled out of everybody's sight, with all that a Tree offers, and then
// merged into the root. It ends with Discard, also after it was merged.
type Staging struct {
	*Tree

	of   *Tree
	name string
}

// Stage makes an empty one.
func (t *Tree) Stage() (*Staging, error) {
	if err := t.server.Mkdir(stagingDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, explain(err)
	}
	name := path.Join(stagingDir, rand.Text())
	if err := t.server.Mkdir(name, 0o700); err != nil {
		return nil, explain(err)
	}
	root, err := t.server.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open staging directory: %w", err)
	}
	staged := *t
	staged.root = root
	s := &Staging{Tree: &staged, of: t, name: name}
	dir, err := root.Open(rootPath)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	defer dir.Close()
	return s, explain(t.own(dir, dirMode))
}

// Discard removes the directory with what is left in it.
func (s *Staging) Discard(ctx context.Context) error {
	_ = s.root.Close() // it was worked in only
	defer s.shared.ledger.freed()
	dir, base, err := s.beside()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := s.of.throw(dir, base); err != nil {
		return explain(gone(err))
	}
	return s.of.Sweep(ctx)
}

// MergeInto moves what is in it into a directory of the root, which is made when it is missing. Directories are merged, files
// and links replaced; a file where a directory is, or the other way round, is a CONFLICT, and then nothing is moved.
func (s *Staging) MergeInto(ctx context.Context, into string) error {
	into, err := Clean(into)
	if err != nil {
		return err
	}
	if into != rootPath {
		if err := s.of.makeParents(into); err != nil {
			return err
		}
		if err := s.move(into); !errors.Is(err, fs.ErrExist) {
			return explain(err)
		}
	}
	s.shared.commit.Lock()
	defer s.shared.commit.Unlock()
	check := func(v *Visit) error { return s.fits(v, path.Join(into, v.Path)) }
	if err := s.Walk(ctx, rootPath, check); err != nil {
		return err
	}
	return s.Walk(ctx, rootPath, func(v *Visit) error { return s.place(v, path.Join(into, v.Path)) })
}

// beside opens the directory that holds this one.
func (s *Staging) beside() (*os.File, string, error) {
	dir, err := s.server.Open(path.Dir(s.name))
	return dir, path.Base(s.name), err
}

// move gives the whole directory a name that is free.
func (s *Staging) move(into string) error {
	from, old, err := s.beside()
	if err != nil {
		return err
	}
	defer from.Close()
	to, name, err := s.of.parent(into)
	if err != nil {
		return err
	}
	defer to.Close()
	return rename(from, old, to, name, false)
}

// fits refuses a name whose place is taken by something of another kind.
func (s *Staging) fits(v *Visit, name string) error {
	there, err := s.of.Stat(name, v.Kind == Directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if (there.Kind == Directory) != (v.Kind == Directory) {
		return errExists
	}
	return nil
}

// place moves one name to its place. What is in a directory follows.
func (s *Staging) place(v *Visit, name string) error {
	if name == rootPath {
		return nil
	}
	if v.Kind == Directory {
		err := s.of.mkdir(name, v.Mode)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	to, base, err := s.of.parent(name)
	if err != nil {
		return err
	}
	defer to.Close()
	return rename(v.dir, v.base, to, base, true)
}

// Tidy throws away what an agent that was killed has left in staging directories. Nothing may be staged meanwhile. Room
// is freed by the next Sweep.
func (s *Store) Tidy(serverID string) error {
	t, err := s.Tree(serverID)
	if err != nil {
		return gone(err)
	}
	defer t.Close()
	dir, err := t.server.Open(rootPath)
	if err != nil {
		return fmt.Errorf("open server directory: %w", err)
	}
	defer dir.Close()
	if err := t.throw(dir, stagingDir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("tidy server directory: %w", err)
	}
	return nil
}
