package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// LoadOrCreate returns the box of the key in a file, which it makes (mode 0600) when there is none. It refuses a file
// that others may read. Of two processes that start at once on the same directory, both end up with the same key.
func LoadOrCreate(path string) (*Box, error) {
	if err := create(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the key of secrets: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the key of secrets %s may be read by others: set its mode to 0600", path)
	}
	secret, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key of secrets: %w", err)
	}
	return New(bytes.TrimSpace(secret))
}

// create writes a new key beside the file and puts it there unless it exists.
func create(path string) error {
	if _, err := os.Stat(path); err == nil {
		return fs.ErrExist
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".secrets-*")
	if err != nil {
		return fmt.Errorf("make the key of secrets: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // what is left of it is a second name, or a key that nothing uses
	_, err = f.Write(append(NewKey(), '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("make the key of secrets: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil {
		return fmt.Errorf("make the key of secrets: %w", err)
	}
	return nil
}
