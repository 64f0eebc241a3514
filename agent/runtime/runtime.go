// Package runtime says what the supervisor needs of a way to run programs, and nothing about how it is done. The
// implementations are the sub-packages; all of them pass the suite in runtimetest.
//
// Guarantees that every implementation gives:
//   - a program that was started outlives the agent: Adopt finds it again, or finds how it ended meanwhile;
//   - its console is written by exactly one writer (the holder), whether or not an agent is attached;
//   - at most one instance of a server exists, on penalty of an error from Start.
package runtime

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

// ErrNotRunning is returned by an Instance's methods after its program has ended.
var ErrNotRunning = errors.New("the program does not run")

// ErrAlreadyRunning is returned by Start while another instance of the same server exists.
var ErrAlreadyRunning = errors.New("another instance of the server is running")

// Runtime starts programs and finds them again.
type Runtime interface {
	// Name is how the runtime is called in configuration and in the node's description.
	Name() string
	// Prepare fetches what Start will need, with all the time that takes, and tells its progress. Start can do without,
	// but then people wait and do not know what for.
	Prepare(ctx context.Context, server *protocol.ServerSpec, progress Progress) error
	// Start starts the program and returns once it runs. The error is for people: it ends up in the server's
	// console and state. Nothing is left behind after an error.
	Start(ctx context.Context, spec Spec) (Instance, error)
	// Adopt returns the last instance of a server that this or an earlier agent started: still running, or ended
	// (its Events then deliver the Exit at once). It returns nil, nil when there is none or its end was already
	// acknowledged by Forget.
	Adopt(ctx context.Context, dir Dir) (Instance, error)
	// Close lets go of what the runtime itself holds; programs go on.
	Close() error
}

// Progress takes how far something is, from 0 to 1, and a line for people when there is something new to say.
type Progress func(fraction float64, message string)

// Dir is a server's directory on the node.
type Dir struct {
	// ServerID is the server's TypeID.
	ServerID string
	// Path is the absolute path of the server's directory: files/, console/ and run/ lie below it.
	Path string
}

// Spec is one instance to start.
type Spec struct {
	Dir
	// Run numbers the instance; Adopt returns it again. InstallRun is an installation: Server is an Installer then, which
	// gets its script at ScriptPath, and what it has made is the server's once its end is told. Runtimes without
	// containers refuse it.
	Run uint64
	// Server is what to run: argv or shell line, environment, limits, ready patterns, console rates.
	Server *protocol.ServerSpec
}

// Instance is one run of a server's program.
type Instance interface {
	// Run is the number that Start was given.
	Run() uint64
	// Events delivers, in order: Ready at most once, Wrote whenever lines were written (merged, never blocking the
	// program), and Exit as the last one, after which the channel is closed. Each instance has one reader.
	Events() <-chan Event
	// Input writes one line to the program's standard input and records it as an INPUT line, whose sequence number
	// it returns. It fails with ErrNotRunning after the end, and when the program does not read for the context's
	// time.
	Input(ctx context.Context, text string) (uint64, error)
	// Notice records a SYSTEM line in the console.
	Notice(ctx context.Context, text string) error
	// Skip makes the number of the next console line greater than after: the panel has lines up to that one, which the
	// node has lost.
	Skip(ctx context.Context, after uint64) error
	// Signal sends a signal to the program (and its descendants for SIGKILL).
	Signal(ctx context.Context, sig syscall.Signal) error
	// Limit changes the limits of the running program, as far as the runtime can limit anything.
	Limit(ctx context.Context, limits *protocol.Limits) error
	// Stats samples the resources of the program and its descendants.
	Stats(ctx context.Context) (Sample, error)
	// Forget acknowledges the end: whatever was kept to report it is removed. It fails while the program runs.
	Forget(ctx context.Context) error
	// Detach lets go of the instance without ending it; its Events close without an Exit.
	Detach()
}

// Event is something that happened to an instance; exactly one field is set.
type Event struct {
	// Ready is set when a ready pattern matched, or at once when there is none.
	Ready bool
	// Wrote is the sequence number of the last console line written.
	Wrote uint64
	// Exit is set when the program has ended.
	Exit *Exit
}

// Exit is how a program ended.
type Exit struct {
	// Code is the exit code; 128+n when signal n ended it, -1 when it cannot be known (the holder was killed).
	Code int
	// Signal is the signal's number, or 0.
	Signal int
	// OOMKilled is set when the kernel ended it for want of memory.
	OOMKilled bool
	// At is when it ended.
	At time.Time
	// LastLines are the last console lines before the end, taken before the rate limit.
	LastLines []string
	// Unwritten counts the last lines, of which the console has none since the disk did not take them.
	Unwritten uint64
	// Lost is set when the end was not seen, and what is known was concluded afterwards.
	Lost bool
}

// Sample is one reading of a program's resources.
type Sample struct {
	// At is when it was read.
	At time.Time
	// CPUTime is the time spent by all its processes since the start; the caller turns two of them into percent.
	CPUTime time.Duration
	// MemoryBytes is the resident memory.
	MemoryBytes int64
	// NetworkRxBytes and NetworkTxBytes count since the start; 0 where the runtime cannot tell them apart.
	NetworkRxBytes, NetworkTxBytes int64
	// Processes is how many there are.
	Processes int
	// StartedAt is when the program started.
	StartedAt time.Time
}
