package containerd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/client"

	"github.com/catalyst-panel/catalyst/agent/durable"
	"github.com/catalyst-panel/catalyst/agent/network"
	"github.com/catalyst-panel/catalyst/agent/runtime"
)

// Name is the runtime's name in configuration.
const Name = "containerd"

// DefaultAddress is where distributions have containerd's socket.
const DefaultAddress = "/run/containerd/containerd.sock"

// namespace is containerd's namespace for everything of Catalyst's.
const namespace = "catalyst"

const (
	// callTime bounds one call to containerd that is not expected to take long.
	callTime = 10 * time.Second
	// dialTime bounds the first connection.
	dialTime = 5 * time.Second
)

// Config is what the runtime needs.
type Config struct {
	// Address is containerd's socket; empty: DefaultAddress.
	Address string
	// Dir keeps what must survive: who this agent is, and which user belongs to which server.
	Dir string
	// Executable is the binary that has the holder's sub-command, and that is the Demo game's image; empty: the running
	// one.
	Executable string
	// Networks connect the containers.
	Networks Networks
	// Credentials is a file of registry credentials as docker login writes it; it need not exist.
	Credentials string
	// Grace is how long something without an owner is left alone before the sweep removes it; 0: two minutes.
	Grace time.Duration
	// Logger is for what cannot be returned.
	Logger *slog.Logger
}

// Networks connect containers; package network has them.
type Networks interface {
	// Attach connects a network namespace and maps ports; after an error, Detach is due.
	Attach(ctx context.Context, id, netns, name string, ports []network.Port) error
	// Detach can be repeated.
	Detach(ctx context.Context, id string) error
	// Gateway is the node's address in the default network.
	Gateway() string
	// Attached names the containers that have something of a network.
	Attached() ([]string, error)
}

// Runtime runs servers in containers.
type Runtime struct {
	config Config
	log    *slog.Logger
	// owner marks what belongs to this agent, session what belongs to this very process.
	owner, session string
	own            *archive // guarded by the lock of its image
	users          *users
	// client is for calls, events has a connection of its own, so that neither can hold up the other.
	client, events *client.Client

	ctx    context.Context //nolint:containedctx // the life of what runs beside calls, until Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	locks  keyed

	mu     sync.Mutex
	live   map[string]*instance
	closed bool
}

var _ runtime.Runtime = (*Runtime)(nil)

// New connects to containerd and begins to watch. The error is for people when containerd does not answer.
func New(ctx context.Context, cfg Config) (*Runtime, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Address == "" {
		cfg.Address = DefaultAddress
	}
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.Executable == "" {
		path, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the running executable: %w", err)
		}
		cfg.Executable = path
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the runtime's directory: %w", err)
	}
	owner, err := loadOwner(cfg.Dir)
	if err != nil {
		return nil, err
	}
	users, err := loadUsers(filepath.Join(cfg.Dir, "users.json"))
	if err != nil {
		return nil, err
	}
	r := &Runtime{config: cfg, log: cfg.Logger, owner: owner, session: rand.Text(), users: users, live: map[string]*instance{}}
	for _, c := range []**client.Client{&r.client, &r.events} {
		if *c, err = connect(ctx, cfg.Address); err != nil {
			return nil, errors.Join(err, r.disconnect())
		}
	}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.tasks.Go(r.listen)
	r.tasks.Go(r.poll)
	r.tasks.Go(r.tidy)
	return r, nil
}

// Answers reports whether containerd answers at an address.
func Answers(ctx context.Context, address string) error {
	c, err := connect(ctx, address)
	if err != nil {
		return err
	}
	return c.Close() //nolint:wrapcheck // nothing was done yet
}

func connect(ctx context.Context, address string) (*client.Client, error) {
	if address == "" {
		address = DefaultAddress
	}
	if _, err := os.Stat(address); err != nil {
		return nil, fmt.Errorf("containerd is not there: %w", err)
	}
	c, err := client.New(address, client.WithDefaultNamespace(namespace), client.WithTimeout(dialTime))
	if err != nil {
		return nil, fmt.Errorf("connect to containerd: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if _, err := c.Version(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("containerd does not answer: %w", err), c.Close())
	}
	return c, nil
}

// Name returns "containerd".
func (r *Runtime) Name() string { return Name }

// Close ends the watching and the connections; programs go on.
func (r *Runtime) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.tasks.Wait()
	return r.disconnect()
}

func (r *Runtime) disconnect() error {
	var errs []error
	for _, c := range []*client.Client{r.client, r.events} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("disconnect from containerd: %w", err)
	}
	return nil
}

// beside runs something that Close waits for, unless the runtime is closed.
func (r *Runtime) beside(task func(ctx context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.tasks.Go(func() { task(r.ctx) })
	}
}

// loadOwner returns a random word that marks what belongs to this agent, the same after every start.
func loadOwner(dir string) (string, error) {
	file := filepath.Join(dir, "owner")
	b, err := os.ReadFile(file)
	if err == nil && len(b) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the runtime's mark: %w", err)
	}
	owner := strings.ToLower(rand.Text())
	return owner, durable.WriteFile(file, []byte(owner+"\n"))
}

// keyed is a mutex for each server.
type keyed struct {
	mu    sync.Mutex
	locks map[string]*keyedLock
}

type keyedLock struct {
	held  chan struct{}
	users int
}

// lock takes the mutex of a key; unlock gives it back.
func (k *keyed) lock(ctx context.Context, key string) (unlock func(), err error) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*keyedLock{}
	}
	l := k.locks[key]
	if l == nil {
		l = &keyedLock{held: make(chan struct{}, 1)}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()
	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, key)
		}
	}
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, fmt.Errorf("wait for the server's turn: %w", context.Cause(ctx))
	}
}
