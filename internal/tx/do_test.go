package tx_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/rule"
	"github.com/catalyst-panel/catalyst/internal/store"
	"github.com/catalyst-panel/catalyst/internal/testkit"
	"github.com/catalyst-panel/catalyst/internal/tx"
)

var errBoom = errors.New("boom")

func makeLocation(ctx context.Context, t *ent.Tx, name string) error {
	return t.Location.Create().SetName(name).Exec(ctx)
}

func locations(t *testing.T, s *store.Store) int {
	t.Helper()
	return s.Client.Location.Query().CountX(testkit.System(t.Context()))
}

func TestWritesNeedAUnitOfWork(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		ctx := testkit.System(t.Context())
		err := tx.Do(ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
			return makeLocation(ctx, x, "first")
		})
		if err != nil {
			t.Fatalf("Do: %v", err)
		}
		for name, write := range map[string]func() error{
			"create": func() error { return s.Client.Location.Create().SetName("second").Exec(ctx) },
			"update": func() error { return s.Client.Location.Update().SetDescription("x").Exec(ctx) },
			"delete": func() error { _, err := s.Client.Location.Delete().Exec(ctx); return err },
			"bulk": func() error {
				return s.Client.Location.CreateBulk(s.Client.Location.Create().SetName("third")).Exec(ctx)
			},
			"upsert": func() error {
				return s.Client.Location.Create().SetName("first").OnConflictColumns("name").UpdateNewValues().Exec(ctx)
			},
		} {
			if err := write(); !errors.Is(err, rule.ErrNoUnitOfWork) {
				t.Errorf("%s outside of a unit of work: error = %v, want ErrNoUnitOfWork", name, err)
			}
		}
		if n := locations(t, s); n != 1 {
			t.Errorf("locations = %d, want 1", n)
		}
	})
}

func TestAfterCommit(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		var got []string
		note := func(ctx context.Context, what string) {
			tx.AfterCommit(ctx, func(ctx context.Context) {
				if tx.Active(ctx) {
					t.Errorf("%s runs inside the unit of work", what)
				}
				if err := ctx.Err(); err != nil {
					t.Errorf("%s runs with an ended context: %v", what, err)
				}
				if n := locations(t, s); n != 2 {
					t.Errorf("%s sees %d locations, want 2", what, n)
				}
				got = append(got, what)
			})
		}
		ctx, cancel := context.WithCancel(testkit.System(t.Context()))
		defer cancel()
		err := tx.Do(ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
			note(ctx, "one")
			if err := makeLocation(ctx, x, "a"); err != nil {
				return err
			}
			err := tx.Do(ctx, s.Client, func(ctx context.Context, inner *ent.Tx) error {
				if inner != x {
					t.Error("the inner unit of work does not join the outer one")
				}
				note(ctx, "two")
				return makeLocation(ctx, inner, "b")
			})
			note(ctx, "three")
			if n := tx.Client(ctx, s.Client).Location.Query().CountX(ctx); n != 2 {
				t.Errorf("the unit of work sees %d locations, want 2", n)
			}
			if len(got) != 0 {
				t.Errorf("ran before the commit: %v", got)
			}
			return err
		})
		if err != nil {
			t.Fatalf("Do: %v", err)
		}
		if diff := cmp.Diff([]string{"one", "two", "three"}, got); diff != "" {
			t.Errorf("order after the commit (-want +got):\n%s", diff)
		}
	})
}

func TestAfterCommitOutsideRunsAtOnce(t *testing.T) {
	t.Parallel()
	ran := false
	tx.AfterCommit(t.Context(), func(context.Context) { ran = true })
	if !ran {
		t.Error("the function did not run")
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		ctx := testkit.System(t.Context())
		fail := func(ctx context.Context, x *ent.Tx) error {
			tx.AfterCommit(ctx, func(context.Context) { t.Error("ran although nothing was committed") })
			if err := makeLocation(ctx, x, "gone"); err != nil {
				return err
			}
			return tx.Enqueue(ctx, "test", map[string]string{"a": "b"})
		}
		err := tx.Do(ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
			return errors.Join(fail(ctx, x), errBoom)
		})
		if !errors.Is(err, errBoom) {
			t.Errorf("Do = %v, want the function's error", err)
		}
		func() {
			defer func() {
				if r := recover(); r != "panic" {
					t.Errorf("recovered %v, want the function's panic", r)
				}
			}()
			_ = tx.Do(ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
				if err := fail(ctx, x); err != nil {
					t.Error(err)
				}
				panic("panic")
			})
		}()
		if n := locations(t, s); n != 0 {
			t.Errorf("locations = %d, want 0", n)
		}
		if n := s.Client.Outbox.Query().CountX(ctx); n != 0 {
			t.Errorf("outbox entries = %d, want 0", n)
		}
	})
}

func TestConflictsAreTriedAgain(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		ctx := testkit.System(t.Context())
		for _, tt := range []struct {
			name      string
			err       error
			failures  int
			wantTries int
			wantErr   bool
		}{
			{"serialization failure", &pq.Error{Code: "40001"}, 2, 3, false},
			{"deadlock for ever", &pq.Error{Code: "40P01"}, 99, tx.Tries, true},
			{"another error", errBoom, 1, 1, true},
		} {
			tries, after := 0, 0
			err := tx.Do(ctx, s.Client, func(ctx context.Context, _ *ent.Tx) error {
				tries++
				tx.AfterCommit(ctx, func(context.Context) { after++ })
				if tries <= tt.failures {
					return tt.err
				}
				return nil
			})
			if (err != nil) != tt.wantErr || tries != tt.wantTries {
				t.Errorf("%s: error %v after %d tries, want error %t after %d", tt.name, err, tries, tt.wantErr, tt.wantTries)
			}
			if want := map[bool]int{true: 0, false: 1}[tt.wantErr]; after != want {
				t.Errorf("%s: functions after the commit = %d, want %d", tt.name, after, want)
			}
		}
	})
}

func TestEnqueue(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		ctx := testkit.System(t.Context())
		if err := tx.Enqueue(ctx, "test", 1); !errors.Is(err, tx.ErrNoUnitOfWork) {
			t.Errorf("Enqueue outside of a unit of work = %v, want ErrNoUnitOfWork", err)
		}
		err := tx.Do(ctx, s.Client, func(ctx context.Context, _ *ent.Tx) error {
			return tx.Enqueue(ctx, "test", map[string]int{"n": 7})
		})
		if err != nil {
			t.Fatalf("Do: %v", err)
		}
		entry := s.Client.Outbox.Query().OnlyX(ctx)
		if entry.Topic != "test" || entry.DoneAt != nil {
			t.Errorf("entry = %v, want one of the topic test that is not done", entry)
		}
	})
}

func TestWritersQueue(t *testing.T) {
	t.Parallel()
	testkit.EachDialect(t, func(t *testing.T, s *store.Store) {
		ctx := testkit.System(t.Context())
		errs := make(chan error)
		const writers = 20
		for i := range writers {
			go func() {
				errs <- tx.Do(ctx, s.Client, func(ctx context.Context, x *ent.Tx) error {
					// A transaction that reads first would fail to upgrade its lock if it had not the write lock already.
					if _, err := x.Location.Query().Count(ctx); err != nil {
						return err
					}
					return makeLocation(ctx, x, strconv.Itoa(i))
				})
			}()
		}
		for range writers {
			if err := <-errs; err != nil {
				t.Errorf("Do: %v", err)
			}
		}
		if n := locations(t, s); n != writers {
			t.Errorf("locations = %d, want %d", n, writers)
		}
	})
}
