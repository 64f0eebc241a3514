package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/catalyst-panel/catalyst/agent/durable"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	stateFile = "state.json"
	// recordVersion is raised when the meaning of a field changes; a newer one than known is refused.
	recordVersion = 1
)

// record is what an actor must not forget, as it lies in state.json. Specifications hold secrets: the file's mode is
// 0600.
type record struct {
	Version int `json:"version"`
	// Spec is the latest specification, Active the one that the last instance was started with.
	Spec   *specJSON `json:"spec,omitempty"`
	Active *specJSON `json:"active,omitempty"`

	// What the panel wants.
	Generation uint64     `json:"generation"`
	Power      kind.Power `json:"power,omitempty"`
	WantedRun  uint64     `json:"wantedRun"`
	// WantedInstall numbers the installation that the panel wants, as WantedRun does with runs.
	WantedInstall uint64 `json:"wantedInstall,omitempty"`
	// WantedRestore numbers the restoration that the panel wants.
	WantedRestore uint64 `json:"wantedRestore,omitempty"`
	// CrashResets is the panel's count of how often it has had the crashes forgotten; any other one is an order to.
	CrashResets uint64 `json:"crashResets,omitempty"`

	// What is. Run is the last instance that was begun.
	State  kind.ServerState `json:"state"`
	Run    uint64           `json:"run"`
	Reason string           `json:"reason,omitempty"`
	// Install is the last installation that was begun, Installing is set until its end is known.
	Install    uint64 `json:"install,omitempty"`
	Installing bool   `json:"installing,omitempty"`
	// Restore is the last restoration that was begun, Restoring is set until its end is known, and Renewed what the new root
	// is known by once it is complete.
	Restore   uint64 `json:"restore,omitempty"`
	Restoring bool   `json:"restoring,omitempty"`
	Renewed   string `json:"renewed,omitempty"`

	ExitCode   *int32    `json:"exitCode,omitempty"`
	OOMKilled  bool      `json:"oomKilled,omitempty"`
	LastLines  []string  `json:"lastLines,omitempty"`
	At         time.Time `json:"at"`
	CrashCount int32     `json:"crashCount,omitempty"`

	// Failure is the reason for which a program that is being stopped will be in ERROR, not STOPPED.
	Failure string `json:"failure,omitempty"`
	// Restarts are the times of the crash policy's restarts since the last start by the panel.
	Restarts []time.Time `json:"restarts,omitempty"`
	// RestartAt is when a crashed server is due to be started again; zero when it is not.
	RestartAt time.Time `json:"restartAt,omitzero"`
	// Removing is set from the moment a removal was asked for.
	Removing  bool `json:"removing,omitempty"`
	KeepFiles bool `json:"keepFiles,omitempty"`
}

// specJSON stores a specification in protobuf's own JSON, which old and new agents read.
type specJSON struct{ *protocol.ServerSpec } //nolint:recvcheck // encoding takes a value, decoding needs a pointer

// MarshalJSON writes the specification.
func (s specJSON) MarshalJSON() ([]byte, error) { return protojson.Marshal(s.ServerSpec) }

// UnmarshalJSON reads a specification and skips fields that this agent does not know.
func (s *specJSON) UnmarshalJSON(b []byte) error {
	s.ServerSpec = &protocol.ServerSpec{}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, s.ServerSpec)
}

func loadRecord(dir string) (*record, error) {
	content, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, fmt.Errorf("read server state: %w", err)
	}
	r := &record{}
	if err := json.Unmarshal(content, r); err != nil {
		return nil, fmt.Errorf("read server state: %w", err)
	}
	if r.Version > recordVersion {
		return nil, fmt.Errorf("server state has version %d, this agent knows up to %d", r.Version, recordVersion)
	}
	return r, nil
}

// save writes the record so that a crash leaves the old one or the new one.
func (r *record) save(dir string) error {
	r.Version = recordVersion
	content, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode server state: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(dir, stateFile), content); err != nil {
		return fmt.Errorf("store server state: %w", err)
	}
	return nil
}

// orEmpty returns the specification, which is never nil.
func (s *specJSON) orEmpty() *protocol.ServerSpec {
	if s == nil || s.ServerSpec == nil {
		return &protocol.ServerSpec{}
	}
	return s.ServerSpec
}
