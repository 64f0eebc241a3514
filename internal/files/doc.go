// Package files is the service of the servers' files: who may do what with them, and what is on record about it. The files
// are the node's; nothing of them is kept here, and contents pass through without landing on the panel's disk or as a
// whole in its memory, but for the texts that the API itself carries.
//
// # What always holds
//
//   - The first thing that a method does is to ask for file.read, file.write or file.delete on the server.
//   - What a server's template denies to users is denied in every argument of every method, to everybody who may not
//     change nodes.
//   - Nothing is written while a server is installed, transferred or restored, or is suspended.
//   - What was changed is in the audit trail, with one entry for one call, however many files it named.
//   - The names in paths are text. Bytes that are no UTF-8 are shown as characters of a private range, and understood as
//     the same bytes when they come back.
//
// Package graph calls it, and so do the transports of bytes.
//
// # Fault codes
//
// BAD_USER_INPUT, NOT_FOUND, FORBIDDEN, CONFLICT, QUOTA_EXCEEDED, NODE_OFFLINE, TIMEOUT.
package files
