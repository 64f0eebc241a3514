// Package earlyexec runs the sub-commands of which there are many at once (one holder and perhaps one Demo game for
// each running server) before the rest of this large binary initialises itself.
//
// Importing it is all there is to do. Go initialises packages in the order of their import paths as soon as those that
// they need are ready, so this one comes before the database drivers, the API and the servers that the binary holds.
// A test binary that imports it can be its own holder in the same way.
package earlyexec
