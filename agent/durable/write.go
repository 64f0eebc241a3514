package durable

import (
	"errors"
	"fmt"
	"os"
	"path"
	"syscall"
)

// Suffix is added to a file's name while its new content is being written, or room for it set aside.
const Suffix = ".new"

// WriteFile replaces a file, readable by its owner only. When it returns without an error, the content is on the disk.
func WriteFile(name string, content []byte) error {
	return replace(name, content, os.O_TRUNC)
}

// Reserve sets room aside on the disk, so that a later Fill of up to size bytes succeeds even when the disk is full by
// then.
func Reserve(name string, size int) error {
	f, err := os.OpenFile(name+Suffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("reserve %s: %w", path.Base(name), err)
	}
	_, err = f.Write(make([]byte, size))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("reserve %s: %w", path.Base(name), err)
	}
	return nil
}

// Fill is WriteFile into the room that Reserve has set aside.
func Fill(name string, content []byte) error { return replace(name, content, 0) }

func replace(name string, content []byte, truncate int) error {
	f, err := os.OpenFile(name+Suffix, os.O_WRONLY|os.O_CREATE|truncate, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path.Base(name), err)
	}
	if _, err = f.Write(content); err == nil {
		err = f.Truncate(int64(len(content)))
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path.Base(name), err)
	}
	if err := os.Rename(name+Suffix, name); err != nil {
		return fmt.Errorf("replace %s: %w", path.Base(name), err)
	}
	return SyncDir(path.Dir(name))
}

// SyncDir makes the names in a directory last.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) { // a file system that has nothing to sync there
		err = nil
	}
	if err := errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
