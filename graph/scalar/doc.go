// Package scalar reads and writes the scalars of the GraphQL schema. It is strict where gqlgen's own are lenient: a
// number in quotes is no Int, and what does not fit is BAD_USER_INPUT and never an internal error. The generated code
// calls it; it knows nothing of the schema.
package scalar
