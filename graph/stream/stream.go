package stream

import (
	"context"
	"maps"
	"sync"

	"github.com/99designs/gqlgen/graphql"
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
	ending := endingOf(ctx)
	ending.producers.Go(func() {
		defer r.leave(field)
		defer close(events)
		err := r.run(ctx, func() error { return produce(ctx, send) })
		if err == nil || ctx.Err() != nil {
			return // the end that was wanted, or nobody is there to be told
		}
		ending.add(r.presenter.Present(ctx, err))
	})
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

// Ending collects the errors with which a subscription ended.
type Ending struct {
	producers sync.WaitGroup

	mu     sync.Mutex
	errors gqlerror.List
}

type endingKey struct{}

// WithEnding returns a context in which the errors of producers are collected.
func WithEnding(ctx context.Context) (context.Context, *Ending) {
	e := &Ending{}
	return context.WithValue(ctx, endingKey{}, e), e
}

// Errors waits until what produced the events has ended, and returns the errors. The events have ended by then, or the
// context of the subscription has.
func (e *Ending) Errors() gqlerror.List {
	e.producers.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.errors
}

// endingOf returns the context's collection of errors, or one that nobody looks at.
func endingOf(ctx context.Context) *Ending {
	if e, ok := ctx.Value(endingKey{}).(*Ending); ok {
		return e
	}
	return &Ending{}
}

// add takes the reason why the subscription ended. It happens before the channel of events is closed.
func (e *Ending) add(err *gqlerror.Error) {
	// The error ends the subscription, not one event of it, so it stands at no place in an answer.
	err.Path = nil
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errors = append(e.errors, err)
}
