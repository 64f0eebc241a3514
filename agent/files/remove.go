package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// binDir is where directories of a server lie while they are being removed.
const binDir = ".removing"

// Remove removes a server's directory with everything in it; with keepFiles its root stays. What is not there is no
// error, so that it can be repeated, as it must be when the context ends before. The program must have ended.
func (s *Store) Remove(ctx context.Context, serverID string, keepFiles bool) error {
	if err := check(serverID); err != nil {
		return err
	}
	server, err := s.root.OpenRoot(serverID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open server directory: %w", err)
	}
	defer server.Close()
	entries, err := fs.ReadDir(server.FS(), ".")
	if err != nil {
		return fmt.Errorf("list server directory: %w", err)
	}
	for _, e := range entries {
		if keepFiles && e.Name() == FilesDir {
			continue
		}
		if err := throwAway(server, e); err != nil {
			return fmt.Errorf("remove from server directory: %w", err)
		}
	}
	if err := emptyBin(ctx, server); err != nil {
		return fmt.Errorf("remove from server directory: %w", err)
	}
	if keepFiles {
		return nil
	}
	if err := s.root.Remove(serverID); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove server directory: %w", err)
	}
	s.unshare(serverID)
	return nil
}

// throwAway removes a file, or puts a directory into the bin.
func throwAway(server *os.Root, e fs.DirEntry) error {
	switch {
	case !e.IsDir():
		return gone(server.Remove(e.Name()))
	case e.Name() == binDir:
		return nil
	}
	if err := server.Mkdir(binDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return toBin(server, e.Name())
}

// toBin moves a directory into the bin. One that must not be written to cannot be moved, and gets its mode changed.
func toBin(server *os.Root, name string) error {
	to := path.Join(binDir, rand.Text())
	err := server.Rename(name, to)
	if errors.Is(err, fs.ErrPermission) && server.Chmod(name, 0o700) == nil {
		err = server.Rename(name, to)
	}
	return gone(err)
}

// emptyBin removes what is in the bin, one directory after the other: directories inside of one are moved out of it
// before, so that how deep a program has nested them does not matter, neither for descriptors nor for the stack.
func emptyBin(ctx context.Context, server *os.Root) error {
	for {
		bin, err := server.Open(binDir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		entries, err := bin.ReadDir(batch)
		_ = bin.Close() // it was only read
		if errors.Is(err, io.EOF) {
			if err := gone(server.Remove(binDir)); !errors.Is(err, unix.ENOTEMPTY) {
				return err
			}
			continue // something was thrown into it meanwhile
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := flatten(ctx, server, path.Join(binDir, e.Name())); err != nil {
				return err
			}
		}
	}
}

// flatten removes a directory in the bin after what is in it: files go, directories are moved beside it.
func flatten(ctx context.Context, server *os.Root, dir string) error {
	d, err := server.Open(dir)
	if errors.Is(err, fs.ErrPermission) && server.Chmod(dir, 0o700) == nil {
		d, err = server.Open(dir)
	}
	if err != nil {
		return gone(err)
	}
	defer d.Close()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		entries, err := d.ReadDir(batch)
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			if e.IsDir() {
				err = errors.Join(err, toBin(server, name))
			} else {
				err = errors.Join(err, gone(server.Remove(name)))
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return gone(server.Remove(dir))
		case err != nil:
			return err
		}
	}
}

// gone takes what is not there for removed.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
