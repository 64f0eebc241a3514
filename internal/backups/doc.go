// Package backups owns the backups of servers, and the storages where they are kept.
//
// A backup is a row that says what should be: the instance of the panel that holds the link of the server's node has the
// node make it, and follows how far it is, for as long as the row is not at its end. Nothing depends on a call that must
// not be lost: a panel that was restarted, and a node that comes back, go on where they were. So it is with cancelling and
// with deleting, which hide a backup at once and remove its archive as soon as its node, or its storage, can be reached.
//
// # What always holds
//
//   - A backup is COMPLETED only when its archive was verified where it lies: a node reads it again, a storage compares each
//     part with its sum, and the whole with its size, when it is put together.
//   - Others are deleted by the server's limits and by its retention only after that, never before, never one that is
//     locked, and never the last.
//   - The credentials of storages stay with the panel. Nodes are given addresses that are good for one part, or for one
//     archive, and for a limited time.
//   - Whatever is begun at a storage and has no backup any more is removed there within a day.
//
// backup.create, backup.read, backup.restore and backup.delete are needed on the server, admin.write for storages. Each deed
// is audited; how a backup ended is an event of its own (backup.complete, backup.fail).
package backups
