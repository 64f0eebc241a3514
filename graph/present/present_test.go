package present_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/privacy"
	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/graph/present"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/request"
)

func TestPresent(t *testing.T) {
	t.Parallel()
	coded := func(code, message string, path ...ast.PathElement) error {
		return &gqlerror.Error{Message: message, Path: path, Extensions: map[string]any{"code": code}}
	}
	tests := []struct {
		name    string
		err     error
		want    map[string]any
		message string // a part of it
		logged  bool
	}{
		{"fault", fault.New(fault.Conflict, "It runs."), map[string]any{"code": "CONFLICT"}, "It runs.", false},
		{
			"wrapped fault", fmt.Errorf("start: %w", fault.Input("name", "Too long.").Wrap(errors.New("pq: secret"))),
			map[string]any{"code": "BAD_USER_INPUT", "field": "name"},
			"Too long.", false,
		},
		{"limited", fault.Limited(1500*time.Millisecond, "Wait."), map[string]any{"code": "RATE_LIMITED", "retryAfter": 2}, "Wait.", false},
		{"other", errors.New(`pq: relation "users" does not exist`), map[string]any{"code": "INTERNAL", "requestId": "req-1"}, "Something went wrong", true},
		{"internal fault", fault.New(fault.Internal, "secret"), map[string]any{"code": "INTERNAL", "requestId": "req-1"}, "Something went wrong", true},
		{"not found", fmt.Errorf("get: %w", &ent.NotFoundError{}), map[string]any{"code": "NOT_FOUND"}, "There is no such thing", false},
		{"denied", fmt.Errorf("get: %w", privacy.Deny), map[string]any{"code": "NOT_FOUND"}, "There is no such thing", false},
		{"invalid", &ent.ValidationError{Name: "port"}, map[string]any{"code": "BAD_USER_INPUT", "field": "port"}, "not allowed", false},
		{"too slow", fmt.Errorf("query: %w", context.DeadlineExceeded), map[string]any{"code": "TIMEOUT"}, "too long", false},
		{"gone", context.Canceled, map[string]any{"code": "TIMEOUT"}, "ended", false},
		{"syntax", coded("GRAPHQL_PARSE_FAILED", "Expected Name"), map[string]any{"code": "GRAPHQL_PARSE_FAILED"}, "Expected Name", false},
		{"validation", coded("GRAPHQL_VALIDATION_FAILED", "No field"), map[string]any{"code": "GRAPHQL_VALIDATION_FAILED"}, "No field", false},
		{
			"variable", coded("GRAPHQL_VALIDATION_FAILED", "must be defined", ast.PathName("variable"), ast.PathName("input"), ast.PathName("name")),
			map[string]any{"code": "BAD_USER_INPUT", "field": "name"},
			"must be defined", false,
		},
		{"entgql's", coded("NOT_FOUND", "no node srv_1"), map[string]any{"code": "NOT_FOUND"}, "There is no such thing", false},
		{"gqlgen's", gqlerror.Errorf("must not be null"), map[string]any{"code": "INTERNAL", "requestId": "req-1"}, "Something went wrong", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			p := present.New(slog.New(slog.NewTextHandler(&log, nil)))
			ctx := request.NewContext(t.Context(), request.Info{ID: "req-1"})
			got := p.Present(ctx, tt.err)
			if diff := cmp.Diff(tt.want, got.Extensions); diff != "" || !strings.Contains(got.Message, tt.message) {
				t.Errorf("got %q and, against what was wanted:\n%s", got.Message, diff)
			}
			if logged := log.Len() > 0; logged != tt.logged {
				t.Errorf("logged: %v (%s)", logged, &log)
			}
			before := log.Len()
			again := p.Present(ctx, got)
			if again.Message != got.Message || !cmp.Equal(again.Extensions, got.Extensions) || log.Len() != before {
				t.Errorf("presented again: %v", again)
			}
		})
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := present.New(slog.New(slog.NewTextHandler(&log, nil)))
	got := p.Present(t.Context(), p.Recover(t.Context(), "nil map"))
	if got.Extensions["code"] != "INTERNAL" || strings.Contains(got.Message, "nil map") {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(log.String(), "nil map") || !strings.Contains(log.String(), "present_test.go") {
		t.Errorf("the log has no stack: %s", &log)
	}
}
