package sftp

import (
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/pkg/sftp"

	"github.com/catalyst-panel/catalyst/agent/files"
)

// maxListed is how many entries of a directory are shown at the most.
const maxListed = 1 << 20

// Filelist implements sftp.FileLister.
func (h *handlers) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if err := h.mayRead(); err != nil {
		return nil, answer(err)
	}
	if r.Method == "List" {
		l, err := h.directory(r.Filepath)
		return l, answer(err)
	}
	return h.stat(r.Filepath, true)
}

// Lstat implements sftp.LstatFileLister.
func (h *handlers) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	if err := h.mayRead(); err != nil {
		return nil, answer(err)
	}
	return h.stat(r.Filepath, false)
}

func (h *handlers) stat(name string, follow bool) (sftp.ListerAt, error) {
	e, err := h.session.Tree.Stat(name, follow)
	if err != nil {
		return nil, answer(err)
	}
	return &listing{entries: []files.Entry{e}}, nil
}

func (h *handlers) directory(name string) (*listing, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	found, err := h.session.Tree.List(h.ctx, name, files.Page{Most: maxListed})
	if err != nil {
		h.leave()
		return nil, err
	}
	return &listing{entries: found.Entries, closed: h.leave}, nil
}

// Readlink implements sftp.ReadlinkFileLister.
func (h *handlers) Readlink(name string) (string, error) {
	if err := h.mayRead(); err != nil {
		return "", answer(err)
	}
	e, err := h.session.Tree.Stat(name, false)
	if err != nil {
		return "", answer(err)
	}
	if e.Kind != files.Symlink {
		return "", &status{"This is no link.", sftp.ErrSSHFxFailure}
	}
	return e.Target, nil
}

// listing is entries that a client gets bit by bit.
type listing struct {
	entries []files.Entry
	closed  func()
}

// ListAt implements sftp.ListerAt.
func (l *listing) ListAt(into []os.FileInfo, at int64) (int, error) {
	if at >= int64(len(l.entries)) {
		return 0, io.EOF
	}
	n := 0
	for n < len(into) && int(at)+n < len(l.entries) {
		into[n] = info{l.entries[int(at)+n]}
		n++
	}
	if n < len(into) {
		return n, io.EOF
	}
	return n, nil
}

// Close ends it.
func (l *listing) Close() error {
	if l.closed != nil {
		l.closed()
	}
	return nil
}

// info shows an entry as the library wants to see it.
type info struct{ files.Entry }

var types = map[files.Kind]fs.FileMode{
	files.Directory: fs.ModeDir, files.Symlink: fs.ModeSymlink, files.Other: fs.ModeIrregular,
}

// Mode has the permission bits and the type.
func (i info) Mode() fs.FileMode { return i.Entry.Mode | types[i.Kind] }

// Size is the length in bytes.
func (i info) Size() int64 { return i.Entry.Size }

// ModTime is when the content was changed last.
func (i info) ModTime() time.Time { return i.ModifiedAt }

// IsDir reports whether it is a directory.
func (i info) IsDir() bool { return i.Kind == files.Directory }

// Sys is nothing more.
func (info) Sys() any { return nil }
