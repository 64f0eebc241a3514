// Package audit writes the audit trail: who did what to what, from where, and how it ended.
//
// A success is recorded inside the unit of work that it belongs to, so that there is no deed without its entry and no
// entry without its deed. A refusal or a failure is recorded in a transaction of its own, since what it tells of was
// rolled back. Entries are never changed; the database clears the actor when the account is deleted, and the name stays.
//
// Every service may call it. Details must not hold secrets: callers name what changed, never a password or a token.
package audit
