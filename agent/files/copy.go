package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Copy copies a file, or a directory with everything in it, to a name that must be free. Links are copied as links; pipes,
// sockets and devices are left out. Modes and times are kept. After an error nothing of the copy is left.
func (t *Tree) Copy(ctx context.Context, from, to string) error {
	from, to, err := pair(from, to)
	if err != nil {
		return err
	}
	if within(to, from) {
		return errIntoItself
	}
	if _, err := t.Stat(to, false); err == nil {
		return errExists
	}
	c := &copying{tree: t, from: from, to: to}
	err = t.Walk(ctx, from, func(v *Visit) error { return c.visit(ctx, v) })
	if err == nil {
		err = c.finish()
	}
	if err != nil && c.made {
		err = errors.Join(err, t.Delete(context.WithoutCancel(ctx), to))
	}
	return err
}

type copying struct {
	tree     *Tree
	from, to string
	made     bool
	goal     inode // the directory that is copied to: it may lie in the source, through a link
	dirs     []Entry
}

// visit copies one name.
func (c *copying) visit(ctx context.Context, v *Visit) error {
	name := path.Join(c.to, strings.TrimPrefix(strings.TrimPrefix(v.Path, c.from), "/"))
	switch v.Kind {
	case Directory:
		if c.made && v.inode == c.goal {
			return fs.SkipDir
		}
		if err := c.tree.mkdir(name, 0o700); err != nil {
			return err
		}
		e := v.Entry
		e.Path = name
		c.dirs = append(c.dirs, e)
		return c.first(name)
	case Symlink:
		dir, base, err := c.tree.parent(name)
		if err != nil {
			return err
		}
		defer dir.Close()
		if err := c.tree.symlinkAt(dir, base, v.Target); err != nil {
			return err
		}
		return c.first(name)
	case Regular:
		if err := c.file(ctx, v, name); err != nil {
			return err
		}
		return c.first(name)
	case Other:
		if !c.made {
			return errIrregular
		}
	}
	return nil
}

// first notes that the copy exists, and which directory it is.
func (c *copying) first(name string) error {
	if c.made {
		return nil
	}
	e, err := c.tree.Stat(name, false)
	c.made, c.goal = err == nil, e.inode
	return err
}

func (c *copying) file(ctx context.Context, v *Visit, name string) error {
	in, err := v.Open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is gone
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := c.tree.create(name, os.O_WRONLY, v.Mode)
	if err != nil {
		return err
	}
	c.made = true
	file := c.tree.newFile(out)
	if _, err := copyBytes(ctx, file, in, v.Size); err != nil {
		return errors.Join(err, file.Close())
	}
	return errors.Join(file.Chtimes(v.ModifiedAt, v.ModifiedAt), file.Close())
}

// finish gives directories their mode and time, which the making of what is in them has changed.
func (c *copying) finish() error {
	for _, d := range slices.Backward(c.dirs) {
		if err := c.tree.Chmod(d.Path, d.Mode); err != nil {
			return err
		}
		if err := c.tree.Chtimes(d.Path, d.ModifiedAt, d.ModifiedAt); err != nil {
			return err
		}
	}
	return nil
}

// copyChunk is how much is copied between two looks at the context, in bytes.
const copyChunk = 4 << 20

// copyBytes copies up to so many bytes: a file that grows as fast as it is copied ends, too.
func copyBytes(ctx context.Context, to *File, from *File, most int64) (int64, error) {
	if err := to.reserve(0, most); err != nil {
		return 0, err
	}
	var done int64
	for done < most {
		if ctx.Err() != nil {
			return done, context.Cause(ctx)
		}
		n, err := to.file.ReadFrom(io.LimitReader(from.file, min(copyChunk, most-done)))
		if done += n; err != nil {
			return done, err
		}
		if n == 0 {
			break
		}
	}
	return done, nil
}
