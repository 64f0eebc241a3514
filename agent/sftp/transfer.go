package sftp

import (
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/pkg/sftp"

	"github.com/catalyst-panel/catalyst/agent/files"
)

// newMode is that of new files: the library does not tell which mode a client opens a file with. Those that care set it
// afterwards.
const newMode = 0o644

// Fileread implements sftp.FileReader.
func (h *handlers) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	t, err := h.transfer(r)
	return t, answer(err)
}

// Filewrite implements sftp.FileWriter.
func (h *handlers) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	t, err := h.transfer(r)
	return t, answer(err)
}

// OpenFile implements sftp.OpenFileWriter.
func (h *handlers) OpenFile(r *sftp.Request) (sftp.WriterAtReaderAt, error) {
	t, err := h.transfer(r)
	return t, answer(err)
}

// transfer opens a file as the client wants it.
func (h *handlers) transfer(r *sftp.Request) (*transfer, error) {
	want := r.Pflags()
	changes := want.Write || want.Append || want.Creat || want.Trunc
	if want.Read || !changes {
		if err := h.mayRead(); err != nil {
			return nil, err
		}
	}
	if changes {
		if err := h.mayWrite(); err != nil {
			return nil, err
		}
	}
	if err := h.session.Denied.Check(r.Filepath); err != nil {
		return nil, err
	}
	if err := h.enter(); err != nil {
		return nil, err
	}
	f, err := h.session.Tree.OpenFile(r.Filepath, flags(want, changes), newMode)
	if err != nil {
		h.leave()
		return nil, err
	}
	t := &transfer{file: f, path: r.Filepath, handlers: h, changed: want.Trunc || want.Creat && want.Excl}
	if want.Append {
		if t.appends.base, err = f.Size(); err != nil {
			_ = t.Close()
			return nil, err
		}
		t.appends.on = true
	}
	return t, nil
}

// flags are those of the package os. That of appending is not among them: a file that is opened with it takes no writes at
// a place, which is what clients send.
func flags(want sftp.FileOpenFlags, changes bool) int {
	out := os.O_RDONLY
	switch {
	case changes && want.Read:
		out = os.O_RDWR
	case changes:
		out = os.O_WRONLY
	}
	for flag, wanted := range map[int]bool{os.O_CREATE: want.Creat, os.O_TRUNC: want.Trunc, os.O_EXCL: want.Creat && want.Excl} {
		if wanted {
			out |= flag
		}
	}
	return out
}

// transfer is a file that a client has open.
type transfer struct {
	file     *files.File
	path     string
	handlers *handlers
	changed  bool // by the opening itself
	written  atomic.Int64
	appends  appending
}

// ReadAt reads.
func (t *transfer) ReadAt(b []byte, at int64) (int, error) {
	n, err := t.file.ReadAt(b, at)
	return n, answer(err)
}

// WriteAt writes.
func (t *transfer) WriteAt(b []byte, at int64) (int, error) {
	n, err := t.file.WriteAt(b, t.appends.place(at))
	t.written.Add(int64(n))
	return n, answer(err)
}

// Close closes the file, and notes that it was changed if it was.
func (t *transfer) Close() error {
	defer t.handlers.leave()
	if n := t.written.Load(); n > 0 || t.changed {
		t.handlers.log.note(Deed{Kind: Write, Path: t.path, Bytes: n})
	}
	return answer(t.file.Close())
}

// appending finds the place of what is to be appended. Some clients count from the beginning of the file and others from
// where it ended; the first packet tells, since packets are taken up in order.
type appending struct {
	on   bool
	base int64 // where the file ended when it was opened

	once  sync.Once
	shift int64
}

func (a *appending) place(at int64) int64 {
	if !a.on {
		return at
	}
	a.once.Do(func() {
		if at < a.base {
			a.shift = a.base - at
		}
	})
	return at + a.shift
}
