package handler

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const subscription = ast.Subscription

func onceFunc(f func()) func() { return sync.OnceFunc(f) }

func listOf(err *gqlerror.Error) gqlerror.List { return gqlerror.List{err} }

// counter limits how many operations a user starts, over whatever transport.
type counter struct {
	operations Limiter
	off        bool
}

var (
	_ graphql.HandlerExtension          = counter{}
	_ graphql.OperationParameterMutator = counter{}
)

// ExtensionName implements graphql.HandlerExtension.
func (counter) ExtensionName() string { return "Counter" }

// Validate implements graphql.HandlerExtension.
func (counter) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters counts one operation.
func (c counter) MutateOperationParameters(ctx context.Context, _ *graphql.RawParams) *gqlerror.Error {
	v := viewer.FromContext(ctx)
	if c.off || c.operations == nil || v == nil {
		return nil
	}
	wait, ok := c.operations.Allow("user:" + v.UserID)
	if ok {
		return nil
	}
	return refused(fault.Limited(wait, "Too many requests. Wait %d seconds.", int(wait.Seconds())+1))
}
