package accounts

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/tx"
)

// AccessChange tells that what somebody may do may have changed.
type AccessChange struct {
	// UserID is whose; empty for everybody.
	UserID string `json:"userId,omitempty"`
	// ServerID is where; empty for everywhere.
	ServerID string `json:"serverId,omitempty"`
}

// AccessChanged carries every such change, after its commit, under the key that AccessChange.Key returns.
var AccessChanged = bus.NewTopic[AccessChange]("access-changed")

// everybody is the key of changes that are not one account's.
const everybody = "everybody"

// Key returns the key under which the change is published.
func (c AccessChange) Key() string {
	if c.UserID == "" {
		return everybody
	}
	return c.UserID
}

// Announce publishes the changes once the unit of work that ctx belongs to is committed; outside of one, at once. When
// the commit returns, this instance knows already.
func (s *Service) Announce(ctx context.Context, changes ...AccessChange) {
	tx.AfterCommit(ctx, func(ctx context.Context) {
		for _, c := range changes {
			s.notice(c)
			if err := AccessChanged.Publish(ctx, s.bus, c.Key(), c); err != nil {
				s.log.ErrorContext(ctx, "could not announce a change of access",
					slog.String("user_id", c.UserID), slog.Any("error", err))
			}
		}
	})
}

// retryListening is how long Run waits before it listens again when it could not.
const retryListening = time.Second

// Run passes on the changes that other instances announce, until ctx ends. While the bus cannot be listened to, it says
// so and takes it that anything may have changed.
func (s *Service) Run(ctx context.Context) {
	for {
		if err := s.listen(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "cannot listen to changes of access", slog.Any("error", err))
		}
		timer := time.NewTimer(retryListening)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (s *Service) listen(ctx context.Context) error {
	sub, err := AccessChanged.Subscribe(ctx, s.bus, bus.All, bus.Options{Buffer: 1024})
	s.notice(AccessChange{}) // whatever was missed until now
	if err != nil {
		return fmt.Errorf("listen to changes of access: %w", err)
	}
	defer sub.Close()
	for {
		select {
		case c, ok := <-sub.C():
			if !ok {
				return nil
			}
			s.notice(c)
		case <-sub.Gap():
			if sub.Overflowed() {
				s.notice(AccessChange{})
			}
		}
	}
}

// Changes returns a channel that receives when what the user may do may have changed, until ctx ends. Several changes
// may be told as one. Refresh, called after that, knows of them.
func (s *Service) Changes(ctx context.Context, userID string) (<-chan struct{}, error) {
	return s.watchers.add(ctx, userID), nil
}

// notice forgets what is remembered of the user, and only then wakes those who watch.
func (s *Service) notice(c AccessChange) {
	s.standings.forget(c.UserID)
	s.watchers.wake(c.UserID)
}

// watchers are the listeners of this instance by account.
type watchers struct {
	mu     sync.Mutex
	byUser map[string]map[chan struct{}]struct{}
}

func newWatchers() *watchers {
	return &watchers{byUser: make(map[string]map[chan struct{}]struct{})}
}

func (w *watchers) add(ctx context.Context, userID string) <-chan struct{} {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	if w.byUser[userID] == nil {
		w.byUser[userID] = make(map[chan struct{}]struct{})
	}
	w.byUser[userID][c] = struct{}{}
	w.mu.Unlock()
	context.AfterFunc(ctx, func() { w.remove(userID, c) })
	return c
}

func (w *watchers) remove(userID string, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byUser[userID], c)
	if len(w.byUser[userID]) == 0 {
		delete(w.byUser, userID)
	}
}

// wake wakes the watchers of one account, or everybody's.
func (w *watchers) wake(userID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if userID != "" {
		wakeAll(w.byUser[userID])
		return
	}
	for _, cs := range w.byUser {
		wakeAll(cs)
	}
}

func wakeAll(cs map[chan struct{}]struct{}) {
	for c := range cs {
		select {
		case c <- struct{}{}:
		default: // it is awake already and has not looked yet
		}
	}
}
