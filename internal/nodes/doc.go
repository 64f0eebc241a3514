// Package nodes owns locations, nodes, their enrolment, their allocations and what is known of their presence.
//
// Invariants:
//   - an enrolment token is stored as a hash only, is good for one use within its time, and dies when a new one is made;
//   - the newest link of a node holds it: every older one is fenced, by comparing the session in the node's row;
//   - a node with servers cannot be deleted, and neither can an allocation that a server uses.
//
// Transports call the verbs, which check location.*, node.*; the agent link calls PublicKey, Enrol, Connected,
// Disconnected and Seen as the system. Presence is announced as a change of the node; heart-beats are not.
package nodes
