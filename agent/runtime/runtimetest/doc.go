// Package runtimetest is the behaviour that every runtime has to show, as a test suite. The fake passes it too, so what
// the supervisor's tests prove with the fake holds for the others.
package runtimetest
