package holder

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/catalyst-panel/catalyst/agent/durable"
	"github.com/catalyst-panel/catalyst/agent/output"
	"github.com/catalyst-panel/catalyst/agent/pattern"
)

// Names of the files in the run directory.
const (
	SpecFile   = "spec.json"
	ExitFile   = "exit.json"
	LockFile   = "holder.lock"
	SocketFile = "holder.sock"
	LogFile    = "holder.log"
	ReadyFile  = "ready"
)

// Command is the sub-command that runs a holder; its only argument is the run directory.
const Command = "holder"

// MarkKey is the environment variable that marks the processes of one instance; its value is Spec.Mark.
const MarkKey = "CATALYST_INSTANCE"

// Spec is what a holder runs.
type Spec struct {
	// Run numbers the instance.
	Run uint64 `json:"run"`
	// Mark is a random word that is also in the program's environment, so that stray processes can be recognised.
	Mark string `json:"mark"`
	// FIFOs are the standard streams of a container that somebody else starts; Argv, Shell, Env and Dir are not used then.
	FIFOs *FIFOs `json:"fifos,omitempty"`
	// Argv is the command. Shell says that it is a shell with a line, whose children are the true program.
	Argv  []string `json:"argv"`
	Shell bool     `json:"shell,omitempty"`
	// Env is the whole environment, KEY=value.
	Env []string `json:"env"`
	// Dir is the working directory.
	Dir string `json:"dir"`
	// ConsoleDir holds the console log, Limits are its rates.
	ConsoleDir string `json:"console_dir"`
	// ConsoleAfter is the last line that the panel has: new lines are numbered after it.
	ConsoleAfter uint64        `json:"console_after,omitempty"`
	Limits       output.Limits `json:"limits"`
	// ReadyPatterns are compiled; the first match in an output line makes the program ready. None: ready at once.
	ReadyPatterns []pattern.Program `json:"ready_patterns,omitempty"`
	// Secrets are masked in the output.
	Secrets []string `json:"secrets,omitempty"`
}

// FIFOs are files in the run directory. Stderr is empty where a terminal has merged it with Stdout.
type FIFOs struct {
	Stdin  string `json:"stdin"`
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr,omitempty"`
}

// Exit is how a program ended.
type Exit struct {
	// Run is that of the Spec.
	Run uint64 `json:"run"`
	// Code is the exit code, 128+n after signal n, -1 when nobody saw the end.
	Code int `json:"code"`
	// Signal is the signal's number or 0.
	Signal int `json:"signal,omitempty"`
	// OOMKilled is set when the kernel killed it for want of memory, as far as can be told.
	OOMKilled bool `json:"oom_killed,omitempty"`
	// At is when it ended.
	At time.Time `json:"at"`
	// LastLines are its last lines, those over the rate limit included.
	LastLines []string `json:"last_lines,omitempty"`
	// Unwritten counts lines at the end of the console that the disk did not take.
	Unwritten uint64 `json:"unwritten,omitempty"`
	// Lost is set when the holder was killed and the agent wrote this.
	Lost bool `json:"lost,omitempty"`
}

// Started is what a holder answers to the agent that started it.
type Started struct {
	// Error is why the program does not run, a sentence for people; empty when it runs.
	Error string `json:"error,omitempty"`
}

// WriteFile stores v as JSON, so that after a crash of the machine either the old or the new content is there.
func WriteFile(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path.Base(name), err)
	}
	return durable.WriteFile(name, b)
}

// exitRoom is set aside on the disk for the end of the program.
const exitRoom = 16 << 10

// ReserveExit sets room aside on the disk for StoreExit.
func ReserveExit(name string) error { return durable.Reserve(name, exitRoom) }

// StoreExit stores the end of a program in a file: into the room that was set aside, so that a full disk does not hide it.
// Where even that is too little, the last lines are left out.
func StoreExit(name string, exit Exit) error {
	var failed error
	for _, lines := range [][]string{exit.LastLines, nil} {
		exit.LastLines = lines
		b, err := json.Marshal(exit)
		if err != nil {
			return fmt.Errorf("encode %s: %w", path.Base(name), err)
		}
		if failed = durable.Fill(name, b); failed == nil {
			return nil
		}
	}
	return failed
}

// ReadFile reads what WriteFile stored. The error is fs.ErrNotExist when there is none, and when it is damaged: nothing
// can be learned from it then, and waiting for it to become readable would be waiting for ever.
func ReadFile(name string, v any) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read %s: %w", path.Base(name), err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode %s: %w: %w", path.Base(name), fs.ErrNotExist, err)
	}
	return nil
}
