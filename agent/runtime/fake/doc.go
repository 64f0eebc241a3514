// Package fake is a runtime without processes, for tests: programs are functions, which live on a Host as long as the
// test wants, whatever happens to the runtimes (the agents) that use it. Consoles are real logs in the server's
// directory. It works inside testing/synctest.
//
// By default a server runs the Demo game when its argv says so, and anything else is "not found"; Host.Set gives a
// server another program. Rate limits and limits of memory are not applied.
package fake
