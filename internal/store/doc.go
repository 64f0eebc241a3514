// Package store opens the panel's database: SQLite in a file, or PostgreSQL. It brings the schema up to date under a
// lock, so that several processes may start at once, installs the rules of visibility below the client it hands out,
// and seeds what every installation has. It is the only package that knows how either database is spoken to.
package store
