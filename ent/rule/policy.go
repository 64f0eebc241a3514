package rule

import (
	"context"
	"errors"
	"sync/atomic"

	"entgo.io/ent"
	"entgo.io/ent/privacy"
)

// ErrNoUnitOfWork is the cause of a write outside of tx.Do. It is a programming error and never shown to users.
var ErrNoUnitOfWork = errors.New("write outside of a unit of work")

// Scope narrows a query to the rows that the viewer in ctx may see. An error ends the query.
type Scope func(ctx context.Context, q ent.Query) error

// scope is the installed Scope. While there is none, every query is denied.
var scope atomic.Pointer[Scope]

// Install makes s the rule of visibility of this process. The store does it before it hands out a client.
func Install(s Scope) { scope.Store(&s) }

type unitOfWork struct{}

// InUnitOfWork returns a context in which writes are allowed. Only package tx may call it.
func InUnitOfWork(ctx context.Context) context.Context {
	return context.WithValue(ctx, unitOfWork{}, true)
}

// Policy returns the policy of an entity: queries are narrowed by the installed Scope, writes need a unit of work.
func Policy() ent.Policy {
	return privacy.Policy{
		Query:    privacy.QueryPolicy{visible{}},
		Mutation: privacy.MutationPolicy{inUnitOfWork{}},
	}
}

// visible narrows queries by the installed Scope.
type visible struct{}

// EvalQuery narrows q, or denies it while no Scope is installed.
func (visible) EvalQuery(ctx context.Context, q ent.Query) error {
	s := scope.Load()
	if s == nil {
		return privacy.Denyf("no rule of visibility is installed")
	}
	if err := (*s)(ctx, q); err != nil {
		return err
	}
	return privacy.Skip
}

// inUnitOfWork denies writes outside of a unit of work.
type inUnitOfWork struct{}

// EvalMutation allows the write when ctx belongs to a unit of work.
func (inUnitOfWork) EvalMutation(ctx context.Context, _ ent.Mutation) error {
	if open, _ := ctx.Value(unitOfWork{}).(bool); open {
		return privacy.Allow
	}
	return ErrNoUnitOfWork
}
