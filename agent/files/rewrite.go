package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// ErrNotRegular is returned for what has a file's name but is none: a directory, a link, a device.
var ErrNotRegular = errors.New("it is not a regular file")

// Rewrite replaces a file of a server by what edit makes of its content, at most limit bytes of which are read; one byte
// more tells that there is more. A file that is missing has no content (nil), and is made unless edit returns nil, too.
// Readers see the old file or the new one, which keeps the mode and the owner of the old one or of its directory. What
// edit does not change is not written. Links are not followed; the error then is ErrNotRegular. An error of edit is
// returned as it is.
func (s *Store) Rewrite(serverID, name string, limit int64, edit func(old []byte) ([]byte, error)) error {
	if err := check(serverID); err != nil {
		return err
	}
	root, err := s.root.OpenRoot(path.Join(serverID, FilesDir))
	if err != nil {
		return fmt.Errorf("open server files: %w", err)
	}
	defer root.Close()
	name = path.Clean(name)
	old, info, err := readRegular(root, name, limit)
	if err != nil {
		return err
	}
	fresh, err := edit(old)
	if err != nil {
		return err
	}
	if bytes.Equal(old, fresh) && (info != nil || fresh == nil) {
		return nil
	}
	if err := replace(root, name, info, fresh); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// readRegular reads a regular file. One that is missing has neither content nor info.
func readRegular(root *os.Root, name string, limit int64) ([]byte, fs.FileInfo, error) {
	before, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil
	case errors.Is(err, syscall.ENOTDIR), err == nil && !before.Mode().IsRegular():
		return nil, nil, ErrNotRegular
	case err != nil:
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	// Whatever has taken its name since must not hold the agent up.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	if !info.Mode().IsRegular() || !os.SameFile(before, info) {
		return nil, nil, ErrNotRegular
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	return content, info, nil
}

// replace puts a new file in the place of an old one, whose info is nil when there is none.
func replace(root *os.Root, name string, old fs.FileInfo, content []byte) error {
	dir := path.Dir(name)
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return err //nolint:wrapcheck // Rewrite wraps it
	}
	mode, like := fs.FileMode(0o644), old
	if old != nil {
		mode = old.Mode().Perm()
	} else if parent, err := root.Stat(dir); err == nil {
		like = parent
	}
	// One name for all times: what a power cut leaves behind is replaced by the next start.
	fresh := path.Join(dir, "."+path.Base(name)+".catalyst-new")
	if err := gone(root.RemoveAll(fresh)); err != nil {
		return err //nolint:wrapcheck // Rewrite wraps it
	}
	f, err := root.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err //nolint:wrapcheck // Rewrite wraps it
	}
	_, err = f.Write(content)
	err = errors.Join(err, own(f, like), f.Chmod(mode))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(fresh, name)
	}
	if err != nil {
		return errors.Join(err, gone(root.Remove(fresh)))
	}
	return nil
}

// own gives a file to whom another one belongs, where the agent may do that.
func own(f *os.File, like fs.FileInfo) error {
	if like == nil || os.Geteuid() != 0 {
		return nil
	}
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid)) //nolint:wrapcheck // Rewrite wraps it
}
