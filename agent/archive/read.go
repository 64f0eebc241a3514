package archive

import (
	"archive/tar"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Limits bound what comes out of an archive.
type Limits struct {
	// Bytes is how long all files together may be.
	Bytes int64
	// Entries is how many names there may be.
	Entries int
	// Depth is how deep directories may be nested.
	Depth int
	// Ratio is how many bytes may come out for each that goes in, once more than Free have come out.
	Ratio, Free int64
}

// Default returns the limits of archives that people bring.
func Default() Limits {
	return Limits{Bytes: 1 << 40, Entries: 1_000_000, Depth: 100, Ratio: 250, Free: 64 << 20}
}

const (
	// maxWindow bounds the memory of a decompressor, in bytes.
	maxWindow = 128 << 20
	// maxDirectory bounds the directory of a zip, in bytes: all of it is held in memory.
	maxDirectory = 32 << 20
	// maxTarget is how long the target of a link may be.
	maxTarget = 4096
)

var (
	errBroken  = fault.New(fault.BadUserInput, "The archive is damaged, or of another format than its name says.")
	errNames   = fault.New(fault.BadUserInput, "The archive has names that lead out of its directory: nothing of it was unpacked.")
	errBytes   = fault.New(fault.BadUserInput, "More comes out of the archive than is allowed: unpack it elsewhere and upload what is needed.")
	errEntries = fault.New(fault.BadUserInput, "The archive has more files than are allowed: unpack it elsewhere and upload what is needed.")
	errDepth   = fault.New(fault.BadUserInput, "The archive's directories are nested more deeply than is allowed.")
)

// member is one name of an archive that is read.
type member struct {
	// name is clean: it leads nowhere else.
	name     string
	kind     files.Kind
	size     int64 // as the archive says; not to be relied on
	mode     fs.FileMode
	modified time.Time
	// target is that of a symbolic link; hard is the clean name of the file that a hard link stands for.
	target, hard string
	content      io.Reader
}

// scan reads an archive and calls each for every member in turn, within limits. Members of kind Other are told, too.
func scan(ctx context.Context, f *files.File, format Format, limits Limits, told Scanned, each func(member) error) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	s := &scanner{ctx: ctx, limits: limits, told: told, each: each}
	if format == Zip {
		return s.zip(f, size)
	}
	return s.compressed(f, format, 1)
}

// scanStream is as scan, for a tar that comes as a stream.
func scanStream(ctx context.Context, from io.Reader, format Format, o Options, each func(member) error) error {
	s := &scanner{ctx: ctx, limits: o.Limits, told: o.Progress, each: each}
	return s.compressed(from, format, max(1, o.Threads))
}

// compressed reads a tar through its compression.
func (s *scanner) compressed(from io.Reader, format Format, threads int) error {
	in := &counted{ctx: s.ctx, from: from, told: func(n int64) { s.in += n }}
	plain, done, err := decompress(in, format, threads)
	if err != nil {
		return foreign(err)
	}
	defer done()
	return s.tar(plain)
}

// Scanned tells how far the reading of an archive has come; see Look and Unpack.
type Scanned func(bytesRead int64)

type scanner struct {
	ctx     context.Context //nolint:containedctx // that of one call
	limits  Limits
	each    func(member) error
	in, out int64
	entries int
	told    Scanned
}

// decompress undoes the compression around a tar.
func decompress(in io.Reader, format Format, threads int) (io.Reader, func(), error) {
	switch format {
	case Tar:
		return in, func() {}, nil
	case TarGzip:
		z, err := gzip.NewReader(in)
		return z, func() {}, err
	case TarZstd:
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(threads), zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	case TarBzip2:
		return bzip2.NewReader(in), func() {}, nil
	case TarXz:
		z, err := xz.NewReader(in, maxWindow)
		return z, func() {}, err
	case Zip:
	}
	return nil, nil, errBroken
}

// foreign makes an error of a decoder one that the archive's owner can understand.
func foreign(err error) error {
	if _, told := errors.AsType[*fault.Error](err); told || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return errBroken.Wrap(err)
}

// count takes one more member into account and checks its name.
func (s *scanner) count(name string) (string, error) {
	if s.ctx.Err() != nil {
		return "", context.Cause(s.ctx)
	}
	if s.entries++; s.entries > s.limits.Entries {
		return "", errEntries
	}
	if strings.HasPrefix(name, "/") {
		return "", errNames
	}
	name, err := files.Clean(name)
	if err != nil {
		return "", errNames.Wrap(err)
	}
	if strings.Count(name, "/") >= s.limits.Depth {
		return "", errDepth
	}
	return name, nil
}

