// Package files is the only way by which the agent touches servers' directories as trees: it makes them, measures them
// and removes them. Everything goes through handles (os.Root), so that no link, and no name that a program has chosen,
// leads outside.
//
// The supervisor calls it. It holds no state beyond the open directory and is safe for concurrent use.
package files
