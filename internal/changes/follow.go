package changes

import (
	"context"
	"time"

	model "github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// announcementDelay is how long after a commit its announcement is here at the latest.
const announcementDelay = 300 * time.Millisecond

// Kind is one kind of entity whose changes can be followed. The kinds are the generated variables of this package.
type Kind[E any] struct {
	entity string // ent's name of it
	noun   string // the word for it in messages
	load   func(ctx context.Context, c *model.Client, id string) (*E, error)
}

// Accounts says who a viewer is now.
type Accounts interface {
	// Refresh returns the viewer in ctx with the permissions it has now, or UNAUTHENTICATED when its credential has
	// been revoked, has expired, or its user is suspended.
	Refresh(ctx context.Context) (*viewer.Viewer, error)
	// Changes returns a channel that receives whenever the rights of a user may have changed, until ctx ends.
	Changes(ctx context.Context, userID string) (<-chan struct{}, error)
}

// Feed is where changes are followed.
type Feed struct {
	Client   *model.Client
	Bus      *bus.Bus
	Accounts Accounts
}

// follower is one subscription: of one entity, or of all of a kind that the viewer may see.
type follower[E any] struct {
	Kind[E]
	feed *Feed
	id   string // "" for all
	send func(Event, *E) error
}

// Follow sends the changes of the entity with the identifier id, or with an empty one of all of the kind, until ctx
// ends, the viewer's sign-in ends, or the one entity is gone or out of sight. Every event is loaded as the viewer that
// the caller is by then, which is the check of its visibility; a deletion is sent with nil to those who could see what
// is gone. It returns UNAUTHENTICATED for an anonymous viewer and NOT_FOUND for an entity that cannot be seen.
func Follow[E any](ctx context.Context, feed *Feed, k Kind[E], id string, send func(Event, *E) error) error {
	v := viewer.FromContext(ctx)
	if v == nil {
		return fault.New(fault.Unauthenticated, "Sign in first: send an access token or an API key.")
	}
	f := follower[E]{Kind: k, feed: feed, id: id, send: send}
	sub, err := Subscribe(ctx, feed.Bus, id)
	if err != nil {
		return err
	}
	defer sub.Close()
	rights, err := feed.Accounts.Changes(ctx, v.UserID)
	if err != nil {
		return err
	}
	if err := f.visible(ctx); err != nil {
		return err
	}
	err = f.events(ctx, sub, rights)
	if id != "" && fault.CodeOf(err) == fault.NotFound {
		return f.farewell(ctx, sub, err)
	}
	return err
}

func (f *follower[E]) events(ctx context.Context, sub *bus.Subscription[Event], rights <-chan struct{}) error {
	for {
		var event Event
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-rights:
		case e, ok := <-sub.C():
			if !ok {
				return context.Cause(ctx)
			}
			if e.Entity != f.entity {
				continue
			}
			event = e
		}
		fresh, err := f.feed.Accounts.Refresh(ctx)
		if err != nil {
			return err
		}
		done, err := f.pass(viewer.NewContext(ctx, fresh), event)
		if err != nil || done {
			return err
		}
	}
}

// farewell is for an entity that has gone from sight: by its deletion, which may not have been announced yet and which
// whoever saw it is told of, or else because the viewer has lost the right.
func (f *follower[E]) farewell(ctx context.Context, sub *bus.Subscription[Event], gone error) error {
	ctx, cancel := context.WithTimeout(ctx, announcementDelay)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return gone
		case e, ok := <-sub.C():
			if !ok {
				return gone
			}
			if e.Entity == f.entity && e.Operation == kind.OperationDeleted {
				return f.send(e, nil)
			}
		}
	}
}

// visible checks that the one entity, if it is one, can be seen.
func (f *follower[E]) visible(ctx context.Context) error {
	if f.id == "" {
		return nil
	}
	_, err := f.load(ctx, f.feed.Client, f.id)
	if model.IsNotFound(err) {
		return fault.Missing(f.noun)
	}
	return err
}

// pass sends one event, or checks the one entity when there is none, and reports whether the subscription is done.
func (f *follower[E]) pass(ctx context.Context, e Event) (done bool, err error) {
	switch e.Operation {
	case "":
		return false, f.visible(ctx)
	case kind.OperationCreated, kind.OperationUpdated:
	case kind.OperationDeleted:
		if f.id != "" { // it was visible until now
			return true, f.send(e, nil)
		}
		told, err := access.CouldSee(ctx, f.feed.Client, f.entity, e.Had)
		if err != nil || !told {
			return false, err
		}
		return false, f.send(e, nil)
	}
	row, err := f.load(ctx, f.feed.Client, e.EntityID)
	if model.IsNotFound(err) {
		if f.id != "" {
			return true, fault.Missing(f.noun)
		}
		return false, nil
	}
	if err != nil {
		return true, err
	}
	return false, f.send(e, row)
}
