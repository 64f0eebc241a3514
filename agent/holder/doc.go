// Package holder is the small process that stands between a program and the agent, so that neither the agent's end nor
// its slowness reaches the program. It is the same executable under a hidden sub-command ("holder"), in a session of its
// own, and is dispatched before anything else is initialised (package earlyexec).
//
// It owns the program (its parent, sends its signals, records its end), the program's standard input and output, and,
// while it lives, the server's console log. Guarantees:
//   - the program's output is read whether or not an agent is attached, and is in the log before an agent is told;
//   - when the program has ended, nothing it started is left, and run/exit.json is on the disk before the holder ends,
//     for which there is room even when the disk is full; an agent that is attached is told in any case;
//   - when the holder is killed, the kernel kills the program: none is left that would block on its output;
//   - an agent that does not read what it is sent is cut off and can attach again.
//
// Under a runtime of containers the program is somebody else's child, and its standard streams are FIFOs. The holder then
// keeps them open for reading and writing, so that neither the program nor its supervisor notices whether an agent is
// there; the agent tells it how the container has ended (Request.End), and starts another holder where one has died: until
// then the FIFOs hold what they can, and the program waits.
//
// The directory run/, the holder's working directory, holds:
//
//	spec.json    what to run; written by the agent
//	exit.json    how it ended (Exit); written by the holder
//	holder.lock  locked (flock) by the holder as long as it lives; the agent opens and locks it and hands it over
//	holder.sock  Unix socket where agents attach
//	ready        is there when a container was ready
//	holder.log   what the holder itself has to say on its standard error, normally nothing
//
// The holder gets the locked file as descriptor 3 and a pipe as 4, on which it answers one Started.
//
// On the socket both sides send JSON objects, one a line. The holder begins with a Push that carries Hello. The agent
// sends Requests; each is answered by a Push with its ID. In between, the holder pushes "written up to" and "ready".
// The end of the program is told last, and is the end of the connection and of the lock.
//
// Only package attach, for a runtime, may start one. The package imports as little as possible, since each running
// server pays for it.
package holder
