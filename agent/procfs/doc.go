// Package procfs reads from /proc what the holder and the process runtime need to know about a program's descendants.
// It holds no state. Processes that end while they are being read are left out.
package procfs
