// Package output turns a program's output into lines and keeps them in a log on the node: how bytes become lines
// (Splitter), how many of them are kept (Limiter), and the segment files that hold them (Writer, Reader).
//
// Invariants:
//   - a log has at most one Writer at a time, over all processes: OpenWriter takes an exclusive lock on the directory;
//   - sequence numbers start at 1, grow by one with each line and go on after a restart; after a power cut some are left
//     out, so that none is given twice;
//   - a line that a Reader has seen never changes; lines leave only from the oldest end, whole segments at a time, and
//     ReadAfter says how many are missing;
//   - readers need no lock and never hold up the writer.
//
// A segment file is named by the sequence number of its first record, 20 decimal digits and ".log", and is a plain
// sequence of records, integers in little endian:
//
//	length   uint32  of what follows the checksum
//	checksum uint32  CRC-32C of what follows
//	seq      uint64
//	at       int64   Unix time in microseconds
//	stream   uint8   1 STDOUT, 2 STDERR, 3 SYSTEM, 4 INPUT
//	text     the rest, valid UTF-8 without line feeds or NUL, at most MaxLine bytes
//
// A record that is cut short or does not match its checksum ends the segment; the next Writer removes it.
//
// The holder writes with it; everybody else goes through package console, which speaks the panel's terms. It imports
// next to nothing, since it is part of every holder (package earlyexec says why that matters).
package output
