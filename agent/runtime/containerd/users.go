package containerd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"github.com/catalyst-panel/catalyst/agent/durable"
)

// firstUser and lastUser bound the user numbers of servers. They lie above everything that distributions and systemd give
// out, and below what programs with signed numbers take.
const (
	firstUser = 1_900_000_000
	lastUser  = 2_100_000_000
)

// users gives each server a user and group number that no other one has or had.
type users struct {
	file string

	mu    sync.Mutex
	state usersState
}

type usersState struct {
	Next    int            `json:"next"`
	Servers map[string]int `json:"servers"`
}

func loadUsers(file string) (*users, error) {
	u := &users{file: file, state: usersState{Next: firstUser, Servers: map[string]int{}}}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &u.state)
	}
	if err != nil {
		return nil, fmt.Errorf("read the servers' users: %w", err)
	}
	return u, nil
}

// of returns the number of a server, a new one when it has none. It is on the disk before it is used.
func (u *users) of(serverID string) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if uid, ok := u.state.Servers[serverID]; ok {
		return uid, nil
	}
	uid := u.state.Next
	if uid > lastUser {
		return 0, errors.New("The node has no user number left for another server.")
	}
	u.state.Next++
	u.state.Servers[serverID] = uid
	b, err := json.Marshal(u.state)
	if err == nil {
		err = durable.WriteFile(u.file, b)
	}
	if err != nil {
		delete(u.state.Servers, serverID)
		u.state.Next--
		return 0, fmt.Errorf("store the servers' users: %w", err)
	}
	return uid, nil
}

// own gives a directory and everything in it to a user. It follows no links, opens only directories, and changes nothing
// that is the user's already.
func own(dir string, uid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open server files: %w", err)
	}
	defer root.Close()
	if err := ownDir(root, uid); err != nil {
		return fmt.Errorf("give the server its files: %w", err)
	}
	return nil
}

func ownDir(root *os.Root, uid int) error {
	d, err := root.Open(".")
	if err != nil {
		return err //nolint:wrapcheck // own wraps it
	}
	defer d.Close()
	info, err := d.Stat()
	if err != nil {
		return err //nolint:wrapcheck // own wraps it
	}
	if !owns(info, uid) {
		if err := d.Chown(uid, uid); err != nil {
			return err //nolint:wrapcheck // own wraps it
		}
	}
	names, err := d.ReadDir(-1)
	if err != nil {
		return err //nolint:wrapcheck // own wraps it
	}
	for _, e := range names {
		if err := ownEntry(root, e, uid); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func ownEntry(root *os.Root, e fs.DirEntry, uid int) error {
	if e.IsDir() {
		sub, err := root.OpenRoot(e.Name())
		if err != nil {
			return err //nolint:wrapcheck // own wraps it
		}
		defer sub.Close()
		return ownDir(sub, uid)
	}
	info, err := root.Lstat(e.Name())
	if err != nil || owns(info, uid) {
		return err //nolint:wrapcheck // own wraps it
	}
	return root.Lchown(e.Name(), uid, uid) //nolint:wrapcheck // own wraps it
}

func owns(info fs.FileInfo, uid int) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == uid && int(st.Gid) == uid
}
