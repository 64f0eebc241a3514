package stream_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/catalyst-panel/catalyst/graph/present"
	"github.com/catalyst-panel/catalyst/graph/stream"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

func runner() *stream.Runner {
	return stream.NewRunner(present.New(slog.New(slog.DiscardHandler)))
}

func TestEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		produce func(ctx context.Context, send func(int) error) error
		code    any // of the error that the client is told; nil for none
	}{
		{"complete", func(context.Context, func(int) error) error { return nil }, nil},
		{"fault", func(context.Context, func(int) error) error { return fault.Missing("server") }, "NOT_FOUND"},
		{"error", func(context.Context, func(int) error) error { return errors.New("broken pipe") }, "INTERNAL"},
		{"panic", func(context.Context, func(int) error) error { panic("nil map") }, "INTERNAL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := runner()
			ctx, ending := stream.WithEnding(t.Context())
			var got []int
			for v := range stream.Start(ctx, r, func(ctx context.Context, send func(int) error) error {
				for i := range 3 {
					if err := send(i); err != nil {
						return err
					}
				}
				return tt.produce(ctx, send)
			}) {
				got = append(got, v)
			}
			if diff := cmp.Diff([]int{0, 1, 2}, got); diff != "" {
				t.Error(diff)
			}
			var code any
			if errs := ending.Errors(); len(errs) > 0 {
				code = errs[0].Extensions["code"]
			}
			if code != tt.code {
				t.Errorf("got %v, want %v", code, tt.code)
			}
			r.Wait()
		})
	}
}

func TestSendGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runner()
		gone := errors.New("the client has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		ctx, ending := stream.WithEnding(ctx)
		var got error
		events := stream.Start(ctx, r, func(_ context.Context, send func(int) error) error {
			got = send(1) // nobody reads it
			return got
		})
		synctest.Wait()
		cancel(gone)
		r.Wait()
		if _, open := <-events; open {
			t.Error("an event came after the end")
		}
		if !errors.Is(got, gone) || len(ending.Errors()) != 0 {
			t.Errorf("send returned %v, and the client was told %v", got, ending.Errors())
		}
	})
}

func TestNothingStartsAfterWait(t *testing.T) {
	t.Parallel()
	r := runner()
	r.Wait()
	if _, open := <-stream.Start(t.Context(), r, func(context.Context, func(int) error) error {
		t.Error("the producer was started")
		return nil
	}); open {
		t.Error("an event came")
	}
}
