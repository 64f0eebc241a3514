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
	prefix kind.Prefix // of its identifiers
	entity string      // ent's name of it
	noun   string      // the word for it in messages
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

// maxLoads is how many followers read the database at a time: thousands of them hear of the same change at once, and
// everybody else wants to be answered meanwhile.
const maxLoads = 8

// Feed is where changes are followed.
type Feed struct {
	client   *model.Client
	bus      *bus.Bus
	accounts Accounts
	turns    chan struct{}
}

// NewFeed returns the feed of what is announced on a bus.
func NewFeed(client *model.Client, b *bus.Bus, accounts Accounts) *Feed {
	return &Feed{client: client, bus: b, accounts: accounts, turns: make(chan struct{}, maxLoads)}
}

// inTurn runs a read of the database when it is the caller's turn.
func (f *Feed) inTurn(ctx context.Context, read func() error) error {
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
		return read()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
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
// is gone. It returns UNAUTHENTICATED for an anonymous viewer, NOT_FOUND for an entity that cannot be seen, and
// RATE_LIMITED when more of a kind changed than the caller could take, so that nothing is missed without a word.
func Follow[E any](ctx context.Context, feed *Feed, k Kind[E], id string, send func(Event, *E) error) error {
	v := viewer.FromContext(ctx)
	if v == nil {
		return fault.New(fault.Unauthenticated, "Sign in first: send an access token or an API key.")
	}
	f := follower[E]{Kind: k, feed: feed, id: id, send: send}
	key := id
	if key == "" {
		key = bus.All
	}
	sub, err := subscribe(ctx, feed.bus, k.prefix, key)
	if err != nil {
		return err
	}
	defer sub.Close()
	rights, err := feed.accounts.Changes(ctx, v.UserID)
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

func (f *follower[E]) events(ctx context.Context, sub *bus.Subscription[*Event], rights <-chan struct{}) error {
	for {
		var event Event // none: only the right is looked at
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-rights:
		case <-sub.Gap():
			if sub.Overflowed() && f.id == "" {
				return missed()
			}
			// What has happened to the one entity shows in it.
			event = Event{Entity: f.entity, EntityID: f.id, Operation: kind.OperationUpdated}
		case e, ok := <-sub.C():
			if !ok {
				return context.Cause(ctx)
			}
			event = *e
		}
		var seen sight[E]
		err := f.feed.inTurn(ctx, func() (err error) {
			seen, err = f.look(ctx, event)
			return err
		})
		if err == nil && seen.tell { // out of turn: a slow reader must not keep the others waiting
			err = f.send(event, seen.row)
		}
		if err != nil || seen.done {
			return err
		}
	}
}

func missed() error {
	return fault.Limited(time.Second, "More has changed at once than could be sent: read what you show anew, and subscribe again.")
}

// farewell is for an entity that has gone from sight: by its deletion, which may not have been announced yet and which
// whoever saw it is told of, or else because the viewer has lost the right.
func (f *follower[E]) farewell(ctx context.Context, sub *bus.Subscription[*Event], gone error) error {
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
			if e.Operation == kind.OperationDeleted {
				return f.send(*e, nil)
			}
		}
	}
}

// visible checks that the one entity, if it is one, can be seen.
func (f *follower[E]) visible(ctx context.Context) error {
	if f.id == "" {
		return nil
	}
	_, err := f.load(ctx, f.feed.client, f.id)
	if model.IsNotFound(err) {
		return fault.Missing(f.noun)
	}
	return err
}

// sight is what the viewer of a subscription sees of one event.
type sight[E any] struct {
	tell bool // it is sent
	row  *E   // nil after a deletion
	done bool // nothing comes after it
}

// look decides what the caller, as the viewer that it is by now, sees of one event; without one it only checks that the
// one entity can still be seen.
func (f *follower[E]) look(ctx context.Context, e Event) (sight[E], error) {
	fresh, err := f.feed.accounts.Refresh(ctx)
	if err != nil {
		return sight[E]{}, err
	}
	ctx = viewer.NewContext(ctx, fresh)
	switch e.Operation {
	case "":
		return sight[E]{}, f.visible(ctx)
	case kind.OperationCreated, kind.OperationUpdated:
	case kind.OperationDeleted:
		if f.id != "" { // it was visible until now
			return sight[E]{tell: true, done: true}, nil
		}
		told, err := access.CouldSee(ctx, f.feed.client, f.entity, e.Had)
		return sight[E]{tell: told}, err
	}
	row, err := f.load(ctx, f.feed.client, e.EntityID)
	switch {
	case err == nil:
		return sight[E]{tell: true, row: row}, nil
	case model.IsNotFound(err) && f.id == "":
		return sight[E]{}, nil
	case model.IsNotFound(err):
		return sight[E]{}, fault.Missing(f.noun)
	}
	return sight[E]{}, err
}
