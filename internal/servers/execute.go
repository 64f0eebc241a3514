package servers

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/console"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// quiet is how long nothing may come for a command to be taken as answered.
	quiet = 500 * time.Millisecond
	// defaultAnswer and maxAnswer are how long an answer is waited for.
	defaultAnswer, maxAnswer = 5 * time.Second, 25 * time.Second
	// maxOutput bounds the output of a command.
	maxOutput = 256 << 10
)

// errAnswered ends the reading of an answer.
var errAnswered = errors.New("the command is answered")

// ExecuteInput is a command whose output is wanted.
type ExecuteInput struct {
	ServerID, Command string
	// Timeout is how long to wait for the end of the output; 5 s when nil, 25 s at the most.
	Timeout *time.Duration
}

// Output is what a program wrote after a command.
type Output struct {
	// Text is its lines, joined by line feeds.
	Text string
	// Truncated says that there was more than fits.
	Truncated bool
	// TimedOut says that the program was still writing when the time was over.
	TimedOut bool
}

// Execute sends a command as SendCommand does and returns what the program writes after it, until it has been quiet for
// half a second or the time is over. A console has no ends of answers: what the program writes of its own meanwhile is
// in the output, too.
func (s *Service) Execute(ctx context.Context, in ExecuteInput) (Output, error) {
	wait := defaultAnswer
	if in.Timeout != nil {
		wait = *in.Timeout
	}
	if wait <= 0 || wait > maxAnswer {
		return Output{}, fault.Input("timeout", "Give a time of up to %s.", maxAnswer)
	}
	// Open for as long as the answer is read, so that a right that is lost meanwhile ends it.
	reading, closeGate, err := s.Gate.Open(ctx, access.ConsoleWrite, access.On(in.ServerID))
	if err != nil {
		_, err = s.SendCommand(ctx, in.ServerID, in.Command) // is refused, and puts that on record
		return Output{}, err
	}
	defer closeGate()
	last, err := s.Console.Last(ctx, in.ServerID)
	if err != nil {
		return Output{}, err
	}
	if _, err := s.SendCommand(ctx, in.ServerID, in.Command); err != nil {
		return Output{}, err
	}
	a := answer{command: in.Command}
	err = a.read(reading, wait, func(ctx context.Context, take func(console.Batch) error) error {
		return s.Console.Tail(ctx, in.ServerID, last, take)
	})
	return a.output(), err
}

// answer collects what comes after a command.
type answer struct {
	command string
	begun   bool // the command itself has been seen
	text    strings.Builder
	out     Output
}

// read collects until the program is quiet, the time is over, or there is more than fits.
func (a *answer) read(ctx context.Context, wait time.Duration, follow func(context.Context, func(console.Batch) error) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	over := time.AfterFunc(wait, func() { cancel(context.DeadlineExceeded) })
	defer over.Stop()
	silence := time.AfterFunc(wait, func() { cancel(errAnswered) })
	defer silence.Stop()
	err := follow(ctx, func(b console.Batch) error {
		if a.take(b.Lines) {
			silence.Reset(quiet)
		}
		if a.out.Truncated {
			return errAnswered
		}
		return nil
	})
	cause := context.Cause(ctx) // what was cut off by it may say so in words of its own
	switch {
	case errors.Is(err, errAnswered), errors.Is(cause, errAnswered):
		return nil
	case errors.Is(cause, context.DeadlineExceeded):
		a.out.TimedOut = a.begun
		return nil
	}
	return err
}

// take adds lines, and reports whether they show that the program is at it.
func (a *answer) take(lines []console.Line) bool {
	for _, l := range lines {
		switch {
		case !a.begun:
			a.begun = l.Stream == kind.StreamInput && l.Text == a.command
		case l.Stream == kind.StreamInput:
		case a.text.Len()+len(l.Text)+1 > maxOutput:
			a.out.Truncated = true
			return true
		default:
			if a.text.Len() > 0 {
				a.text.WriteByte('\n')
			}
			a.text.WriteString(l.Text)
		}
	}
	return a.begun
}

func (a *answer) output() Output {
	a.out.Text = a.text.String()
	return a.out
}
