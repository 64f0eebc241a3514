// Package clients proves the API with clients that nobody here wrote, from npm: graphql-http's audits, graphql-ws,
// graphql-sse, Apollo Client, urql, tus-js-client, and the tools that read the schema (graphql-eslint, graphql-codegen,
// Relay's compiler). They run against the real binary. Node.js 20 or newer and npm are needed.
package clients
