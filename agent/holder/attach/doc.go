// Package attach is the agent's end of a holder: it starts one, attaches to it, and is what a runtime's instances have in
// common, since all of them write their consoles through a holder.
//
// Guarantees:
//   - whoever has the lock of a run directory knows that no holder lives there, and none can be started meanwhile;
//   - an Instance whose connection breaks asks its runtime (Resume) what has become of the program, again and again, until
//     it has a connection or the end;
//   - an Instance's Events end with the Exit, or without one after Detach, and its methods never block for longer than
//     their context.
//
// Only runtimes use it.
package attach
