package stream

import (
	"context"
	"maps"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/graph/present"
)

// Runner runs producers.
type Runner struct {
	presenter *present.Presenter

	mu     sync.Mutex
	closed bool
	open   map[string]int
	wg     sync.WaitGroup
}

// NewRunner returns a runner that shows producers' errors through the presenter.
func NewRunner(p *present.Presenter) *Runner {
	return &Runner{presenter: p, open: make(map[string]int)}
}

// Open returns how many subscriptions there are of each field that has ever been subscribed to.
func (r *Runner) Open() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.open)
}

// Wait returns when every producer has ended, and starts no more of them. All subscriptions must have been ended before.
func (r *Runner) Wait() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wg.Wait()
}

// enter counts one more producer, unless the runner waits for the last ones: a subscription may come in while the
// transports are being closed.
func (r *Runner) enter(field string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.wg.Add(1)
		r.open[field]++
	}
	return !r.closed
}

func (r *Runner) leave(field string) {
	r.mu.Lock()
	r.open[field]--
	r.mu.Unlock()
	r.wg.Done()
}

// fieldOf is the field of the schema that is subscribed to.
func fieldOf(ctx context.Context) string {
	if f := graphql.GetFieldContext(ctx); f != nil && f.Field.Field != nil {
		return f.Field.Name
	}
	return ""
}

// Start runs a producer until the subscription's context ends and returns its events. The channel is closed when the
// producer has returned.
func Start[T any](ctx context.Context, r *Runner, produce func(ctx context.Context, send func(T) error) error) <-chan T {
	events := make(chan T)
	send := func(v T) error {
		select {
		case events <- v:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	field := fieldOf(ctx)
	if !r.enter(field) {
		close(events)
		return events
	}
	go func() {
		defer r.leave(field)
		defer close(events)
		err := r.run(ctx, func() error { return produce(ctx, send) })
		if err == nil || ctx.Err() != nil {
			return // the end that was wanted, or nobody is there to be told
		}
		fail(ctx, r.presenter.Present(ctx, err))
	}()
	return events
}

func (r *Runner) run(ctx context.Context, produce func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = r.presenter.Recover(ctx, v)
		}
	}()
	return produce()
}

// Ending collects the errors with which a subscription ended, for transports that are not gqlgen's WebSocket.
type Ending struct {
	mu     sync.Mutex
	errors gqlerror.List
}

type endingKey struct{}

// WithEnding returns a context in which the errors of producers are collected.
func WithEnding(ctx context.Context) (context.Context, *Ending) {
	e := &Ending{}
	return context.WithValue(ctx, endingKey{}, e), e
}

// Errors returns the errors, once the events have ended.
func (e *Ending) Errors() gqlerror.List {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.errors
}

func (e *Ending) add(err *gqlerror.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errors = append(e.errors, err)
}

// fail tells the transport why a subscription ended. It happens before the channel is closed.
func fail(ctx context.Context, err *gqlerror.Error) {
	// The error ends the subscription, not one event of it, so it stands at no place in an answer.
	err.Path = nil
	if e, ok := ctx.Value(endingKey{}).(*Ending); ok {
		e.add(err)
		return
	}
	transport.AddSubscriptionError(ctx, err)
}
