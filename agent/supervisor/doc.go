// Package supervisor makes the servers of a node be as the panel wants them. One goroutine, the actor, owns each server:
// nothing else changes its state.
//
// Invariants:
//   - a server's reported states follow kind.CanFollow, and are stored on the disk before they are reported;
//   - an actor never waits for anything but its next message or timer: starting, signals, console lines and the stop
//     command run beside it, so that a kill is obeyed at once whatever else goes on;
//   - each generation of the desired state that is accepted yields at least one report that carries it;
//   - run numbers count the program's instances: an instance is replaced only by one with a greater number, or by the
//     crash policy by one with the same;
//   - the state survives the agent: New adopts what runs, and concludes what happened to what does not.
//
// A program that was asked to stop is STOPPED when it has ended, whatever its exit code. One that ended unasked is
// CRASHED, and started again as the crash policy says; sending the desired state again never does that.
package supervisor
