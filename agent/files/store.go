package files

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// FilesDir is the directory below a server's that is the server's own root.
const FilesDir = "files"

// Store is the directory that holds one directory for each server.
type Store struct {
	path string
	root *os.Root

	space *freeSpace
	life  context.Context //nolint:containedctx // ends with Close, and with it what goes on by itself
	end   context.CancelFunc

	mu     sync.Mutex
	shares map[string]*shared
}

// Open opens the directory, which it makes if need be.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find servers directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make servers directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open servers directory: %w", err)
	}
	s := &Store{path: dir, root: root, space: &freeSpace{path: dir}, shares: make(map[string]*shared)}
	s.life, s.end = context.WithCancel(context.Background()) //nolint:forbidigo // it begins with the store and ends with Close
	return s, nil
}

// Close lets go of the directory.
func (s *Store) Close() error {
	s.end()
	if err := s.root.Close(); err != nil {
		return fmt.Errorf("close servers directory: %w", err)
	}
	return nil
}

// Path is the absolute path of a server's directory, whether or not it exists.
func (s *Store) Path(serverID string) string { return filepath.Join(s.path, serverID) }

// List names the servers that have a directory.
func (s *Store) List() ([]string, error) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list servers: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && kind.ValidID(kind.PrefixServer, e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// Create makes a server's directory and its root. What is already there stays.
func (s *Store) Create(serverID string) error {
	if err := check(serverID); err != nil {
		return err
	}
	if err := s.root.MkdirAll(path.Join(serverID, FilesDir), 0o700); err != nil {
		return fmt.Errorf("make server directory: %w", err)
	}
	return nil
}

// share returns what the open trees of a server have in common.
func (s *Store) share(serverID string) *shared {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shares[serverID] == nil {
		s.shares[serverID] = &shared{ledger: &ledger{
			life: s.life, free: s.space.look, measure: func(ctx context.Context) (Usage, error) { return s.measure(ctx, serverID, counting...) },
		}}
	}
	return s.shares[serverID]
}

// unshare forgets it, since the server is gone.
func (s *Store) unshare(serverID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.shares, serverID)
}

// check refuses anything but a server's id as the name of a directory.
func check(serverID string) error {
	if !kind.ValidID(kind.PrefixServer, serverID) {
		return fmt.Errorf("%q is no server's id", serverID)
	}
	return nil
}
