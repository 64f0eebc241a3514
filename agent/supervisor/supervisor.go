package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Config is what a Supervisor needs.
type Config struct {
	// Dir holds one directory per server.
	Dir string
	// Runtime runs the programs.
	Runtime runtime.Runtime
	// Report takes each change of a server's observed state, in order per server. It must not block for long; an
	// error is logged, and the panel finds the state in the next digest.
	Report func(*protocol.Observed) error
	// Progress takes how far installations are. It must not block for long.
	Progress func(*protocol.InstallProgress) error
	// Restore restores a server's files. It returns when that is done, or when the context has ended.
	Restore func(context.Context, Restoration) error
	// RestoreProgress takes how far restorations are. It must not block for long.
	RestoreProgress func(*protocol.RestoreProgress) error
	// Logger is for operators.
	Logger *slog.Logger
}

// Supervisor owns the servers of a node.
type Supervisor struct {
	config Config
	store  *files.Store
	ctx    context.Context //nolint:containedctx // the actors' lifetime, which no caller's context may shorten
	cancel context.CancelFunc
	actors sync.WaitGroup
	walks  chan struct{} // holds one token: disks are measured one server at a time

	mu      sync.Mutex
	servers map[string]*actor
	tails   map[string]*Tail
	closed  bool
}

// New loads the servers of an earlier agent, adopts the programs that run, and starts to supervise them. The context
// bounds loading only; the supervisor lives until Detach.
func New(ctx context.Context, config Config) (*Supervisor, error) {
	store, err := files.Open(config.Dir)
	if err != nil {
		return nil, err
	}
	ids, err := store.List()
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Supervisor{
		config:  config,
		store:   store,
		ctx:     life,
		cancel:  cancel,
		walks:   make(chan struct{}, 1),
		servers: make(map[string]*actor),
		tails:   make(map[string]*Tail),
	}
	s.walks <- struct{}{}
	s.mu.Lock() // an actor that finishes a removal is at work before the last one is made
	defer s.mu.Unlock()
	for _, id := range ids {
		record, err := loadRecord(store.Path(id))
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // what a removal left behind, or a server that was never applied
		case err != nil:
			// One damaged file must not keep the others from being supervised; the panel applies the server anew.
			config.Logger.LogAttrs(ctx, slog.LevelError, "server state is unreadable",
				slog.String("server_id", id), slog.Any("error", err))
			continue
		}
		s.start(id, record)
	}
	return s, nil
}

// start makes the actor of a server. The caller holds the mutex.
func (s *Supervisor) start(id string, r *record) *actor {
	a := newActor(s, id, r)
	s.servers[id] = a
	s.actors.Go(func() { a.run(s.ctx) })
	return a
}

// Files has the servers' files. It is closed by Detach.
func (s *Supervisor) Files() *files.Store { return s.store }

func (s *Supervisor) find(id string) *actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servers[id]
}

func (s *Supervisor) all() []*actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*actor, 0, len(s.servers))
	for _, a := range s.servers {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *actor) int { return strings.Compare(a.id, b.id) })
	return all
}

// errClosed is returned while the agent shuts down.
var errClosed = fault.New(fault.NodeOffline, "The node's agent is shutting down: try again when it is back.")

// Apply takes over a specification and a desired state, and returns what is observed right after. An older generation
// than the one held changes nothing, the same one neither. The specification is used from the next start on.
func (s *Supervisor) Apply(ctx context.Context, spec *protocol.ServerSpec, desired *protocol.Desired) (*protocol.Observed, error) {
	id := spec.GetServerId()
	if !kind.ValidID(kind.PrefixServer, id) {
		return nil, fault.New(fault.BadUserInput, "A server's specification must carry the server's id.")
	}
	if desired.GetPower() == protocol.Power_POWER_UNSPECIFIED {
		return nil, fault.New(fault.BadUserInput, "A desired state must say whether the server should run.")
	}
	a, err := s.findOrCreate(id)
	if err != nil {
		return nil, err
	}
	spec, desired = proto.CloneOf(spec), proto.CloneOf(desired)
	var applyErr error
	if err := a.ask(ctx, func(ctx context.Context) { applyErr = a.apply(ctx, spec, desired) }); err != nil {
		return nil, err
	}
	return a.observed(), applyErr
}

func (s *Supervisor) findOrCreate(id string) (*actor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if a := s.servers[id]; a != nil {
		return a, nil
	}
	if err := s.store.Create(id); err != nil {
		return nil, err
	}
	return s.start(id, &record{State: kind.ServerStateStopped, At: time.Now()}), nil
}

