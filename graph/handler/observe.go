package handler

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Connections returns how many WebSockets and event streams are open.
func (h *Handler) Connections() int {
	h.sockets.mu.Lock()
	defer h.sockets.mu.Unlock()
	n := 0
	for _, open := range h.sockets.addresses {
		n += open
	}
	return n
}

// observe measures queries and mutations.
func observe(tell func(kind, field, code string, took time.Duration)) graphql.OperationMiddleware {
	return func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		op := graphql.GetOperationContext(ctx).Operation
		if tell == nil || op == nil || op.Operation == subscription {
			return next(ctx)
		}
		begun := time.Now()
		respond := next(ctx)
		return func(ctx context.Context) *graphql.Response {
			response := respond(ctx)
			if response != nil {
				tell(string(op.Operation), firstField(op.SelectionSet), firstCode(response), time.Since(begun))
			}
			return response
		}
	}
}

// firstField is the name of a field of the schema: what a client calls its operation may be anything.
func firstField(set ast.SelectionSet) string {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			return s.Name
		case *ast.InlineFragment:
			return firstField(s.SelectionSet)
		case *ast.FragmentSpread:
			if s.Definition != nil {
				return firstField(s.Definition.SelectionSet)
			}
		}
	}
	return ""
}

func firstCode(response *graphql.Response) string {
	if len(response.Errors) == 0 {
		return ""
	}
	code, _ := response.Errors[0].Extensions["code"].(string)
	return code
}
