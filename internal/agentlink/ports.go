package agentlink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/netip"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

// ErrFenced is returned (wrapped or not) by Nodes.Seen when the session may not go on: a newer one has taken the node
// over, or the node or its key is gone. Any other error of Seen leaves the link as it is.
var ErrFenced = errors.New("the node's session has been fenced")

// LinkInfo describes a session that is about to begin.
type LinkInfo struct {
	NodeID string
	// SessionID is random and new for each connection.
	SessionID string
	// Instance names the panel instance that holds the connection.
	Instance string
	// AgentVersion, Runtime, System and EventEpoch are what the agent said in Hello. They are foreign input.
	AgentVersion string
	Runtime      string
	System       *protocol.SystemInfo
	EventEpoch   string
	// RemoteAddr is where the agent dialled from.
	RemoteAddr netip.Addr
}

// Nodes knows the nodes and their keys. All calls come with the system as the viewer.
type Nodes interface {
	// PublicKey returns the key of an enrolled node, or a NOT_FOUND fault.
	PublicKey(ctx context.Context, nodeID string) (ed25519.PublicKey, error)
	// Enrol spends a one-time token and makes key the node's key. Faults reach the agent.
	Enrol(ctx context.Context, token string, key ed25519.PublicKey, remote netip.Addr) (nodeID string, err error)
	// Connected records that the session now holds the node and fences every older one. It returns the last event
	// stored of the epoch in info. A fault refuses the session, and its message reaches the agent.
	Connected(ctx context.Context, info LinkInfo) (acked uint64, err error)
	// Disconnected records that the session has ended; it does nothing when another session holds the node.
	Disconnected(ctx context.Context, nodeID, sessionID string) error
	// Seen is the session's heart-beat. It returns ErrFenced when the session may not go on.
	Seen(ctx context.Context, nodeID, sessionID string) error
}

// Desired knows what should be on a node.
type Desired interface {
	// All returns every server that should be on the node, and those that should be removed from it.
	All(ctx context.Context, nodeID string) ([]*protocol.ApplyServerRequest, []*protocol.RemoveServerRequest, error)
	// One returns what should be done about one server: one of the two, or neither when it has no business there.
	One(ctx context.Context, nodeID, serverID string) (*protocol.ApplyServerRequest, *protocol.RemoveServerRequest, error)
	// Removed records that the agent has removed a server.
	Removed(ctx context.Context, nodeID, serverID string) error
	// Pending returns the servers whose observed generation is not the desired one, and those still to be removed.
	Pending(ctx context.Context, nodeID string) (serverIDs []string, err error)
}

// Reports takes in what a node says about its servers. A node may only speak of its own servers: an implementation
// skips what is about others. An error means that nothing of the call was stored and that it should be tried again.
type Reports interface {
	// Observed stores the states in the answers to Sync and ApplyServer. Those of Sync include servers that the node
	// holds although the panel did not name them.
	Observed(ctx context.Context, nodeID string, states []*protocol.Observed) error
	// Events stores events of one epoch in the order given, in one transaction with the last sequence number. Events
	// that are already stored are skipped.
	Events(ctx context.Context, nodeID, epoch string, events []*protocol.EventsResponse) error
}

// Console takes in the console lines of a node's servers.
type Console interface {
	// Cursors returns for each of the node's servers the last console line that is stored. Servers without lines may
	// be absent.
	Cursors(ctx context.Context, nodeID string) (map[string]uint64, error)
	// Ingest stores and then publishes lines, in order. It is called by one goroutine per node with everything that
	// has arrived meanwhile. Lines that are already stored are skipped. An error means: try again.
	Ingest(ctx context.Context, nodeID string, batches []*protocol.ConsoleResponse) error
}
