// Package durable writes files so that a crash, of the program or of the machine, leaves either the old content or the
// new one. It owns nothing; every package of the agent that keeps something on the disk uses it.
package durable
