// Package handler serves GraphQL over HTTP: queries and mutations by POST (queries by GET, too), subscriptions by
// server-sent events and by the WebSocket protocol graphql-transport-ws.
//
// It finds out who calls, holds every operation to the guard's limits and to a time limit, and answers in the way that
// the GraphQL over HTTP specification wants: application/graphql-response+json with telling statuses for who asks for
// it, application/json with 200 for everybody else. A browser can be made to send neither a form nor a plain text here,
// nor a GET without a header that it must ask for first.
//
// Sockets close with codes that the clients of graphql-ws understand: 4400 (bad message), 4401 (subscribe before the
// acknowledgement), 4403 (credentials refused, or at their end: fetch new ones and come back), 4408 (no initialisation
// in time), 4409 (identifier in use), 4429 (second initialisation), 1012 (the panel restarts: come back).
package handler
