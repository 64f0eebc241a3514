// Package console owns the stored console of every server: it takes lines in from the nodes, keeps them, and lets
// people follow and read them.
//
// Invariants:
//   - a line is stored before it is published, so whoever subscribes first and reads the database afterwards has
//     neither a gap nor a double;
//   - a line is stored once, whatever a node sends again: a server's console_seq and its lines change together;
//   - a server's lines go from the oldest on, by age and by size; what a follower misses by that is counted for it;
//   - a reader that is too slow is not waited for: it goes back to the database from where it stopped.
//
// The agent link calls Cursors and Ingest; transports call Follow and Lines, which need console.read. Sweep runs in the background.
package console
