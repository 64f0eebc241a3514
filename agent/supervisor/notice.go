package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/catalyst-panel/catalyst/agent/console"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// noticeTime bounds one line through a holder.
	noticeTime = 2 * time.Second
	// writerAgain is how often the log is tried while a holder that has ended still has it, writerPatience for how long.
	writerAgain    = 20 * time.Millisecond
	writerPatience = 5 * time.Second
)

// say records a SYSTEM line in the server's console, beside the actor and in order: through the holder while a program
// runs, since it is the log's only writer, else by itself.
func (a *actor) say(ctx context.Context, text string) {
	previous, instance := a.said, a.instance
	after := a.Spec.orEmpty().GetConsole().GetAfter()
	said := make(chan struct{})
	a.said = said
	a.tasks.Go(func() {
		defer close(said)
		if previous != nil {
			<-previous // it ends with the context, too
		}
		if err := a.writeLine(ctx, instance, after, text); err != nil && ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelWarn, "a console line is not written", slog.String("text", text), slog.Any("error", err))
		}
	})
}

func (a *actor) writeLine(ctx context.Context, instance runtime.Instance, after uint64, text string) error {
	if instance != nil {
		limited, cancel := context.WithTimeout(ctx, noticeTime)
		defer cancel()
		if err := instance.Notice(limited, text); !errors.Is(err, runtime.ErrNotRunning) {
			return err
		}
	}
	return a.appendLine(ctx, after, text)
}

// appendLine writes a line while no program runs, numbered after those that the panel has.
func (a *actor) appendLine(ctx context.Context, after uint64, text string) error {
	retry := time.NewTimer(writerAgain)
	defer retry.Stop()
	for begun := time.Now(); ; {
		w, err := console.OpenWriter(a.tail.Dir, console.Options{After: after})
		if err == nil {
			seq, err := w.Append(kind.StreamSystem, text, time.Now())
			if err := errors.Join(err, w.Close()); err != nil {
				return err
			}
			a.tail.wrote(seq)
			return nil
		}
		if !errors.Is(err, console.ErrLocked) || time.Since(begun) > writerPatience {
			return err
		}
		retry.Reset(writerAgain)
		select {
		case <-retry.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
