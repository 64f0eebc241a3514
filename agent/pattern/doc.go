// Package pattern matches lines against compiled RE2 patterns without package regexp. The agent compiles a pattern
// (sub-package compile), hands the program to the holder as JSON, and the holder runs it here. It is linear in the
// length of the line, as RE2 is.
//
// The reason is what a holder costs: importing regexp would put the holder's dispatch behind most of the binary's
// initialisation (package earlyexec).
package pattern
