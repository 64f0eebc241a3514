package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Packing is what is to be packed.
type Packing struct {
	Format Format
	// Paths are files and directories of the tree.
	Paths []string
	// Leave says what is left out, by its clean path; a directory is asked for with a slash at its end, too. nil leaves nothing
	// out.
	Leave func(path string) bool
	// Progress is told of bytes as they are read; nil when nobody asks.
	Progress func(bytes int64)
	// HardLinks makes further names of a file links to the first; else each is a file of its own. For tars only.
	HardLinks bool
	// Threads is how many threads compress; one when 0.
	Threads int
	// Packed is told of each name; nil when nobody asks.
	Packed func(files.Entry)
}

// leaves reports whether something is left out.
func (p *Packing) leaves(e files.Entry) bool {
	return p.Leave != nil && (p.Leave(e.Path) || e.Kind == files.Directory && p.Leave(e.Path+"/"))
}

// Write packs files into w. The names in the archive are relative to the directory that holds all of the paths.
func Write(ctx context.Context, w io.Writer, tree *files.Tree, p Packing) error {
	base, err := common(p.Paths)
	if err != nil {
		return err
	}
	out, err := newWriter(w, p.Format, p.Threads)
	if err != nil {
		return err
	}
	packer := &packer{ctx: ctx, out: out, base: base, packing: p, seen: make(map[string]bool), first: make(map[any]string)}
	for _, name := range p.Paths {
		if err := tree.Walk(ctx, name, packer.visit); err != nil {
			return errors.Join(err, out.abort())
		}
	}
	return out.close()
}

// common is the directory that holds all of the paths: that of the only one, unless it is the root.
func common(paths []string) (string, error) {
	if len(paths) == 0 {
		return "", fault.Input("paths", "Name what is to be packed.")
	}
	var base []string
	for i, name := range paths {
		name, err := files.Clean(name)
		if err != nil {
			return "", err
		}
		if name == "." {
			return "", nil
		}
		parts := strings.Split(name, "/")
		dir := parts[:len(parts)-1]
		if i == 0 {
			base = dir
		}
		n := 0
		for n < len(base) && n < len(dir) && base[n] == dir[n] {
			n++
		}
		base = base[:n]
	}
	return strings.Join(base, "/"), nil
}

type packer struct {
	ctx     context.Context //nolint:containedctx // that of one call of Write
	out     writer
	base    string
	packing Packing
	seen    map[string]bool // names of the paths themselves, which may lie in each other
	first   map[any]string  // the first name of each file that has several
	buffer  []byte
}

// visit packs one name.
func (p *packer) visit(v *files.Visit) error {
	name := strings.TrimPrefix(strings.TrimPrefix(v.Path, p.base), "/")
	switch {
	case v.Path == ".":
		return nil
	case p.packing.leaves(v.Entry), len(p.packing.Paths) > 1 && p.seen[name]:
		if v.Kind == files.Directory {
			return fs.SkipDir
		}
		return nil
	case len(p.packing.Paths) > 1:
		p.seen[name] = true
	}
	switch v.Kind {
	case files.Regular:
		return p.file(v, name)
	case files.Directory, files.Symlink:
		_, err := p.begin(item{name: name, entry: v.Entry})
		return err
	case files.Other:
	}
	return nil
}

// begin begins an item, and tells of it.
func (p *packer) begin(i item) (io.Writer, error) {
	if p.packing.Packed != nil {
		p.packing.Packed(i.entry)
	}
	return p.out.begin(i)
}

// link packs a further name of a file as a link; it reports whether it is one.
func (p *packer) link(e files.Entry, name string) (bool, error) {
	id, several := e.Shared()
	if !several || !p.packing.HardLinks {
		return false, nil
	}
	first, known := p.first[id]
	if !known {
		p.first[id] = name
		return false, nil
	}
	_, err := p.begin(item{name: name, entry: e, hard: first})
	return true, err
}

// file packs a file as long as it is at its opening: what is cut off meanwhile becomes zeros, as tar does it.
func (p *packer) file(v *files.Visit, name string) error {
	f, err := v.Open()
	if errors.Is(err, fs.ErrNotExist) || fault.CodeOf(err) == fault.BadUserInput {
		return nil // it is gone, or something else has taken its place
	}
	if err != nil {
		return err
	}
	defer f.Close()
	e, err := f.Stat(v.Path)
	if err != nil {
		return err
	}
	if linked, err := p.link(e, name); linked || err != nil {
		return err
	}
	w, err := p.begin(item{name: name, entry: e})
	if err != nil {
		return err
	}
	if p.buffer == nil {
		p.buffer = make([]byte, bufferSize)
	}
	n, err := io.CopyBuffer(plain{w}, &counted{ctx: p.ctx, from: io.LimitReader(f, e.Size), told: p.packing.Progress}, p.buffer)
	if err != nil {
		return err
	}
	_, err = io.CopyN(w, zeros{}, e.Size-n)
	return err
}

