package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// All is the key that subscribes to every key of a topic.
const All = "*"

// subjectPrefix keeps the panel's subjects apart from others on a shared NATS.
const subjectPrefix = "catalyst."

// Topic is a kind of event. The value must survive JSON.
type Topic[T any] struct {
	name string
}

// NewTopic declares a topic. The name is part of what the instances of different releases share; it consists of
// lower-case letters, digits, '.', '-' and '_'. A name must stand for one type only.
func NewTopic[T any](name string) Topic[T] { return Topic[T]{name: name} }

// envelope is an event on the wire.
type envelope[T any] struct {
	// From names the instance that published it.
	From string `json:"from"`
	Data T      `json:"data"`
}

func (t Topic[T]) subject(key string) (string, error) {
	if key != All && !validKey(key) {
		return "", fmt.Errorf("%q cannot be a key of topic %s", key, t.name)
	}
	return subjectPrefix + "topic." + t.name + "." + key, nil
}

// validKey admits identifiers only, so that a key can never widen or redirect a subject.
func validKey(key string) bool {
	if key == "" || len(key) > 200 {
		return false
	}
	for _, c := range []byte(key) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// Publish sends v to every subscription of the key, on every instance. It does not wait for them. It works under a
// context that is already cancelled, since what has been committed must be announced.
func (t Topic[T]) Publish(_ context.Context, b *Bus, key string, v T) error {
	subject, err := t.subject(key)
	if err != nil {
		return err
	}
	if key == All {
		return fmt.Errorf("publish on topic %s: a key is needed", t.name)
	}
	payload, err := json.Marshal(envelope[T]{From: b.instance, Data: v})
	if err != nil {
		return fmt.Errorf("encode an event of topic %s: %w", t.name, err)
	}
	if err := b.conn.Publish(subject, payload); err != nil {
		return fmt.Errorf("publish on topic %s: %w", t.name, natsError(err))
	}
	b.published.Add(1)
	return nil
}

// Subscribe starts a subscription of one key, or of every key with All. When it returns, everything that is published
// from then on will be seen. The subscription ends with the context, with its Close, or with the bus.
func (t Topic[T]) Subscribe(ctx context.Context, b *Bus, key string, opts Options) (*Subscription[T], error) {
	subject, err := t.subject(key)
	if err != nil {
		return nil, err
	}
	h, err := acquire[T](b, subject)
	if err != nil {
		return nil, fmt.Errorf("subscribe to topic %s: %w", t.name, err)
	}
	sub := h.add(opts)
	if !h.flushed.Load() {
		if err := b.flush(ctx); err != nil {
			sub.Close()
			return nil, fmt.Errorf("subscribe to topic %s: %w", t.name, err)
		}
		h.flushed.Store(true)
	}
	if b.isClosed() {
		// Close may have looked for readers before this one was added.
		sub.Close()
		return nil, fmt.Errorf("subscribe to topic %s: %w", t.name, ErrClosed)
	}
	sub.endWith(ctx)
	return sub, nil
}

// natsError gives the errors that a caller may want to tell apart this package's names.
func natsError(err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return ErrTooLarge
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return ErrClosed
	default:
		return err
	}
}
