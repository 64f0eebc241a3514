// Package bus carries typed events between the parts of the panel, and between its instances, over NATS. There is one
// path: without a NATS URL the bus runs a NATS server of its own inside the process, which listens nowhere, and
// everything else is the same.
//
// # What is guaranteed
//
// The bus is a signal, not a store. An event reaches every subscription that existed when it was published, in the
// order in which one instance published it; nothing is kept for later. Writers therefore commit first and publish
// afterwards, and readers subscribe first and read the database afterwards: nothing falls between.
//
// A Subscribe that has returned sees everything that is published afterwards, by any instance on the same NATS server.
// Between the servers of a NATS cluster, interest spreads within milliseconds; a reader that needs to be certain
// compares sequence numbers, as the console does.
//
// Each subscription has a bounded buffer and a stated policy for when its reader is too slow: see Policy. A slow reader
// never slows another one, nor a publisher. After a lost connection to NATS, and wherever else events may have been
// missed, every subscription is told so: see Subscription.Gap.
//
// # Cost
//
// An instance has one NATS subscription per subject however many local readers there are; an event is decoded once and
// its value is shared by them all. A value that came from a subscription must not be changed.
//
// # Who may call it
//
// Services, the agent link and the subscriptions of the API. Topics are declared as package variables by their owner.
package bus
