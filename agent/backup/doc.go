// Package backup makes copies of servers' files, keeps those that stay on the node, and puts them back.
//
// A Keeper owns the node's backups. A backup is a tar, compressed by zstd or gzip, in a directory of its server beside all
// servers' own; nothing that runs in a server can reach it. With it lies a record, which is written before what it tells of
// is done, so that an agent that was killed is followed by one that knows what to do.
//
// # What always holds
//
//   - A backup is made once, however often it is asked for. One that was cut off by the end of the agent is begun anew, three
//     times at the most.
//   - An archive is complete only after it was written to the disk, read again from there, and found to have the same
//     SHA-256. Until then it has another name, by which it is never taken for one.
//   - What was sent to a program's console before its files are read is taken back after that, whatever has happened.
//   - A restoration touches nothing of the server's before the whole archive has come and has the right checksum. It unpacks
//     into a new root, which then takes the place of the old one in one step.
//   - Two backups are made at a time, one of each server.
//
// The agent makes one, registers it for the panel's calls, and has the supervisor restore through it. Errors for people are
// faults.
package backup
