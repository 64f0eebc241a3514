package tx

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lib/pq"
	"modernc.org/sqlite"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/rule"
)

// Tries is how often a unit of work is begun before a conflict with others is given up on.
const Tries = 5

type key struct{}

// unit is one open unit of work.
type unit struct {
	tx    *ent.Tx
	after []func(ctx context.Context)
}

// Do runs fn as a unit of work: everything fn does with the context and the transaction it is given is committed
// together when fn returns nil, and nothing of it otherwise. Inside another unit of work fn joins that one, whatever
// client is given. Conflicts with other transactions are tried again, so fn may run more than once. After the commit
// the functions registered by [AfterCommit] run before Do returns. Entities that leave fn must be Unwrapped.
func Do(ctx context.Context, client *ent.Client, fn func(ctx context.Context, tx *ent.Tx) error) error {
	if u := current(ctx); u != nil {
		return fn(ctx, u.tx)
	}
	for try := 1; ; try++ {
		after, err := once(ctx, client, fn)
		if err == nil {
			done := context.WithoutCancel(ctx)
			for _, f := range after {
				f(done)
			}
			return nil
		}
		if try == Tries || !conflict(err) {
			return err
		}
		if !pause(ctx, try) {
			return err
		}
	}
}

// once begins one transaction, runs fn in it and ends it.
func once(ctx context.Context, client *ent.Client, fn func(context.Context, *ent.Tx) error) (_ []func(context.Context), err error) {
	t, err := client.Tx(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin unit of work: %w", err)
	}
	u := &unit{tx: t}
	committed := false
	defer func() {
		if committed {
			return
		}
		// Reached by an error and by a panic, which goes on upwards.
		if rerr := t.Rollback(); rerr != nil {
			err = errors.Join(err, fmt.Errorf("roll back unit of work: %w", rerr))
		}
	}()
	if err := fn(rule.InUnitOfWork(context.WithValue(ctx, key{}, u)), t); err != nil {
		return nil, err
	}
	committed = true
	if err := t.Commit(); err != nil {
		return nil, fmt.Errorf("commit unit of work: %w", err)
	}
	return u.after, nil
}

// AfterCommit runs f once the unit of work that ctx belongs to is committed; f is given a context that carries the
// caller's values, belongs to no unit of work and is not cancelled with the caller. Outside of a unit of work f runs
// at once.
func AfterCommit(ctx context.Context, f func(ctx context.Context)) {
	u := current(ctx)
	if u == nil {
		f(context.WithoutCancel(ctx))
		return
	}
	u.after = append(u.after, f)
}

// Client returns the client of the unit of work that ctx belongs to, and fallback outside of one: reads that must see
// the unit's own writes go through it.
func Client(ctx context.Context, fallback *ent.Client) *ent.Client {
	if u := current(ctx); u != nil {
		return u.tx.Client()
	}
	return fallback
}

// Active reports whether ctx belongs to a unit of work.
func Active(ctx context.Context) bool { return current(ctx) != nil }

func current(ctx context.Context) *unit {
	u, _ := ctx.Value(key{}).(*unit)
	return u
}

// conflict reports whether err is a conflict with other transactions that trying again may solve.
func conflict(err error) bool {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		return e.Code == "40001" || e.Code == "40P01" // serialization_failure, deadlock_detected
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		primary := e.Code() & 0xff
		return primary == 5 || primary == 6 // SQLITE_BUSY, SQLITE_LOCKED
	}
	return false
}

// pause waits a little longer after each try and reports false when ctx ends before.
func pause(ctx context.Context, try int) bool {
	wait := time.Duration(10<<try) * time.Millisecond
	timer := time.NewTimer(wait/2 + rand.N(wait/2)) //nolint:gosec // jitter needs no secrecy
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
