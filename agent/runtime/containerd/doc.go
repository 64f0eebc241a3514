// Package containerd runs every server in a container of its own, through the node's containerd and runc.
//
// A container has the server's directory of files as /home/container, a root file system of its own that cannot be
// written, small file systems in memory for what is temporary, a user and group that no other server has, no capability,
// no new privileges, containerd's default seccomp profile, the limits of the server, and a network of its own.
//
// Its standard streams are FIFOs in the server's run directory, which the server's holder keeps open (package holder): the
// agent's end neither stops nor blocks the program. What the package knows of a container lies in three places, and any
// of them may be missing after a kill -9: the run directory (what was started, how it ended), containerd (labels say which
// server a container belongs to), and the kernel. Adopt and the sweep put them in agreement again.
//
// Guarantees beyond those of package runtime:
//   - the order of a start is FIFOs, holder, container, task, network, program; that of an end is ended.json, the task's
//     removal, the holder's end with exit.json, the container's and network's removal; either can be broken off anywhere;
//   - signals and samples need no answer of containerd, so that a server can be watched and killed while containerd hangs;
//   - events of containerd are hints, and a list of all tasks, read every few seconds, is the truth;
//   - only containers with the label of this agent are ever touched.
package containerd
