package guard

import (
	"context"
	"errors"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// extensionName is the key of the cost among the extensions of an answer.
const extensionName = "cost"

// Cost is what every answer says about the cost of its operation.
type Cost struct {
	// Requested is the cost of the operation.
	Requested int `json:"requested"`
	// Limit is what a caller's operations may cost together in a minute.
	Limit int `json:"limit"`
	// Remaining is what is left of that.
	Remaining int `json:"remaining"`
}

// Budget counts what callers spend in a minute. ratelimit.Limiter is one.
type Budget interface {
	// Spend takes n of what the key has, or nothing, and returns what is left.
	Spend(key string, n int) (remaining int, retryAfter time.Duration, ok bool)
}

// Guard hangs the limits into gqlgen: use it as an extension of the server, before any other.
type Guard struct {
	limits Limits
	schema *ast.Schema
	known  graphql.Cache[*ast.QueryDocument]
	budget Budget
	free   bool
}

var (
	_ graphql.HandlerExtension          = (*Guard)(nil)
	_ graphql.OperationParameterMutator = (*Guard)(nil)
	_ graphql.OperationContextMutator   = (*Guard)(nil)
	_ graphql.ResponseInterceptor       = (*Guard)(nil)
)

// New returns a guard. Known holds the documents that were checked and validated before, which are not checked again.
// The budget is that of each user; nil lifts it. Free counts costs without holding operations to them.
func New(limits Limits, known graphql.Cache[*ast.QueryDocument], budget Budget, free bool) *Guard {
	return &Guard{limits: limits, known: known, budget: budget, free: free}
}

// ExtensionName implements graphql.HandlerExtension.
func (*Guard) ExtensionName() string { return "Guard" }

// Validate implements graphql.HandlerExtension.
func (g *Guard) Validate(schema graphql.ExecutableSchema) error {
	g.schema = schema.Schema()
	return nil
}

// MutateOperationParameters checks the document before gqlgen parses and validates it.
func (g *Guard) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if _, ok := g.known.Get(ctx, params.Query); ok {
		return nil
	}
	return present(g.limits.Document(params.Query))
}

// MutateOperationContext checks the validated operation with its variables.
func (g *Guard) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	o := Operation{Schema: g.schema, Definition: op.Operation, Fragments: op.Doc.Fragments, Variables: op.Variables}
	op.DisableIntrospection = viewer.FromContext(ctx) == nil
	if op.DisableIntrospection {
		if err := o.public(); err != nil {
			return present(err)
		}
	}
	wanting, err := g.limits.Pages(o)
	if err != nil {
		return present(err)
	}
	requested, introspection := g.limits.CostOf(o)
	cost := Cost{Requested: requested, Limit: g.limits.Budget, Remaining: g.limits.Budget}
	defer func() { op.Stats.SetExtension(extensionName, cost) }()
	switch {
	case g.free:
	case requested > g.limits.Cost:
		return present(fault.New(fault.TooComplex,
			"The operation costs up to %d, more than the %d that one may. Ask for shorter pages (first), or for less inside of them.",
			requested, g.limits.Cost))
	case introspection > g.limits.IntrospectionCost:
		return present(fault.New(fault.TooComplex, "The introspection asks for too much at once. Nest it less."))
	default:
		var err error
		if cost.Remaining, err = g.spend(ctx, requested); err != nil {
			return present(err)
		}
	}
	if wanting {
		op.Doc = g.limits.WithDefaults(op.Doc, op.Variables)
		op.Operation = op.Doc.Operations.ForName(op.OperationName)
	}
	return nil
}

// spend takes the cost out of the caller's budget, and returns what is left of it.
func (g *Guard) spend(ctx context.Context, cost int) (int, error) {
	v := viewer.FromContext(ctx)
	if v == nil || g.budget == nil {
		return max(g.limits.Budget-cost, 0), nil
	}
	left, wait, ok := g.budget.Spend("cost:"+v.UserID, cost)
	if !ok {
		return left, fault.Limited(wait, "Your operations cost too much together. Wait %d seconds, or ask for less at once.", int(wait.Seconds())+1)
	}
	return left, nil
}

// publicFields are the fields that nobody needs to be signed in for.
var publicFields = map[string]bool{
	"__typename": true, "login": true, "register": true, "refreshSession": true, "resetPassword": true,
}

// public refuses operations that ask for more than what is there for everybody. It is no permission check, which the
// services do, but keeps strangers from making the panel work, and from reading the schema.
func (o Operation) public() error {
	for _, f := range o.rootFields() {
		if !publicFields[f.Name] {
			return fault.New(fault.Unauthenticated, "Sign in first: send an access token or an API key.")
		}
	}
	return nil
}

// told stands for a cost that the client knows.
type told struct{}

// InterceptResponse adds the cost to every answer, and to the first event of a subscription: the others cost nothing.
func (g *Guard) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	cost := Cost{Limit: g.limits.Budget, Remaining: g.limits.Budget}
	if graphql.HasOperationContext(ctx) {
		stats := &graphql.GetOperationContext(ctx).Stats
		switch counted := stats.GetExtension(extensionName).(type) {
		case told:
			return next(ctx)
		case Cost:
			cost = counted
			stats.SetExtension(extensionName, told{})
		}
	}
	graphql.RegisterExtension(ctx, extensionName, cost)
	return next(ctx)
}

// present wraps an error the way gqlgen wants it, with its code in place, by which transports choose how to answer.
func present(err error) *gqlerror.Error {
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*fault.Error](err); ok {
		return &gqlerror.Error{
			Err: err, Message: refused.Message, Extensions: map[string]any{"code": string(refused.Code)},
		}
	}
	var syntax *gqlerror.Error
	if !errors.As(err, &syntax) {
		syntax = gqlerror.Wrap(err)
	}
	syntax.Extensions = map[string]any{"code": string(fault.ParseFailed)}
	return syntax
}
