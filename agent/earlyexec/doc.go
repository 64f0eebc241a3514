// Package earlyexec runs the sub-commands of which there are many at once (one holder and perhaps one Demo game for
// each running server) before the rest of this large binary initialises itself. Importing it is all there is to do, and
// a test binary that imports it can be its own holder in the same way.
//
// Go initialises packages in the order of their import paths, each as soon as those that it imports are ready. So this
// one comes before the database drivers, the API and the embedded servers, but only as long as nothing that it imports,
// directly or not, has a late path and needs much itself: "regexp", "path/filepath" or "runtime/debug" would each let
// most of the binary go first. A test holds the list of imports.
//
// Measured with everything linked in and three servers running, as proportional set size without an agent: 5 MB for a
// holder and its game, of which 2.7 MB are their own. With those three imports it was 13.5 MB, 8 MB of it their own.
package earlyexec
