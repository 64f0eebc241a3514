// Package accounts owns who people are and what they may do: accounts and their passwords, sessions and refresh tokens,
// API keys and SSH keys, roles, and the accesses, invitations and ownership of servers.
//
// # Invariants
//
// Only hashes of passwords and tokens are stored. Nobody passes on a permission that they lack, in any way: role, API
// key, server access, invitation, ownership, or power over an account that may do more than they. The last
// administrator (an account that is not suspended and has a role with "*") stays. A refresh token works once; when one
// that was used comes back, the sign-in it belongs to ends. What a password decides takes as long for an account that
// does not exist, and counts against the limit.
//
// # Revocation
//
// What a credential stands for is read from the database again at least every second, and at once after a change: every
// change of what somebody may do publishes [AccessChanged] after it is committed. Whatever lives longer than a request
// listens to [Service.Changes] and asks [Service.Refresh] (package gate does both). [Service.Run] must run for the
// changes made by other instances to be noticed at once.
//
// # Who may call it
//
// Transports (the GraphQL resolvers, the SSH front, the command line) and the composition root. Each method checks the
// caller's permission itself. It returns UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, CONFLICT, RATE_LIMITED
// and QUOTA_EXCEEDED; everything that a person did or was refused is in the audit trail.
package accounts
