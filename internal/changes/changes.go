package changes

import (
	"context"
	"fmt"
	"log/slog"

	"entgo.io/ent"

	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
)

// Event is one change of one entity.
type Event struct {
	// Entity is the entity's name in ent: "Server", "Node".
	Entity string `json:"entity"`
	// EntityID is its TypeID.
	EntityID string `json:"entityId"`
	// Operation is what happened.
	Operation kind.Operation `json:"operation"`
	// OwnerID is the owner that a deleted server had: it may still be told of the deletion.
	OwnerID string `json:"ownerId,omitempty"`
}

// topic carries the events, by the entity's id.
var topic = bus.NewTopic[Event]("changed")

// identified is a mutation of an entity with a TypeID.
type identified interface{ ID() (string, bool) }

// Hook returns the ent hook that announces each change of one entity after its commit.
func Hook(b *bus.Bus, log *slog.Logger) ent.Hook {
	return func(next ent.Mutator) ent.Mutator {
		return ent.MutateFunc(func(ctx context.Context, m ent.Mutation) (ent.Value, error) {
			v, err := next.Mutate(ctx, m)
			if err != nil {
				return v, err
			}
			op, single := operation(m.Op())
			of, ok := m.(identified)
			if !single || !ok {
				return v, nil
			}
			if id, known := of.ID(); known {
				announce(ctx, b, log, Event{Entity: m.Type(), EntityID: id, Operation: op})
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
func Deleted(ctx context.Context, b *bus.Bus, log *slog.Logger, entity, id, owner string) {
	announce(ctx, b, log, Event{Entity: entity, EntityID: id, Operation: kind.OperationDeleted, OwnerID: owner})
}

func announce(ctx context.Context, b *bus.Bus, log *slog.Logger, e Event) {
	tx.AfterCommit(ctx, func(ctx context.Context) {
		if err := topic.Publish(ctx, b, e.EntityID, e); err != nil {
			log.ErrorContext(ctx, "could not announce a change", slog.String("entity", e.Entity), slog.Any("error", err))
		}
	})
}

// Subscribe starts a subscription of one entity's changes, or of all entities' with an empty id.
func Subscribe(ctx context.Context, b *bus.Bus, id string) (*bus.Subscription[Event], error) {
	key := id
	if key == "" {
		key = bus.All
	}
	sub, err := topic.Subscribe(ctx, b, key, bus.Options{Buffer: 256, Policy: bus.Latest})
	if err != nil {
		return nil, fmt.Errorf("follow changes: %w", err)
	}
	return sub, nil
}
