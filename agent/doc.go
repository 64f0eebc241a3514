// Package agent is the node's agent: it joins identity, link, service, supervisor and spool, and owns their order of
// starting and ending. Programs are supervised whether or not a panel can be reached; they go on when the agent ends,
// unless it is told to stop them.
//
// What it keeps lies in <data dir>/agent: node.key and node.json (who the node is), spool (events that the panel has
// not stored yet), servers (one directory per server), lock (held while an agent runs, so that there is only one).
package agent
