// Package app puts Catalyst together: it reads the configuration, makes the services, binds them to the transports and
// to each other, and runs them until it is told to stop. It is the only package that sees everything, and holds no
// rule of its own.
package app