// limited counts what comes out.
type limited struct {
	s    *scanner
	from io.Reader
}

// Read reads, as long as the limits allow it.
func (l limited) Read(b []byte) (int, error) {
	n, err := l.from.Read(b)
	l.s.out += int64(n)
	if l.s.out > l.s.limits.Bytes || l.s.out > l.s.limits.Free && l.s.out/l.s.limits.Ratio > l.s.in {
		return n, errBytes
	}
	if l.s.told != nil {
		l.s.told(l.s.in)
	}
	if l.s.ctx.Err() != nil {
		return n, context.Cause(l.s.ctx)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = foreign(err)
	}
	return n, err
}

// tar reads a tar. What is between its members goes through the limits, too.
func (s *scanner) tar(plain io.Reader) error {
	r := tar.NewReader(limited{s, plain})
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return foreign(err)
		}
		name, err := s.count(h.Name)
		if err != nil {
			return err
		}
		m := member{name: name, kind: files.Other, size: h.Size, mode: fs.FileMode(h.Mode).Perm(), modified: h.ModTime, content: r}
		switch h.Typeflag {
		case tar.TypeReg, '\x00', tar.TypeGNUSparse:
			m.kind = files.Regular
			if h.Size > s.limits.Bytes-s.out && h.Typeflag == tar.TypeReg {
				return errBytes // no need to find out
			}
		case tar.TypeDir:
			m.kind = files.Directory
		case tar.TypeSymlink:
			m.kind, m.target = files.Symlink, h.Linkname
		case tar.TypeLink:
			if m.hard, err = files.Clean(h.Linkname); err != nil || strings.HasPrefix(h.Linkname, "/") {
				return errNames
			}
			m.kind = files.Regular
		}
		if err := s.each(m); err != nil {
			return err
		}
	}
}

// zip reads a zip.
func (s *scanner) zip(f *files.File, size int64) error {
	directory := &bounded{from: f, left: maxDirectory}
	r, err := zip.NewReader(directory, size)
	switch {
	case directory.left < 0:
		return errEntries
	case err != nil && !errors.Is(err, zip.ErrInsecurePath):
		return foreign(err)
	}
	directory.unbounded = true
	for _, h := range r.File {
		// Members may lie over each other: what goes in is never more than there is.
		s.in = min(s.in+int64(min(h.CompressedSize64, uint64(size))), size)
		if err := s.zipMember(h); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) zipMember(h *zip.File) error {
	name := h.Name
	if made := h.CreatorVersion >> 8; made == 0 || made == 10 {
		name = strings.ReplaceAll(name, `\`, "/") // programs of Windows that do not know better
	}
	name, err := s.count(name)
	if err != nil {
		return err
	}
	mode := h.Mode()
	m := member{name: name, size: int64(h.UncompressedSize64), mode: mode.Perm(), modified: h.Modified}
	if h.CreatorVersion>>8 != 3 && h.CreatorVersion>>8 != 19 {
		m.mode &^= 0o022 // the bits are made up
	}
	switch mode.Type() {
	case 0:
		m.kind = files.Regular
	case fs.ModeDir:
		m.kind = files.Directory
		return s.each(m)
	case fs.ModeSymlink:
		m.kind = files.Symlink
	default:
		m.kind = files.Other
		return s.each(m)
	}
	content, err := h.Open()
	if err != nil {
		return foreign(err)
	}
	defer content.Close()
	m.content = limited{s, content}
	if m.kind == files.Symlink {
		target, err := io.ReadAll(io.LimitReader(m.content, maxTarget))
		if err != nil {
			return err
		}
		m.target = string(target)
	}
	return s.each(m)
}

// bounded reads at places, so many bytes at the most.
type bounded struct {
	from      io.ReaderAt
	left      int64
	unbounded bool
}

// ReadAt reads.
func (b *bounded) ReadAt(p []byte, at int64) (int, error) {
	if b.unbounded {
		return b.from.ReadAt(p, at)
	}
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, fmt.Errorf("the directory has more than %d bytes", maxDirectory)
	}
	return b.from.ReadAt(p, at)
}
