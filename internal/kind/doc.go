// Package kind holds the identifiers, the enumerations and the server's transition table that the panel and the node
// agent share. It is a leaf: it knows nothing of databases, transports or services.
package kind
