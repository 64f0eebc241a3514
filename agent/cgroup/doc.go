// Package cgroup reads the control group of a container, under version 1, version 2 and both beside each other: what its
// processes use, which they are, and whether the kernel killed any for want of memory. It reads the few files that a
// sample takes, so that sampling every server each second costs next to nothing, and it needs nobody's answer: samples go
// on while containerd does not answer.
//
// It holds no state; limits are containerd's to set.
package cgroup
