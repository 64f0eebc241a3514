// Package httpd is the panel's HTTP edge: the mux, time-outs, request ids, client addresses, security headers, limits
// per address, health checks, the access log and the GraphiQL page.
//
// It owns the connection, not its meaning: GraphQL and the agent link are handlers that it is given. Its invariants:
//
//   - Every request has an id. It is in the answer (X-Request-Id), in package request's context and in the logs.
//   - The client's address is the peer's, unless the peer is a trusted proxy. A forwarded address is never believed
//     otherwise.
//   - No client can hold a connection by being slow, while WebSockets and event streams live as long as they like.
//   - A browser on a foreign page gets no answer from /graphql unless its origin is allowed.
//   - The access log holds routes, never query strings or paths that could carry a credential.
//   - Serve returns when every handler has returned, hijacked connections included.
//
// Only the composition root may import it. It returns no faults; what it refuses itself it refuses in GraphQL's error
// format below /graphql and as a short JSON document elsewhere.
package httpd
