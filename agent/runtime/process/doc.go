// Package process runs servers as ordinary processes of the agent's user, each under a holder. It is for machines
// without containers and for a first look.
//
// It does not isolate anything, and says so: programs see the node's files, network and processes, as far as the
// agent's user may; limits of memory, processor, processes and disk are not enforced; a terminal is not provided; files
// belong to the agent's user. What it does guarantee: programs never get the agent's environment, they outlive the agent
// (package holder), and with a program goes everything that it has started.
//
// A program named "catalyst" is this executable, so that the Demo game runs without being installed.
package process
