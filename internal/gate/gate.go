// Package gate keeps long-lived reads honest: a subscription opens a gate with the right that it needs, and the gate
// shuts within a second of the viewer losing that right, whatever took it away. It owns no data. Services open gates;
// what tells of lost rights is bound to it where the panel is put together.
package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// recheck is how often a right is looked at again even though nobody said that it changed: a safety net for a signal
	// that was lost with a connection between instances.
	recheck = 30 * time.Second
	// doubt is how long a gate stays open after a signal when the right cannot be looked at, and retry how often that is
	// tried meanwhile.
	doubt, retry = time.Second, 100 * time.Millisecond
)

// Accounts says who a viewer is now.
type Accounts interface {
	// Refresh returns the viewer in ctx with the permissions it has now, or UNAUTHENTICATED when its credential has
	// been revoked, has expired, or its user is suspended.
	Refresh(ctx context.Context) (*viewer.Viewer, error)
	// Changes returns a channel that receives whenever the rights of a user may have changed, until ctx ends.
	Changes(ctx context.Context, userID string) (<-chan struct{}, error)
}

// Config is what a Keeper needs.
type Config struct {
	Client   *ent.Client
	Bus      *bus.Bus
	Accounts Accounts
}

// Keeper opens gates.
type Keeper struct{ Config }

// New returns a Keeper.
func New(cfg Config) *Keeper { return &Keeper{cfg} }

// Open checks that the viewer in ctx has the permission p on the target and returns a context that lives for as long
// as that stays true; its cause is then the fault to show. Close must be called, and waits for the gate's goroutine.
func (k *Keeper) Open(ctx context.Context, p access.Permission, t access.Target) (_ context.Context, closeGate func(), _ error) {
	return k.open(ctx, t.ID(), false, func(ctx context.Context) error { return access.Check(ctx, k.Client, p, t) })
}

// OpenWhile is Open for what the caller itself looks at: the context lives as long as check returns nil. It is called again
// when the rights of the viewer may have changed, and on every change of the entity with the identifier.
func (k *Keeper) OpenWhile(ctx context.Context, id string, check func(context.Context) error) (_ context.Context, closeGate func(), _ error) {
	return k.open(ctx, id, true, check)
}

func (k *Keeper) open(ctx context.Context, id string, every bool, check func(context.Context) error) (context.Context, func(), error) {
	if err := check(ctx); err != nil {
		return nil, nil, err
	}
	v := viewer.FromContext(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	if v.IsSystem() {
		return ctx, func() { cancel(nil) }, nil
	}
	lost, err := k.Accounts.Changes(ctx, v.UserID)
	if err != nil {
		cancel(nil)
		return nil, nil, fmt.Errorf("watch the rights of a user: %w", err)
	}
	var gone entity
	if id != "" {
		sub, err := changes.Subscribe(ctx, k.Bus, id)
		if err != nil {
			cancel(nil)
			return nil, nil, err
		}
		gone = entity{sub.C(), sub.Gap(), every}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(k.keep(ctx, lost, gone, check))
	}()
	return ctx, func() { cancel(nil); <-done }, nil
}

// entity tells of the changes of what a right is about, and of changes that were missed; both are nil where it is about
// nothing in particular.
type entity struct {
	changes <-chan *changes.Event
	missed  <-chan struct{}
	every   bool // change matters, and not only the deletion
}

// keep returns when ctx ends or the check fails, with the reason.
func (k *Keeper) keep(ctx context.Context, lost <-chan struct{}, gone entity, check func(context.Context) error) error {
	ticker := time.NewTicker(recheck)
	defer ticker.Stop()
	for {
		signalled := true
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-lost:
		case <-gone.missed:
		case <-ticker.C:
			signalled = false
		case e, ok := <-gone.changes:
			if !ok {
				return context.Cause(ctx)
			}
			if e.Operation != kind.OperationDeleted && !gone.every {
				continue
			}
		}
		if err := k.recheck(ctx, signalled, check); err != nil {
			return err
		}
	}
}

// recheck looks whether the viewer still has the right. A database that does not answer takes no rights away: without a
// signal that one was lost, the next check is waited for. After a signal it must answer soon.
func (k *Keeper) recheck(ctx context.Context, signalled bool, check func(context.Context) error) error {
	deadline := time.Now().Add(doubt)
	ticker := time.NewTicker(retry)
	defer ticker.Stop()
	for {
		err := k.once(ctx, check)
		code := fault.CodeOf(err)
		unanswered := ctx.Err() == nil && (code == fault.Internal || code == fault.Timeout)
		switch {
		case !unanswered:
			return err
		case !signalled:
			return nil
		case time.Now().After(deadline):
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

func (k *Keeper) once(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, doubt)
	defer cancel()
	fresh, err := k.Accounts.Refresh(ctx)
	if err != nil {
		return err
	}
	return check(viewer.NewContext(ctx, fresh))
}
