// Package link keeps the node connected to its panel: it dials, proves who the node is, and serves HTTP/2 on the
// connection, on which the panel calls. See agent/protocol for the flow.
//
// Guarantees: there is one connection at a time; when it ends, the contexts of its handlers are cancelled and all of
// them have returned before the next is dialled; the time between attempts is random (full jitter), so that the nodes
// of a panel that restarts do not return all at once.
package link
