// Package fault is the closed list of error codes that users meet, and the error that carries one. A service makes a
// fault once, where it decides; everything above only passes it on, and each transport maps the code to its own terms.
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Code is a machine-readable error code of the API. The list is closed and documented.
type Code string

// The codes.
const (
	Unauthenticated        Code = "UNAUTHENTICATED"
	Forbidden              Code = "FORBIDDEN"
	NotFound               Code = "NOT_FOUND"
	BadUserInput           Code = "BAD_USER_INPUT"
	Conflict               Code = "CONFLICT"
	RateLimited            Code = "RATE_LIMITED"
	NodeOffline            Code = "NODE_OFFLINE"
	QuotaExceeded          Code = "QUOTA_EXCEEDED"
	TooComplex             Code = "TOO_COMPLEX"
	Timeout                Code = "TIMEOUT"
	ParseFailed            Code = "GRAPHQL_PARSE_FAILED"
	ValidationFailed       Code = "GRAPHQL_VALIDATION_FAILED"
	PersistedQueryNotFound Code = "PERSISTED_QUERY_NOT_FOUND"
	BadRequest             Code = "BAD_REQUEST"
	Internal               Code = "INTERNAL"
)

// Error is an error that may be shown to a user: a code and a sentence that says what to do.
type Error struct {
	// Code is the machine-readable code.
	Code Code
	// Message is one or two sentences for a person: what is wrong and what to do. Never a secret, path or SQL.
	Message string
	// Field is the path of the input field that is wrong ("environment.PORT"), with BadUserInput only.
	Field string
	// RetryAfter is how long to wait, with RateLimited only.
	RetryAfter time.Duration

	cause error
}

// Error returns the code, the message and, for logs, the cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return string(e.Code) + ": " + e.Message
}

// Unwrap returns the cause, which is for logs and never for users.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, fault.New(code, "")) compare by code.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code && t.Message == ""
}

// New returns a fault with a code and a sentence.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Input returns a BAD_USER_INPUT fault for one field.
func Input(field, format string, args ...any) *Error {
	return &Error{Code: BadUserInput, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Limited returns a RATE_LIMITED fault that says when to come back.
func Limited(after time.Duration, format string, args ...any) *Error {
	return &Error{Code: RateLimited, RetryAfter: after, Message: fmt.Sprintf(format, args...)}
}

// Missing returns the NOT_FOUND fault for a kind of thing. It is the same whether the thing does not exist or may not
// be seen, which is why it never names an identifier.
func Missing(what string) *Error {
	return New(NotFound, "There is no such %s, or you may not see it.", what)
}

// Wrap returns a copy of e with a cause for the log.
func (e *Error) Wrap(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// CodeOf returns the code of the first fault in err's chain; Timeout for an expired context; Internal for anything
// else, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Code
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Timeout
	}
	return Internal
}
