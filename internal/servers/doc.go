// Package servers owns the servers: it makes, changes, starts, stops and deletes them, and takes in what their nodes
// report.
//
// Invariants:
//   - what a server should do is a row (power, run, generation), changed in a transaction and delivered afterwards:
//     a message that is lost is delivered again, because the node's last report names another generation;
//   - a state changes only along kind.CanFollow, under the row's lock, and each change is announced once, in order;
//   - a report counts only when it acted on the present generation: an older one says nothing about what is wanted now;
//   - a verb that is refused leaves nothing half-made.
//
// A server that is deleted is hidden at once and its row goes when its node has removed it. Transports call the verbs,
// which check server.* and console.write; the agent link calls All, One, Removed, Pending, Observed as the system.
package servers
