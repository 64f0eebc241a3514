// Package tx runs units of work: a transaction in which writes are allowed, and what is to happen once it is
// committed. Services own their units of work; transports never open one.
//
// Invariants: nothing is written outside of [Do] (the privacy policy of every entity refuses it); a unit of work that
// begins inside another joins it; what [AfterCommit] registers runs only if the outermost unit was committed, in the
// order of registration, and never inside the transaction. What must survive a crash is put into the outbox with
// [Enqueue] instead.
//
// The function given to Do may be run more than once, when the database asks to try again: it must not change
// anything but the database. No call to a node, the bus or the network belongs into it.
package tx
