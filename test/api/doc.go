// Package api tests the API as a whole: that every entity is covered, that every operation refuses whom it should, what
// changes are announced to whom, and which statements the operations of a frontend cost. The tables have to have a row
// for each operation of the schema.
package api
