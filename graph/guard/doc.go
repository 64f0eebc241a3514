// Package guard refuses GraphQL operations that would cost too much, before anything is spent on them.
//
// It works in two steps. [Limits.Document] looks at the text of a document before it is validated: bytes, tokens,
// selections (as written and with fragments expanded), depth, aliases, directives, root fields. Everything is counted
// once for each fragment, so that a document of fragments that spread each other twice is no work. The second step,
// after validation, knows types and variables: pages of connections ([Limits.Pages]), filters, cursors, and the cost
// ([Limits.CostOf]), in which the sizes of nested lists multiply.
//
// Everything but [Guard], which hangs both steps into gqlgen, is a pure function. Refusals are faults: TOO_COMPLEX for
// what is too much, BAD_USER_INPUT for a page that nobody can be given, and the parser's own errors.
package guard
