package changes

import (
	"context"
	"fmt"
	"log/slog"

	"entgo.io/ent"

	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Event is one change of one entity.
type Event struct {
	// Entity is the entity's name in ent: "Server", "Node".
	Entity string `json:"entity"`
	// EntityID is its TypeID.
	EntityID string `json:"entityId"`
	// Operation is what happened.
	Operation kind.Operation `json:"operation"`
	// Had says, after a deletion, what the entity belonged to: who could see it is told.
	Had access.Had `json:"had,omitzero"`
}

// buffer is how many events wait for a follower: more than the largest verb changes at once.
const buffer = 2048

// topic carries the events of one kind of entity, by the entity's id. A kind has a topic of its own, so that a busy one
// costs the followers of the others nothing.
func topic(p kind.Prefix) bus.Topic[*Event] { return bus.NewTopic[*Event]("changed." + string(p)) }

// identified is a mutation of an entity with a TypeID.
type identified interface{ ID() (string, bool) }

// Hook returns the ent hook that announces each change of one entity after its commit.
func Hook(b *bus.Bus, log *slog.Logger) ent.Hook {
	return func(next ent.Mutator) ent.Mutator {
		return ent.MutateFunc(func(ctx context.Context, m ent.Mutation) (ent.Value, error) {
			op, single := operation(m.Op())
			of, ok := m.(identified)
			if !single || !ok {
				return next.Mutate(ctx, m)
			}
			event := Event{Entity: m.Type(), Operation: op}
			announced := true
			if op == kind.OperationDeleted {
				var err error
				event.Had, announced, err = had(viewer.System(ctx, nil, "note what a deleted entity belonged to"), m)
				if err != nil {
					return nil, fmt.Errorf("read what is to be deleted: %w", err)
				}
			}
			v, err := next.Mutate(ctx, m)
			if err != nil {
				return v, err
			}
			if id, known := of.ID(); known && announced {
				event.EntityID = id
				announce(ctx, b, log, event)
			}
			return v, nil
		})
	}
}

// operation translates ent's operation; false for a change of many.
func operation(op ent.Op) (kind.Operation, bool) {
	switch {
	case op.Is(ent.OpCreate):
		return kind.OperationCreated, true
	case op.Is(ent.OpUpdateOne):
		return kind.OperationUpdated, true
	case op.Is(ent.OpDeleteOne):
		return kind.OperationDeleted, true
	}
	return "", false
}

// Deleted announces a deletion that ent does not see as one: a server that is hidden until its node has removed it.
func Deleted(ctx context.Context, b *bus.Bus, log *slog.Logger, entity, id string, had access.Had) {
	announce(ctx, b, log, Event{Entity: entity, EntityID: id, Operation: kind.OperationDeleted, Had: had})
}

func announce(ctx context.Context, b *bus.Bus, log *slog.Logger, e Event) {
	tx.AfterCommit(ctx, func(ctx context.Context) {
		if err := topic(kind.PrefixOf(e.EntityID)).Publish(ctx, b, e.EntityID, &e); err != nil {
			log.ErrorContext(ctx, "could not announce a change", slog.String("entity", e.Entity), slog.Any("error", err))
		}
	})
}

// Subscribe starts a subscription of one entity's changes. Its events must not be changed.
func Subscribe(ctx context.Context, b *bus.Bus, id string) (*bus.Subscription[*Event], error) {
	return subscribe(ctx, b, kind.PrefixOf(id), id)
}

func subscribe(ctx context.Context, b *bus.Bus, p kind.Prefix, key string) (*bus.Subscription[*Event], error) {
	sub, err := topic(p).Subscribe(ctx, b, key, bus.Options{Buffer: buffer, Policy: bus.Mark})
	if err != nil {
		return nil, fmt.Errorf("follow changes: %w", err)
	}
	return sub, nil
}
