package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
)

// maxDepth is how deep directories may be nested for a walk; each takes a descriptor.
const maxDepth = 1000

// Visit is one name that a walk meets. It is valid until the function that was given it returns.
type Visit struct {
	Entry

	dir  *os.File
	base string
}

// Open opens the file that was met, for reading, and nothing that took its place.
func (v *Visit) Open() (*File, error) {
	f, err := openAt(v.dir, v.base, os.O_RDONLY, 0)
	if err != nil {
		return nil, explain(err)
	}
	if err := regular(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &File{file: f}, nil
}

// Walk calls visit for a name and, when it is a directory, for everything in it, a directory before what is in it. No link
// is followed but in the path to the name itself. What vanishes meanwhile is left out. fs.SkipDir leaves out what is
// in a directory, fs.SkipAll ends the walk.
func (t *Tree) Walk(ctx context.Context, name string, visit func(*Visit) error) error {
	name, err := Clean(name)
	if err != nil {
		return err
	}
	dir, base, err := t.holder(name)
	if err != nil {
		return explain(err)
	}
	defer dir.Close()
	e, err := describe(dir, base, name)
	if err != nil {
		return explain(err)
	}
	err = walkFrom(ctx, &Visit{Entry: e, dir: dir, base: base}, visit, 0)
	if errors.Is(err, fs.SkipAll) || errors.Is(err, fs.SkipDir) {
		return nil
	}
	return explain(err)
}

// holder is as parent, but the root holds itself.
func (t *Tree) holder(name string) (*os.File, string, error) {
	if name != rootPath {
		return t.parent(name)
	}
	dir, err := t.dir(rootPath)
	return dir, rootPath, err
}

func walkFrom(ctx context.Context, v *Visit, visit func(*Visit) error, depth int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := visit(v); err != nil || v.Kind != Directory {
		if errors.Is(err, fs.SkipDir) && v.Kind == Directory {
			return nil
		}
		return err
	}
	if depth >= maxDepth {
		return errTooDeep
	}
	dir, err := openDir(v.dir, v.base)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoDir) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(batch)
		for _, e := range entries {
			if err := walkEntry(ctx, dir, e.Name(), path.Join(v.Path, e.Name()), visit, depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func walkEntry(ctx context.Context, dir *os.File, base, name string, visit func(*Visit) error, depth int) error {
	e, err := describe(dir, base, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return walkFrom(ctx, &Visit{Entry: e, dir: dir, base: base}, visit, depth+1)
}
