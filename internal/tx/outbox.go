package tx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNoUnitOfWork is returned by [Enqueue] outside of a unit of work: the outbox would promise what was not committed.
var ErrNoUnitOfWork = errors.New("outbox entry outside of a unit of work")

// Enqueue puts work into the outbox as part of the unit of work that ctx belongs to: once it is committed, the work is
// done at least once, whatever crashes. The payload must be JSON-encodable.
func Enqueue(ctx context.Context, topic string, payload any) error {
	u := current(ctx)
	if u == nil {
		return ErrNoUnitOfWork
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode outbox entry: %w", err)
	}
	if err := u.tx.Outbox.Create().SetTopic(topic).SetPayload(body).Exec(ctx); err != nil {
		return fmt.Errorf("write outbox entry: %w", err)
	}
	return nil
}
