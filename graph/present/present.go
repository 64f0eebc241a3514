package present

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"

	"entgo.io/ent/privacy"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/request"
)

// Presenter shows errors to clients.
type Presenter struct {
	log *slog.Logger
}

// New returns a presenter that logs what clients may not see.
func New(log *slog.Logger) *Presenter { return &Presenter{log: log} }

// Present returns what the client sees of an error. It is gqlgen's error presenter. Presenting twice changes nothing.
func (p *Presenter) Present(ctx context.Context, err error) *gqlerror.Error {
	if err == nil {
		return nil
	}
	out := place(ctx, err)
	if done, ok := errors.AsType[*presented](err); ok {
		out.Message, out.Extensions, out.Err = done.Message, done.Extensions, err
		return out
	}
	f := p.classify(ctx, err, out)
	out.Message = f.Message
	out.Extensions = extensions(ctx, f)
	out.Rule = ""
	out.Err = &presented{Message: out.Message, Extensions: out.Extensions}
	return out
}

// presented marks an error that was shown already.
type presented struct {
	Message    string
	Extensions map[string]any
}

// Error implements error.
func (e *presented) Error() string { return e.Message }

// place returns an empty error at the place in the answer or the document where err came up.
func place(ctx context.Context, err error) *gqlerror.Error {
	out := &gqlerror.Error{}
	if known, ok := errors.AsType[*gqlerror.Error](err); ok {
		out.Path, out.Locations = known.Path, known.Locations
	}
	if out.Path == nil && graphql.GetFieldContext(ctx) != nil {
		out.Path = graphql.GetPath(ctx)
	}
	return out
}

// classify finds the fault that stands for an error, and logs the error when that is INTERNAL.
func (p *Presenter) classify(ctx context.Context, err error, at *gqlerror.Error) *fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		if f.Code == fault.Internal {
			return p.internal(ctx, err, at)
		}
		return f
	}
	var invalid *ent.ValidationError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Timeout, "This took too long and was given up. Ask for less, or try again later.")
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Timeout, "The request ended before this was done.")
	case ent.IsNotFound(err), errors.Is(err, privacy.Deny):
		return fault.Missing("thing")
	case errors.As(err, &invalid):
		return fault.Input(invalid.Name, "This value is not allowed.")
	case ent.IsConstraintError(err):
		p.log.WarnContext(ctx, "a constraint refused a change", slog.Any("error", err))
		return fault.New(fault.Conflict, "This conflicts with something that exists already.")
	}
	if f := protocol(err, at); f != nil {
		return f
	}
	return p.internal(ctx, err, at)
}

// protocol recognises gqlgen's and the parser's own errors, which name their code.
func protocol(err error, at *gqlerror.Error) *fault.Error {
	var known *gqlerror.Error
	if !errors.As(err, &known) {
		return nil
	}
	code, _ := known.Extensions["code"].(string)
	switch fault.Code(code) {
	case fault.NotFound: // entgql's, which repeats the identifier
		return fault.Missing("thing")
	case fault.ParseFailed:
		return fault.New(fault.ParseFailed, "%s", known.Message)
	case fault.ValidationFailed:
		if field, ok := variable(known.Path); ok {
			at.Path = nil
			return fault.Input(field, "The variable does not fit its type: %s.", known.Message)
		}
		return fault.New(fault.ValidationFailed, "%s", known.Message)
	default:
		return nil
	}
}

// variable returns the field of an input that a path such as variable.input.name names.
func variable(path ast.Path) (field string, ok bool) {
	if len(path) < 2 || path[0] != ast.PathName("variable") {
		return "", false
	}
	rest := path[1:]
	if len(rest) > 1 && rest[0] == ast.PathName("input") {
		rest = rest[1:]
	}
	return strings.TrimPrefix(rest.String(), "."), true
}

func (p *Presenter) internal(ctx context.Context, err error, at *gqlerror.Error) *fault.Error {
	p.log.ErrorContext(ctx, "an operation failed", slog.String("path", at.Path.String()), slog.Any("error", err))
	return fault.New(fault.Internal, "Something went wrong inside of the panel. Its log says what, under the request's id.")
}

func extensions(ctx context.Context, f *fault.Error) map[string]any {
	out := map[string]any{"code": string(f.Code)}
	if f.Field != "" {
		out["field"] = f.Field
	}
	if f.RetryAfter > 0 {
		out["retryAfter"] = int(math.Ceil(f.RetryAfter.Seconds()))
	}
	if f.Code == fault.Internal {
		out["requestId"] = request.ID(ctx)
	}
	return out
}

// errPanic is the cause of the fault that a panic becomes.
var errPanic = errors.New("panic")

// Recover turns a panic into an error that Present logs, with the stack. It is gqlgen's recover function.
func (p *Presenter) Recover(_ context.Context, v any) error {
	return fmt.Errorf("%w: %v\n%s", errPanic, v, debug.Stack())
}
