// Package model holds the Go types of those parts of the GraphQL schema that no entity and no service has a type for:
// inputs, payloads and pages. Most of it is generated; resolvers fill it and nothing else uses it.
package model
