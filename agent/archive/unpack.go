package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Unpacked is what came of an archive.
type Unpacked struct {
	Entries int
	Bytes   int64
	// LeftOut counts what could not be taken over: devices, pipes, and links that lead out.
	LeftOut int
	// Alone are hard links, by their names, to files of the archive that were not unpacked.
	Alone map[string]string
}

// Options says how an archive is unpacked.
type Options struct {
	Limits Limits
	// Leave says what is left out, by its clean path in the tree; nil leaves nothing out.
	Leave func(path string) bool
	// Progress is told how many bytes of the archive were read; nil when nobody asks.
	Progress Scanned
	// Whole takes everything over as it was: links wherever they lead, and the exact modes of directories. It is for archives
	// of the server's own files.
	Whole bool
	// Threads is how many threads decompress; one when 0.
	Threads int
}

// Unpack unpacks an archive of the tree into a directory of it, which is made when it is missing. What is there is replaced
// where the archive has a file of the same name. After an error the directory is as it was.
func Unpack(ctx context.Context, tree *files.Tree, archive, into string, o Options) (Unpacked, error) {
	format, err := ByName(archive)
	if err != nil {
		return Unpacked{}, err
	}
	if into, err = files.Clean(into); err != nil {
		return Unpacked{}, err
	}
	f, err := tree.Open(archive)
	if err != nil {
		return Unpacked{}, err
	}
	defer f.Close()
	staged, err := tree.Stage()
	if err != nil {
		return Unpacked{}, err
	}
	u := &unpacker{into: staged.Tree, whole: o.Whole, leave: func(name string) bool { return o.Leave != nil && o.Leave(path.Join(into, name)) }}
	err = u.read(ctx, f, format, o)
	if err == nil {
		err = staged.MergeInto(ctx, into)
	}
	return u.done, errors.Join(err, staged.Discard(context.WithoutCancel(ctx)))
}

// Extract unpacks an archive that comes as a stream into a directory that nobody else sees. Nothing is undone after an
// error: the caller throws the directory away.
func Extract(ctx context.Context, from io.Reader, format Format, into *files.Tree, o Options) (Unpacked, error) {
	u := &unpacker{into: into, whole: o.Whole, leave: func(name string) bool { return o.Leave != nil && o.Leave(name) }}
	if err := scanStream(ctx, from, format, o, u.take); err != nil {
		return u.done, err
	}
	return u.done, u.finish()
}

type unpacker struct {
	into  *files.Tree
	whole bool
	leave func(name string) bool
	links []member // made last, so that nothing is written through them
	dirs  []member // get their modes and times when they are full
	done  Unpacked

	buffer []byte
}

func (u *unpacker) read(ctx context.Context, f *files.File, format Format, o Options) error {
	if err := scan(ctx, f, format, o.Limits, o.Progress, u.take); err != nil {
		return err
	}
	return u.finish()
}

// finish makes the links, and gives the directories their modes and times.
func (u *unpacker) finish() error {
	for _, l := range u.links {
		if err := u.link(l); err != nil {
			return err
		}
	}
	for _, d := range slices.Backward(u.dirs) {
		mode := d.mode
		if !u.whole {
			mode |= 0o700
		}
		if err := errors.Join(u.into.Chmod(d.name, mode), u.into.Chtimes(d.name, d.modified, d.modified)); err != nil {
			return err
		}
	}
	return nil
}

// take unpacks one member.
func (u *unpacker) take(m member) error {
	u.done.Entries++
	if m.name == "." {
		return nil
	}
	if u.leave(m.name) {
		u.done.LeftOut++
		return nil
	}
	switch m.kind {
	case files.Directory:
		u.dirs = append(u.dirs, m)
		err := u.into.Mkdir(m.name, 0o755, true)
		if there, statErr := u.into.Stat(m.name, false); err != nil && statErr == nil && there.Kind == files.Directory {
			return nil
		}
		return err
	case files.Symlink:
		u.links = append(u.links, m)
		return nil
	case files.Regular:
		if m.hard != "" {
			return u.hard(m)
		}
		return u.file(m)
	case files.Other:
		u.done.LeftOut++
	}
	return nil
}

// file unpacks a file. A name that comes twice is what came last.
func (u *unpacker) file(m member) error {
	f, err := u.into.OpenFile(m.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, m.mode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := u.into.MkdirParents(m.name); err != nil {
			return err
		}
		f, err = u.into.OpenFile(m.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, m.mode)
	}
	if errors.Is(err, fs.ErrExist) {
		if err := u.into.RemoveFile(m.name); err != nil {
			return err
		}
		f, err = u.into.OpenFile(m.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, m.mode)
	}
	if err != nil {
		return err
	}
	if u.buffer == nil {
		u.buffer = make([]byte, bufferSize)
	}
	n, err := io.CopyBuffer(plain{f}, m.content, u.buffer)
	if u.done.Bytes += n; err != nil {
		return errors.Join(foreign(err), f.Close())
	}
	return errors.Join(f.Chtimes(m.modified, m.modified), f.Close())
}

// hard makes a second name of a file that the archive has brought before.
func (u *unpacker) hard(m member) error {
	if err := u.into.MkdirParents(m.name); err != nil {
		return err
	}
	err := u.into.Link(m.hard, m.name)
	if errors.Is(err, fs.ErrExist) && m.hard != m.name {
		err = errors.Join(u.into.RemoveFile(m.name), u.into.Link(m.hard, m.name))
	}
	if errors.Is(err, fs.ErrNotExist) || m.hard == m.name {
		if u.done.LeftOut++; u.done.Alone == nil {
			u.done.Alone = make(map[string]string)
		}
		u.done.Alone[m.name] = m.hard
		return nil
	}
	return err
}

// link makes a symbolic link, unless it leads out or something has its name.
func (u *unpacker) link(m member) error {
	if err := u.into.MkdirParents(m.name); err != nil {
		return err
	}
	symlink := u.into.Symlink
	if u.whole {
		symlink = u.into.SymlinkAnywhere
	}
	err := symlink(m.target, m.name)
	switch {
	case err == nil:
		return u.into.Chtimes(m.name, m.modified, m.modified)
	case fault.CodeOf(err) == fault.BadUserInput, errors.Is(err, fs.ErrExist):
		u.done.LeftOut++
		return nil
	}
	return err
}
