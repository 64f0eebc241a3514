// Package graph answers the GraphQL API. Resolvers translate and nothing else: lists and single entities are read
// through ent, where visibility is enforced; every verb is a call of a service, which checks the permission. A body of
// more than a few lines is a missing service method.
//
// The schema stands in schema/, by noun; the resolvers of schema/server.graphql are in server.resolvers.go. The
// generated execution is in graph/internal/exec. Around it: package guard (what an operation may cost), package present
// (errors), package stream (subscriptions), package scalar, and package handler (HTTP and WebSocket).
package graph
