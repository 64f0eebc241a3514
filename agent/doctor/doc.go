// Package doctor examines whether a machine can run servers in containers, and says what to do about what is missing. It
// changes nothing.
package doctor
