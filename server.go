// Catalyst hosts game servers: a panel with a GraphQL API, node agents that run the servers, and all in one for a
// first look. Everything is put together in internal/app.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	// First, so that a holder or a Demo game starts without the rest of this binary.
	_ "github.com/catalyst-panel/catalyst/agent/earlyexec"
	"github.com/catalyst-panel/catalyst/internal/app"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

func main() {
	os.Exit(run())
}

// run returns the exit code: 0 after a clean end, also one that a signal asked for.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := app.Run(ctx, app.Process{
		Args: os.Args[1:], Environment: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
	})
	if err == nil || (ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		return 0
	}
	message := err.Error()
	if f, ok := errors.AsType[*fault.Error](err); ok {
		message = f.Message
	}
	fmt.Fprintln(os.Stderr, "catalyst: "+message)
	return 1
}
