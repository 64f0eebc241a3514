package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// filesDir is the root of what the server itself may see.
const filesDir = "files"

// createFiles makes the server's root.
func createFiles(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, filesDir), 0o750); err != nil {
		return fmt.Errorf("create server files: %w", err)
	}
	return nil
}

// removeDirectory removes a server's directory, the state last, so that a removal that was cut off is taken up again.
func removeDirectory(dir string, keepFiles bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove server: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == stateFile || (keepFiles && entry.Name() == filesDir) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("remove server: %w", err)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, stateFile)); err != nil {
		return fmt.Errorf("remove server: %w", err)
	}
	if keepFiles {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove server: %w", err)
	}
	return nil
}

// usage adds up the size of a server's files.
func usage(ctx context.Context, dir string) (int64, error) {
	total := int64(0)
	err := filepath.WalkDir(filepath.Join(dir, filesDir), func(_ string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // files come and go while a program runs
		}
		if info, err := d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total, err
}
