// Package console is a server's console log on the node, in the terms that the agent and the panel share. The log itself
// (its invariants, its format, how output becomes lines) is package output, which the holders use without what this
// package imports.
//
// The holder writes while a program runs, the supervisor between two runs; the supervisor reads.
package console
