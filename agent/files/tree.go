package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// stagingDir is where a server's replacements lie until they are complete.
const stagingDir = ".staging"

// shared is what all open trees of one server have in common.
type shared struct {
	ledger *ledger
	// commit is held while a name is looked at and then changed.
	commit sync.Mutex
	// bin is held by the one who empties the bin.
	bin sync.Mutex

	mu      sync.Mutex
	uploads map[string]bool // those that are being written to
}

// claim begins to write to an upload, unless somebody does already.
func (s *shared) claim(at string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uploads[at] {
		return false
	}
	if s.uploads == nil {
		s.uploads = make(map[string]bool)
	}
	s.uploads[at] = true
	return true
}

func (s *shared) release(at string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, at)
}

// Tree is one server's root, opened. Close it after use.
type Tree struct {
	server *os.Root // the server's directory: what lies beside the root
	root   *os.Root
	shared *shared
	uid    int // whom new files belong to; -1 leaves them to the agent
	gid    int
}

// Tree opens a server's root. A server that the node does not have is NOT_FOUND.
func (s *Store) Tree(serverID string) (*Tree, error) {
	if err := check(serverID); err != nil {
		return nil, fault.Missing("server").Wrap(err)
	}
	server, err := s.root.OpenRoot(serverID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Missing("server").Wrap(err)
	}
	if err != nil {
		return nil, fmt.Errorf("open server directory: %w", err)
	}
	root, err := server.OpenRoot(FilesDir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open server root: %w", err), server.Close())
	}
	t := &Tree{server: server, root: root, shared: s.share(serverID), uid: -1, gid: -1}
	if err := t.findOwner(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Close lets go of the root. Files that were opened stay open.
func (t *Tree) Close() error {
	if err := errors.Join(t.root.Close(), t.server.Close()); err != nil {
		return fmt.Errorf("close server root: %w", err)
	}
	return nil
}

// findOwner learns whom the root belongs to, when the agent may give files away at all.
func (t *Tree) findOwner() error {
	dir, err := t.root.Open(".")
	if err != nil {
		return fmt.Errorf("open server root: %w", err)
	}
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return fmt.Errorf("look at server root: %w", err)
	}
	if os.Geteuid() == 0 {
		t.uid, t.gid = int(st.Uid), int(st.Gid)
	}
	return nil
}

// own gives what was made to the server's user, with exactly this mode.
func (t *Tree) own(f *os.File, perm fs.FileMode) error {
	if t.uid >= 0 {
		if err := f.Chown(t.uid, t.gid); err != nil {
			return err
		}
	}
	return f.Chmod(perm.Perm())
}

// dir opens a directory by its clean path. Links are followed.
func (t *Tree) dir(name string) (*os.File, error) {
	return t.root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
}

// parent opens the directory that holds a name, whether or not that exists, and returns the name in it. A link is not
// followed when it is the last name.
func (t *Tree) parent(name string) (*os.File, string, error) {
	dir, base := path.Split(name)
	switch base {
	case "", ".", "..":
		return nil, "", errRoot
	}
	if dir == "" {
		dir = rootPath
	}
	d, err := t.dir(path.Join(dir))
	return d, base, err
}

// maxLinks is how many links a path may lead through, as the system has it.
const maxLinks = 40

// target is as parent, but follows links to the name at their end.
func (t *Tree) target(name string) (*os.File, string, error) {
	for range maxLinks {
		dir, base, err := t.parent(name)
		if err != nil {
			return nil, "", err
		}
		to := readLink(dir, base)
		if to == "" {
			return dir, base, nil
		}
		_ = dir.Close() // it was only read
		if path.IsAbs(to) {
			return nil, "", errEscapes
		}
		// Not cleaned: "a/.." is not here when a is a link. The root resolves it.
		name = path.Dir(name) + "/" + to
	}
	return nil, "", errLoop
}

// readLink returns where a link leads, and nothing for what is no link.
func readLink(dir *os.File, base string) string {
	buf := make([]byte, maxPath)
	n, err := unix.Readlinkat(int(dir.Fd()), base, buf)
	if err != nil {
		return "" // it is no link, or not there: whoever opens it will see
	}
	return string(buf[:n])
}
