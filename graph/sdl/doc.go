// Package sdl writes the schema as one document for clients, without what only the code generator reads, and says what
// of a changed schema would break them.
package sdl
