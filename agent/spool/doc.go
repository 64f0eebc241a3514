// Package spool is the durable queue of a node's events: what happened is appended, sent to the panel, and removed
// once the panel has said that it is stored.
//
// Invariants:
//   - sequence numbers start at 1, grow by one, and are never used twice within an epoch; the epoch is a random id that
//     is made with the spool, so that a spool that was lost cannot be mistaken for its successor;
//   - ReadAfter never hands out an event that is not on the disk for good: what the panel has acknowledged can never be
//     numbered again after a power cut;
//   - the queue is bounded: when it is full the oldest events go, and a reader that missed them is told how many by an
//     explicit Dropped event in their place;
//   - a torn or damaged record ends its segment; nothing behind it is guessed.
//
// A segment is a file named by the sequence number of its first record. A record is the length of its payload and the
// payload's CRC-32C, both 32 bits little-endian, then the payload: a protocol.EventsResponse. The last segment is kept
// even when it is empty, since its name remembers the next number.
//
// The agent owns the one Spool of a node; all methods may be called concurrently.
package spool
