// Package webhooks owns the addresses that are told of events, and the telling. An event that leaves the outbox becomes
// one delivery for each webhook that wants it; deliveries are signed HTTP requests, tried again over hours until they
// are accepted or given up.
//
// Invariants: a delivery is made at least once, by one instance at a time; a slow address delays no other; requests go
// to public addresses only (package egress); the secret of a signature is kept encrypted and shown once.
//
// Webhooks need webhook.create, webhook.update or webhook.delete, deliveries webhook.read; all of them are roles' rights,
// since a webhook hears of everything.
package webhooks
