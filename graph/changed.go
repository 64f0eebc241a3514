package graph

import (
	"context"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/node"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/changes"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// announcementDelay is how long after a commit its announcement is here at the latest.
const announcementDelay = 300 * time.Millisecond

// entityChanges is a subscription of what happens to one entity of a kind, or to all that the viewer may see.
type entityChanges[E any] struct {
	entity string // ent's name of the kind
	what   string // the word for it in messages
	id     string // "" for all
	read   access.Permission
	load   func(ctx context.Context, id string) (*E, error)
}

func (r *subscriptionResolver) serverChanges(id *string) entityChanges[ent.Server] {
	return entityChanges[ent.Server]{
		entity: ent.TypeServer, what: "server", id: orEmpty(id), read: access.ServerRead,
		load: func(ctx context.Context, id string) (*ent.Server, error) {
			return r.r.Client.Server.Query().Where(server.ID(id)).Only(ctx)
		},
	}
}

func (r *subscriptionResolver) nodeChanges(id *string) entityChanges[ent.Node] {
	return entityChanges[ent.Node]{
		entity: ent.TypeNode, what: "node", id: orEmpty(id), read: access.NodeRead,
		load: func(ctx context.Context, id string) (*ent.Node, error) {
			return r.r.Client.Node.Query().Where(node.ID(id)).Only(ctx)
		},
	}
}

// follow sends changes until ctx ends, the viewer's sign-in ends, or the one entity is gone or out of sight. Every
// event is loaded as the viewer that the caller is by then, which is the check of its visibility.
func (c entityChanges[E]) follow(ctx context.Context, cfg Config, send func(changes.Event, *E) error) error {
	v := viewer.FromContext(ctx)
	if v == nil {
		return fault.New(fault.Unauthenticated, "Sign in first: send an access token or an API key.")
	}
	sub, err := changes.Subscribe(ctx, cfg.Bus, c.id)
	if err != nil {
		return err
	}
	defer sub.Close()
	rights, err := cfg.Accounts.Changes(ctx, v.UserID)
	if err != nil {
		return err
	}
	if err := c.visible(ctx); err != nil {
		return err
	}
	err = c.events(ctx, cfg, sub, rights, send)
	if c.id != "" && fault.CodeOf(err) == fault.NotFound {
		return c.farewell(ctx, sub, err, send)
	}
	return err
}

func (c entityChanges[E]) events(
	ctx context.Context, cfg Config, sub *bus.Subscription[changes.Event], rights <-chan struct{}, send func(changes.Event, *E) error,
) error {
	for {
		var event changes.Event
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-rights:
		case e, ok := <-sub.C():
			if !ok {
				return context.Cause(ctx)
			}
			if e.Entity != c.entity {
				continue
			}
			event = e
		}
		fresh, err := cfg.Accounts.Refresh(ctx)
		if err != nil {
			return err
		}
		now := viewer.NewContext(ctx, fresh)
		done, err := c.pass(now, fresh, event, send)
		if err != nil || done {
			return err
		}
	}
}

// farewell is for an entity that has gone from sight: by its deletion, which may not have been announced yet and which
// whoever saw it is told of, or else because the viewer has lost the right.
func (c entityChanges[E]) farewell(
	ctx context.Context, sub *bus.Subscription[changes.Event], gone error, send func(changes.Event, *E) error,
) error {
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
			if e.Entity == c.entity && e.Operation == kind.OperationDeleted {
				return send(e, nil)
			}
		}
	}
}

// visible checks that the one entity, if it is one, can be seen.
func (c entityChanges[E]) visible(ctx context.Context) error {
	if c.id == "" {
		return nil
	}
	_, err := c.load(ctx, c.id)
	if ent.IsNotFound(err) {
		return fault.Missing(c.what)
	}
	return err
}

// pass sends one event, or checks the one entity when there is none, and reports whether the subscription is done.
func (c entityChanges[E]) pass(ctx context.Context, v *viewer.Viewer, e changes.Event, send func(changes.Event, *E) error) (done bool, err error) {
	switch e.Operation {
	case "":
		return false, c.visible(ctx)
	case kind.OperationCreated, kind.OperationUpdated:
	case kind.OperationDeleted:
		// The one entity was visible until now; of others only those are told who would have seen it.
		if c.id == "" && !access.Grants(v, c.read) && (e.OwnerID == "" || e.OwnerID != v.UserID) {
			return false, nil
		}
		return c.id != "", send(e, nil)
	}
	row, err := c.load(ctx, e.EntityID)
	if ent.IsNotFound(err) {
		if c.id != "" {
			return true, fault.Missing(c.what)
		}
		return false, nil
	}
	if err != nil {
		return true, err
	}
	return false, send(e, row)
}
