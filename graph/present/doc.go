// Package present turns errors into what clients see: a sentence and a code of the closed list. A fault is shown as it
// is. Whatever else comes up is INTERNAL with the request's id and nothing more, and is logged here, once. No SQL, path,
// stack or Go type ever leaves through it.
package present
