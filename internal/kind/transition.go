package kind

import "slices"

// transitions is the server's life: from each state, the states that may follow. The panel refuses to store and the
// agent refuses to report anything else, so that the history of a server is always a path through this table.
//
// States are reported by a node that may have been out of reach, so a state that is passed through quickly
// (STARTING, STOPPING) may be skipped; the table allows the direct step wherever that can happen.
var transitions = map[ServerState][]ServerState{
	ServerStateInstalling:   {ServerStateStopped, ServerStateStarting, ServerStateRunning, ServerStateCrashed, ServerStateError, ServerStateStopping},
	ServerStateStopped:      {ServerStateInstalling, ServerStateStarting, ServerStateRunning, ServerStateTransferring, ServerStateRestoring, ServerStateError},
	ServerStateStarting:     {ServerStateRunning, ServerStateStopping, ServerStateStopped, ServerStateCrashed, ServerStateError},
	ServerStateRunning:      {ServerStateStopping, ServerStateStopped, ServerStateStarting, ServerStateCrashed, ServerStateError, ServerStateTransferring},
	ServerStateStopping:     {ServerStateStopped, ServerStateStarting, ServerStateCrashed, ServerStateError, ServerStateTransferring, ServerStateRestoring},
	ServerStateCrashed:      {ServerStateStarting, ServerStateRunning, ServerStateStopping, ServerStateStopped, ServerStateInstalling, ServerStateTransferring, ServerStateRestoring, ServerStateError},
	ServerStateTransferring: {ServerStateStopped, ServerStateStarting, ServerStateRunning, ServerStateError},
	ServerStateRestoring:    {ServerStateStopped, ServerStateStarting, ServerStateError},
	ServerStateError:        {ServerStateInstalling, ServerStateStarting, ServerStateRunning, ServerStateStopping, ServerStateStopped, ServerStateTransferring, ServerStateRestoring},
}

// CanFollow reports whether a server may go from one state to another. A state never follows itself.
func CanFollow(from, to ServerState) bool {
	return slices.Contains(transitions[from], to)
}

// Busy reports whether a long operation owns the server, so that power actions other than kill are refused.
func (v ServerState) Busy() bool {
	switch v {
	case ServerStateInstalling, ServerStateTransferring, ServerStateRestoring:
		return true
	case ServerStateStopped, ServerStateStarting, ServerStateRunning, ServerStateStopping, ServerStateCrashed, ServerStateError:
		return false
	}
	return false
}

// Alive reports whether the server's program runs or is about to.
func (v ServerState) Alive() bool {
	return v == ServerStateStarting || v == ServerStateRunning || v == ServerStateStopping
}
