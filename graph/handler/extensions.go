package handler

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/ratelimit"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const subscription = ast.Subscription

func listOf(err *gqlerror.Error) gqlerror.List { return gqlerror.List{err} }

// counter limits how many operations a user starts, over whatever transport; of strangers, how many an address starts.
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
	if c.off || c.operations == nil {
		return nil
	}
	key := "address:" + ratelimit.AddrKey(request.FromContext(ctx).IP)
	if v := viewer.FromContext(ctx); v != nil {
		key = "user:" + v.UserID
	}
	wait, ok := c.operations.Allow(key)
	if ok {
		return nil
	}
	return refused(fault.Limited(wait, "Too many requests. Wait %d seconds.", int(wait.Seconds())+1))
}
