// Package seal encrypts the secrets that the database keeps for later use: those of webhooks, and whatever else has to
// be shown to somebody again that only Catalyst may read. The key lies in a file apart from the database, so that a copy
// of the database alone gives nothing away. It imports nothing of ours.
package seal
