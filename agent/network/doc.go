// Package network connects containers to networks, through CNI plugins, and keeps them from what is not theirs.
//
// The default network is a bridge with an IPv4 and, where the node can do it, an IPv6 subnet. Its containers reach the
// world behind the node's addresses; the world reaches them through the ports of their server's allocations, TCP and UDP.
// A network with another name is a CNI list that the node's administrator placed.
//
// Guarantees of the default network:
//   - a port that another program of the node listens on, or an address that the node does not have, is refused before
//     anything is mapped;
//   - a container cannot open a connection to the node itself, to link-local addresses (where clouds have their metadata),
//     or past the mapped ports to another container;
//   - nobody reaches a container but through its mapped ports;
//   - Detach can be repeated, and undoes an Attach that was broken off anywhere.
//
// The rules that hold this are chains of its own, named after the bridge, that are put in order before each Attach.
package network