// Remove kills a server and removes it, with its files unless they are kept. It returns when that is done; when the
// context ends before, the removal goes on. Removing what is not there succeeds.
func (s *Supervisor) Remove(ctx context.Context, id string, keepFiles bool) error {
	if !kind.ValidID(kind.PrefixServer, id) {
		return fault.New(fault.BadUserInput, "A server's id is needed to remove it.")
	}
	a, err := s.findLeft(id)
	if err != nil {
		return err
	}
	if a == nil {
		return nil
	}
	if err := a.ask(ctx, func(ctx context.Context) { a.remove(ctx, keepFiles) }); err != nil && !errors.Is(err, errGone) {
		return err
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return fmt.Errorf("remove server: %w", context.Cause(ctx))
	}
	if !a.removed {
		return errClosed
	}
	return nil
}

// findLeft returns the actor of a server that is to be removed. One whose state is damaged or lost gets an actor all the
// same: its program may run. There is none where there is nothing to remove.
func (s *Supervisor) findLeft(id string) (*actor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.servers[id]; a != nil {
		return a, nil
	}
	if s.closed {
		return nil, errClosed
	}
	_, err := os.Lstat(s.store.Path(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is nothing of it
	}
	if err != nil {
		return nil, fmt.Errorf("look for server directory: %w", err)
	}
	return s.start(id, &record{State: kind.ServerStateStopped, At: time.Now()}), nil
}

// Advance makes a server's console lines be numbered after those that the panel has.
func (s *Supervisor) Advance(ctx context.Context, id string, after uint64) error {
	a := s.find(id)
	if a == nil {
		return nil
	}
	return a.ask(ctx, func(ctx context.Context) { a.advance(ctx, after) })
}

// forget drops a removed server; its actor calls it as its last act.
func (s *Supervisor) forget(a *actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers[a.id] == a {
		delete(s.servers, a.id)
	}
	if t := s.tails[a.id]; t != nil {
		t.reset()
	}
}

// Input writes one line to a running server's standard input and returns the number of its INPUT line.
func (s *Supervisor) Input(ctx context.Context, id, text string) (uint64, error) {
	a := s.find(id)
	if a == nil {
		return 0, fault.Missing("server")
	}
	live := a.live.Load()
	if live == nil {
		return 0, errNotRunning
	}
	seq, err := live.instance.Input(ctx, text)
	if errors.Is(err, runtime.ErrNotRunning) {
		return 0, errNotRunning
	}
	if err != nil {
		return 0, fault.New(fault.Timeout, "The server does not read its console: try again later.").Wrap(err)
	}
	return seq, nil
}

// Notice writes a SYSTEM line to a server's console, for what others than the supervisor do with it. A server that is not
// there has none.
func (s *Supervisor) Notice(ctx context.Context, id, text string) {
	if a := s.find(id); a != nil {
		a.post(ctx, func(ctx context.Context) { a.say(ctx, text) })
	}
}

var errNotRunning = fault.New(fault.Conflict, "The server is not running: start it first.")

// ResetCrashCount forgets a server's crashes.
func (s *Supervisor) ResetCrashCount(ctx context.Context, id string) error {
	a := s.find(id)
	if a == nil {
		return fault.Missing("server")
	}
	return a.ask(ctx, a.resetCrashes)
}

// Digest returns what is observed of every server, ordered by id.
func (s *Supervisor) Digest() []*protocol.Observed {
	all := s.all()
	out := make([]*protocol.Observed, 0, len(all))
	for _, a := range all {
		out = append(out, a.observed())
	}
	return out
}

// StopAll stops every program with its grace, all at once, without changing what is desired of them. When the context
// ends first, the rest is killed. Nothing is started any more; Detach follows.
func (s *Supervisor) StopAll(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	all := s.all()
	for _, a := range all {
		// An actor that has ended has nothing to stop.
		_ = a.ask(context.WithoutCancel(ctx), func(ctx context.Context) { a.quit(ctx, false) })
	}
	if s.waitIdle(ctx, all) {
		return
	}
	for _, a := range all {
		_ = a.ask(context.WithoutCancel(ctx), func(ctx context.Context) { a.quit(ctx, true) })
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), killPatience)
	defer cancel()
	if !s.waitIdle(last, all) {
		s.config.Logger.LogAttrs(ctx, slog.LevelError, "a program did not end although it was killed")
	}
}

func (s *Supervisor) waitIdle(ctx context.Context, all []*actor) bool {
	for _, a := range all {
		select {
		case <-a.idled:
		case <-a.done:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Detach ends the supervision and lets the programs go on. It waits for everything that the supervisor started.
func (s *Supervisor) Detach() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.actors.Wait()
	if err := s.store.Close(); err != nil {
		s.config.Logger.LogAttrs(s.ctx, slog.LevelWarn, "servers directory is not closed", slog.Any("error", err))
	}
}
