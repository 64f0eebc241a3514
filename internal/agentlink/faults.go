package agentlink

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// faults is an interceptor that gives calls without a deadline one, and makes what fails a fault. The Connect error
// stays in the chain, so that connect.CodeOf works too.
type faults struct {
	timeout time.Duration
	// link ends with the link that the calls go over; nil when that is another instance's.
	link context.Context //nolint:containedctx // only asked whether it has ended
}

var _ connect.Interceptor = faults{}

// WrapUnary wraps a call with one answer.
func (f faults) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, f.timeout)
			defer cancel()
		}
		response, err := next(ctx, request)
		return response, f.fault(err)
	}
}

// WrapStreamingClient wraps a call with a stream of answers.
func (f faults) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		return faultConn{next(ctx, spec), f}
	}
}

// WrapStreamingHandler does nothing: the panel has no handlers.
func (f faults) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

type faultConn struct {
	connect.StreamingClientConn
	faults faults
}

// Receive receives the next answer.
func (c faultConn) Receive(message any) error {
	return c.faults.fault(c.StreamingClientConn.Receive(message))
}

// fault makes an error of a call a fault. A call that a lost link broke off fails in many ways, which all mean one thing.
func (f faults) fault(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && f.link != nil && f.link.Err() != nil {
		return offline().Wrap(err)
	}
	return callFault(err)
}

// quoting is an interceptor that makes whatever an agent says with an error fit for logs, before anybody wraps it.
type quoting struct{}

var _ connect.Interceptor = quoting{}

// WrapUnary wraps a call with one answer.
func (quoting) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		response, err := next(ctx, request)
		return response, quote(err)
	}
}

// WrapStreamingClient wraps a call with a stream of answers.
func (quoting) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		return quotingConn{next(ctx, spec)}
	}
}

// WrapStreamingHandler does nothing: the panel has no handlers.
func (quoting) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

type quotingConn struct{ connect.StreamingClientConn }

// Receive receives the next answer.
func (c quotingConn) Receive(message any) error { return quote(c.StreamingClientConn.Receive(message)) }

func quote(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return foreign{err}
}

// foreign is an error whose text an agent has written: in logs it is short, and cannot look like anything else.
type foreign struct{ error }

// Error returns the beginning of the text, without control characters.
func (f foreign) Error() string { return strconv.Quote(truncate(f.error.Error(), maxText)) }

// Unwrap keeps the code in reach.
func (f foreign) Unwrap() error { return f.error }

// callFault makes an error of a call a fault. What the agent says of a refusal is meant for users; of an internal error
// nothing is passed on.
func callFault(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	message := agentMessage(err)
	switch connect.CodeOf(err) {
	case connect.CodeDeadlineExceeded:
		return fault.New(fault.Timeout, "The node did not answer in time. Try again.").Wrap(err)
	case connect.CodeUnavailable:
		return offline().Wrap(err)
	case connect.CodeNotFound:
		return fault.New(fault.NotFound, "%s", orElse(message, "The node does not have that.")).Wrap(err)
	case connect.CodeFailedPrecondition, connect.CodeAlreadyExists, connect.CodeAborted:
		return fault.New(fault.Conflict, "%s", orElse(message, "The node cannot do that now.")).Wrap(err)
	case connect.CodeInvalidArgument, connect.CodeOutOfRange:
		return fault.New(fault.BadUserInput, "%s", orElse(message, "The node does not accept that input.")).Wrap(err)
	case connect.CodeResourceExhausted:
		return fault.New(fault.QuotaExceeded, "%s", orElse(message, "The node has no room for that.")).Wrap(err)
	default:
		return fault.New(fault.Internal, "Something went wrong on the node. Try again.").Wrap(err)
	}
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
