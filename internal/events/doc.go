// Package events tells of what has happened, to those outside who want to know: it puts events into the outbox within
// the unit of work that they come from, so that none is lost and none is told of that did not happen, and takes them out
// again for whoever passes them on.
//
// Every deed in the audit trail that concerns servers, accesses, accounts or nodes is such an event, under the same
// name; states and alerts have events of their own. Services emit, the webhooks' service drains. Order is kept as far as
// one instance emits; an event is handled exactly once.
package events
