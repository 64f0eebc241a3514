package sftp

import (
	"errors"
	"os"
	"path"

	"github.com/pkg/sftp"
)

// blockSize is what room is counted in for clients, in bytes.
const blockSize = 4096

// Filecmd implements sftp.FileCmder.
func (h *handlers) Filecmd(r *sftp.Request) error { return answer(h.command(r)) }

func (h *handlers) command(r *sftp.Request) error {
	switch r.Method {
	case "Remove":
		return h.remove(r.Filepath, h.session.Tree.RemoveFile)
	case "Rmdir":
		return h.remove(r.Filepath, h.session.Tree.RemoveDir)
	}
	if err := h.mayWrite(); err != nil {
		return err
	}
	switch r.Method {
	case "Setstat":
		return h.setstat(r)
	case "Rename":
		return h.rename(r.Filepath, r.Target, false)
	case "Mkdir":
		return h.mkdir(r.Filepath)
	case "Symlink":
		return h.symlink(r.Filepath, r.Target)
	case "Link":
		return h.link(r.Filepath, r.Target)
	}
	return &status{"The server cannot do that.", sftp.ErrSSHFxOpUnsupported}
}

func (h *handlers) remove(name string, how func(string) error) error {
	if err := h.mayDelete(); err != nil {
		return err
	}
	if err := h.session.Denied.CheckWhole(name); err != nil {
		return err
	}
	return h.noted(how(name), Deed{Kind: Delete, Path: name})
}

// noted notes a deed that has not failed.
func (h *handlers) noted(err error, d Deed) error {
	if err == nil {
		h.log.note(d)
	}
	return err
}

func (h *handlers) mkdir(name string) error {
	if err := h.session.Denied.Check(name); err != nil {
		return err
	}
	return h.noted(h.session.Tree.Mkdir(name, 0o755, false), Deed{Kind: Mkdir, Path: name})
}

// PosixRename implements sftp.PosixRenameFileCmder: what has the new name is replaced.
func (h *handlers) PosixRename(r *sftp.Request) error {
	if err := h.mayWrite(); err != nil {
		return answer(err)
	}
	return answer(h.rename(r.Filepath, r.Target, true))
}

func (h *handlers) rename(from, to string, over bool) error {
	if err := h.session.Denied.CheckWhole(from, to); err != nil {
		return err
	}
	return h.noted(h.session.Tree.Rename(from, to, over), Deed{Kind: Rename, Path: from, To: to})
}

// symlink makes a link, which must not lead around what is denied.
func (h *handlers) symlink(target, name string) error {
	from := target
	if !path.IsAbs(from) {
		from = path.Join(path.Dir(name), target)
	}
	if err := errors.Join(h.session.Denied.Check(name), h.session.Denied.CheckLink(from)); err != nil {
		return err
	}
	return h.noted(h.session.Tree.Symlink(target, name), Deed{Kind: Symlink, Path: name, To: target})
}

func (h *handlers) link(existing, name string) error {
	if err := h.session.Denied.Check(existing, name); err != nil {
		return err
	}
	return h.noted(h.session.Tree.Link(existing, name), Deed{Kind: Link, Path: existing, To: name})
}

// setstat changes what a client wants changed. Owners are not its to choose.
func (h *handlers) setstat(r *sftp.Request) error {
	if err := h.session.Denied.Check(r.Filepath); err != nil {
		return err
	}
	want, attributes := r.AttrFlags(), r.Attributes()
	if attributes == nil {
		return &status{"The attributes are malformed.", sftp.ErrSSHFxBadMessage}
	}
	if want.UidGid && !want.Size && !want.Permissions && !want.Acmodtime {
		return &status{"Files belong to the server's own user.", sftp.ErrSSHFxPermissionDenied}
	}
	if want.Size {
		if err := h.truncate(r.Filepath, attributes.Size); err != nil {
			return err
		}
	}
	if want.Permissions {
		err := h.session.Tree.Chmod(r.Filepath, attributes.FileMode().Perm())
		if err := h.noted(err, Deed{Kind: Chmod, Path: r.Filepath}); err != nil {
			return err
		}
	}
	if want.Acmodtime {
		err := h.session.Tree.Chtimes(r.Filepath, attributes.AccessTime(), attributes.ModTime())
		return h.noted(err, Deed{Kind: Touch, Path: r.Filepath})
	}
	return nil
}

func (h *handlers) truncate(name string, size uint64) error {
	if size > 1<<62 {
		return &status{"A file cannot have that length.", sftp.ErrSSHFxFailure}
	}
	f, err := h.session.Tree.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return h.noted(f.Truncate(int64(size)), Deed{Kind: Write, Path: name})
}

// StatVFS implements sftp.StatVFSFileCmder: what the quota and the disk leave.
func (h *handlers) StatVFS(*sftp.Request) (*sftp.StatVFS, error) {
	if err := h.mayRead(); err != nil {
		return nil, answer(err)
	}
	s, err := h.session.Tree.Space()
	if err != nil {
		return nil, answer(err)
	}
	return &sftp.StatVFS{
		Bsize: blockSize, Frsize: blockSize, Blocks: uint64(s.Bytes / blockSize),
		Bfree: uint64(s.FreeBytes / blockSize), Bavail: uint64(s.FreeBytes / blockSize),
		Files: uint64(s.Inodes), Ffree: uint64(s.FreeInodes), Favail: uint64(s.FreeInodes), Namemax: 255,
	}, nil
}
