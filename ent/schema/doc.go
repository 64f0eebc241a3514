// Package schema declares the entities that Catalyst stores. The database tables, the ent client and a large part of
// the GraphQL schema are generated from it, so the comments on entities, fields and edges are API documentation.
//
// Every entity but the series is [Entity]: it has a TypeID, two time stamps and the visibility policy. The series
// (ServerLog, ServerMetrics, NodeMetrics) are [Series]: integer keys, appended in bulk, read through their parents.
//
// A field is offered in GraphQL filters only when it says so with filterable, and in orderings only when it names an
// order: privacy rules do not run inside predicates, so both are allow-lists. Secrets are Sensitive and hidden.
package schema
