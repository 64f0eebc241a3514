// Package agentlink is the panel's end of the link to the node agents: it lets agents enrol and connect, keeps one
// session per connected node, and through it hands over what should be on the node and takes in what happens there.
//
// # Invariants
//
//   - Nobody is let near a session before the Authorization header has been verified: a caller without the node's key
//     cannot end, delay or lock out a node's link.
//   - A node has one session on one instance. A newer one fences the older, on this instance at once and on others by
//     a check against the database, which decides. The older one's goroutines have ended before the newer one works,
//     so a service never sees two sessions of a node at the same time from one instance.
//   - An event is acknowledged, and a console line reported as stored, only after the service has stored it. Services
//     may be handed the same event or line twice, never in another order.
//   - Every queue is bounded and every session has goroutines of its own: an agent that floods, stalls or lies harms
//     its own link only. A link whose peer is silent for protocol.PingTimeout is closed.
//   - Nothing depends on a message not being lost: a session begins with a Sync of everything, and every few seconds
//     servers whose observed generation lags behind are delivered again.
//
// # Who may call it
//
// Services call Dirty after commit, Client for calls to a node, Recheck when a node's right to be connected may have
// ended. The interfaces in ports.go are what the link needs of them; package app binds the two.
//
// # Fault codes
//
// The handshake answers UNAUTHENTICATED, FORBIDDEN, BAD_REQUEST, RATE_LIMITED and what Nodes.Enrol returns. Client and
// the calls on it return NODE_OFFLINE, TIMEOUT, NOT_FOUND, CONFLICT, BAD_USER_INPUT, QUOTA_EXCEEDED and INTERNAL.
package agentlink
