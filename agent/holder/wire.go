package holder

import (
	"time"

	"golang.org/x/sys/unix"
)

// Request is what an agent asks of the holder. Exactly one of Input, Notice, Signal, After and End is set.
type Request struct {
	// ID is returned with the answer; it is not 0.
	ID uint64 `json:"id"`
	// Input is a line for the program's standard input. TimeoutMS is how long it may take, Deadline until when, by the
	// machine's monotonic clock: a request may have waited for a holder that was held up.
	Input     *string       `json:"input,omitempty"`
	TimeoutMS int64         `json:"timeout_ms,omitempty"`
	Deadline  time.Duration `json:"deadline,omitempty"`
	// Notice is a SYSTEM line for the console.
	Notice *string `json:"notice,omitempty"`
	// End says how the container has ended whose streams the holder has; all its output is in the FIFOs by then.
	End *Exit `json:"end,omitempty"`
	// Signal is a signal's number.
	Signal int `json:"signal,omitempty"`
	// After is a number that the next line's must be greater than.
	After uint64 `json:"after,omitempty"`
}

// Expires makes the request one that is not carried out after that time has passed.
func (r *Request) Expires(in time.Duration) {
	r.TimeoutMS, r.Deadline = max(1, in.Milliseconds()), monotonic()+in
}

// defaultPatience is that of a request that does not expire.
const defaultPatience = 5 * time.Second

// patience is how much time the request has left.
func (r *Request) patience() time.Duration {
	left := defaultPatience
	if r.TimeoutMS > 0 {
		left = time.Duration(r.TimeoutMS) * time.Millisecond
	}
	if r.Deadline > 0 {
		left = min(left, r.Deadline-monotonic())
	}
	return left
}

// monotonic is the time since the machine was started, which all its processes agree on.
func monotonic() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0 // it cannot fail for this clock
	}
	return time.Duration(now.Nano())
}

// Push is what the holder sends: its greeting, an answer, or news.
type Push struct {
	// Hello is set in the first message of a connection.
	Hello *Hello `json:"hello,omitempty"`
	// ID is that of the request which this answers, or 0.
	ID uint64 `json:"id,omitempty"`
	// Seq is the sequence number of the line that the request wrote.
	Seq uint64 `json:"seq,omitempty"`
	// Error is why the request failed, a sentence for people. Ended says that the program has ended.
	Error string `json:"error,omitempty"`
	Ended bool   `json:"ended,omitempty"`
	// Wrote says that the log holds all lines up to this one.
	Wrote uint64 `json:"wrote,omitempty"`
	// Ready says that the program is ready.
	Ready bool `json:"ready,omitempty"`
	// Exit is the last message: how the program ended, also where the disk did not take it.
	Exit *Exit `json:"exit,omitempty"`
}

// Hello says what the holder holds.
type Hello struct {
	// Run is that of the Spec.
	Run uint64 `json:"run"`
	// HolderPID and PID are the process numbers of the holder and of the program.
	HolderPID int `json:"holder_pid"`
	PID       int `json:"pid"`
	// StartedAt is when the program was started.
	StartedAt time.Time `json:"started_at"`
}