// bufferSize is how much is read at once, in bytes.
const bufferSize = 256 << 10

// plain is a writer and nothing else, so that a copy uses the buffer that it is given.
type plain struct{ io.Writer }

// counted reads, tells how much, and ends with a context.
type counted struct {
	ctx  context.Context //nolint:containedctx // that of one copy
	from io.Reader
	told func(int64)
}

// Read reads.
func (c *counted) Read(b []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.from.Read(b)
	if c.told != nil {
		c.told(int64(n))
	}
	return n, err
}

type zeros struct{}

// Read reads zeros.
func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// item is one name of an archive that is written.
type item struct {
	name  string
	entry files.Entry
	hard  string // the name of the file that it is a hard link to
}

// writer writes one kind of archive.
type writer interface {
	// begin begins an item; a file's content is written to the result.
	begin(item) (io.Writer, error)
	// close ends the archive.
	close() error
	// abort lets go of an archive that is not complete, without ending it as if it were.
	abort() error
}

func newWriter(w io.Writer, f Format, threads int) (writer, error) {
	switch f {
	case Zip:
		return &zipWriter{zip.NewWriter(w)}, nil
	case Tar:
		return &tarWriter{tar.NewWriter(w), nil, func() {}}, nil
	case TarGzip:
		if threads > 1 {
			z := pgzip.NewWriter(w)
			err := z.SetConcurrency(pieceSize, threads)
			return &tarWriter{tar.NewWriter(z), z, func() { _ = z.Close() }}, err
		}
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed+1)
		if err != nil {
			return nil, fmt.Errorf("begin to compress: %w", err)
		}
		return &tarWriter{tar.NewWriter(z), z, func() {}}, nil
	case TarZstd:
		if threads > 1 {
			z, err := newFrames(w, threads)
			if err != nil {
				return nil, fmt.Errorf("begin to compress: %w", err)
			}
			return &tarWriter{tar.NewWriter(z), z, z.abort}, nil
		}
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20))
		if err != nil {
			return nil, fmt.Errorf("begin to compress: %w", err)
		}
		return &tarWriter{tar.NewWriter(z), z, func() { z.Reset(nil) }}, nil
	case TarBzip2, TarXz:
	}
	return nil, fault.Input("format", "Archives of this format can be read only: choose tar.gz, tar.zst, tar or zip.")
}

type tarWriter struct {
	tar      *tar.Writer
	compress io.Closer
	release  func()
}

func (w *tarWriter) begin(i item) (io.Writer, error) {
	h := &tar.Header{Name: i.name, Mode: int64(i.entry.Mode), ModTime: i.entry.ModifiedAt, Format: tar.FormatPAX}
	switch i.entry.Kind {
	case files.Directory:
		h.Typeflag, h.Name = tar.TypeDir, i.name+"/"
	case files.Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, i.entry.Target
	case files.Regular, files.Other:
		h.Typeflag, h.Size = tar.TypeReg, i.entry.Size
		if i.hard != "" {
			h.Typeflag, h.Size, h.Linkname = tar.TypeLink, 0, i.hard
		}
	}
	return w.tar, w.tar.WriteHeader(h)
}

func (w *tarWriter) close() error {
	err := w.tar.Close()
	if w.compress != nil {
		err = errors.Join(err, w.compress.Close())
	}
	return err
}

func (w *tarWriter) abort() error {
	w.release()
	return nil
}

type zipWriter struct{ zip *zip.Writer }

// packed are the ends of names whose files are compressed already.
var packed = map[string]bool{
	".7z": true, ".bz2": true, ".gz": true, ".jar": true, ".jpg": true, ".mca": true, ".mp3": true, ".mp4": true, ".ogg": true, ".png": true,
	".rar": true, ".tgz": true, ".webp": true, ".xz": true, ".zip": true, ".zst": true,
}

func (w *zipWriter) begin(i item) (io.Writer, error) {
	h := &zip.FileHeader{Name: i.name, Modified: i.entry.ModifiedAt, Method: zip.Deflate}
	mode := i.entry.Mode
	switch i.entry.Kind {
	case files.Directory:
		h.Name += "/"
		h.Method, mode = zip.Store, mode|fs.ModeDir
	case files.Symlink:
		h.Method, mode = zip.Store, mode|fs.ModeSymlink
	case files.Regular, files.Other:
		if packed[strings.ToLower(path.Ext(i.name))] {
			h.Method = zip.Store
		}
	}
	h.SetMode(mode)
	content, err := w.zip.CreateHeader(h)
	if err != nil || i.entry.Kind != files.Symlink {
		return content, err
	}
	_, err = io.WriteString(content, i.entry.Target)
	return content, err
}

func (w *zipWriter) close() error { return w.zip.Close() }

func (w *zipWriter) abort() error { return nil }
