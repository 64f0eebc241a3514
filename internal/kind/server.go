package kind

import "io"

// ServerState is what a server is doing, as far as the panel knows.
type ServerState string

// The values of ServerState.
const (
	// ServerStateInstalling runs the template's install script.
	ServerStateInstalling ServerState = "INSTALLING"
	// ServerStateStopped does not run and was not asked to.
	ServerStateStopped ServerState = "STOPPED"
	// ServerStateStarting runs, but has not said yet that it is ready.
	ServerStateStarting ServerState = "STARTING"
	// ServerStateRunning runs and is ready.
	ServerStateRunning ServerState = "RUNNING"
	// ServerStateStopping was asked to stop and has not ended yet.
	ServerStateStopping ServerState = "STOPPING"
	// ServerStateCrashed ended although nobody asked it to.
	ServerStateCrashed ServerState = "CRASHED"
	// ServerStateTransferring is being moved to another node.
	ServerStateTransferring ServerState = "TRANSFERRING"
	// ServerStateRestoring is being restored from a backup.
	ServerStateRestoring ServerState = "RESTORING"
	// ServerStateError could not be installed or started; the reason stands beside it.
	ServerStateError ServerState = "ERROR"
)

// Values lists every ServerState for the database's and the API's enum.
func (ServerState) Values() []string {
	return values(ServerStateInstalling, ServerStateStopped, ServerStateStarting, ServerStateRunning, ServerStateStopping, ServerStateCrashed, ServerStateTransferring, ServerStateRestoring, ServerStateError)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v ServerState) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *ServerState) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// Power is what the panel wants a server to do.
type Power string

// The values of Power.
const (
	// PowerRun wants the server running.
	PowerRun Power = "RUN"
	// PowerStop wants it stopped, with the template's grace.
	PowerStop Power = "STOP"
	// PowerKill wants it stopped at once.
	PowerKill Power = "KILL"
)

// Values lists every Power for the database's and the API's enum.
func (Power) Values() []string {
	return values(PowerRun, PowerStop, PowerKill)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v Power) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *Power) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// CrashPolicy says what happens after a server ends although nobody asked it to.
type CrashPolicy string

// The values of CrashPolicy.
const (
	// CrashPolicyNever leaves it crashed.
	CrashPolicyNever CrashPolicy = "NEVER"
	// CrashPolicyOnFailure starts it again after an exit code other than zero, or running out of memory.
	CrashPolicyOnFailure CrashPolicy = "ON_FAILURE"
	// CrashPolicyAlways starts it again after any unasked exit.
	CrashPolicyAlways CrashPolicy = "ALWAYS"
)

// Values lists every CrashPolicy for the database's and the API's enum.
func (CrashPolicy) Values() []string {
	return values(CrashPolicyNever, CrashPolicyOnFailure, CrashPolicyAlways)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v CrashPolicy) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *CrashPolicy) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// NetworkMode says how a server reaches the network.
type NetworkMode string

// The values of NetworkMode.
const (
	// NetworkModeBridge gives it a network of its own with mapped ports.
	NetworkModeBridge NetworkMode = "BRIDGE"
	// NetworkModeHost shares the node's network.
	NetworkModeHost NetworkMode = "HOST"
	// NetworkModeCustom uses a CNI network that the node's administrator placed.
	NetworkModeCustom NetworkMode = "CUSTOM"
)

// Values lists every NetworkMode for the database's and the API's enum.
func (NetworkMode) Values() []string {
	return values(NetworkModeBridge, NetworkModeHost, NetworkModeCustom)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v NetworkMode) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *NetworkMode) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// Stream says where a console line comes from.
type Stream string

// The values of Stream.
const (
	// StreamStdout is the server's standard output.
	StreamStdout Stream = "STDOUT"
	// StreamStderr is its standard error.
	StreamStderr Stream = "STDERR"
	// StreamSystem is a message of Catalyst.
	StreamSystem Stream = "SYSTEM"
	// StreamInput is a command that somebody sent.
	StreamInput Stream = "INPUT"
)

// Values lists every Stream for the database's and the API's enum.
func (Stream) Values() []string {
	return values(StreamStdout, StreamStderr, StreamSystem, StreamInput)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v Stream) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *Stream) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// EndedWell is the reason of a server that is STOPPED since its program ended by itself.
const EndedWell = "ended by itself with code 0"
