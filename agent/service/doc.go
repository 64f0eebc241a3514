// Package service answers the panel's calls on a node: it is the protocol.AgentServiceHandler. It holds no state but
// that of the streams that are open; what a server does is the supervisor's, what is to be told is the spool's.
//
// The panel is trusted to ask for anything on the node; identifiers are checked all the same, since they become paths.
package service
