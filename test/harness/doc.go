// Package harness runs the real binary for tests and benchmarks: it builds it once for each test process, starts it in
// any of its roles on a free port and a data directory of its own, speaks GraphQL with it over HTTP and WebSocket as
// any client would, and kills it when a test wants that.
//
// Whatever a test leaves running below its own data directory (holders and games survive their agent by design) is
// ended with the test, recognised by its working directory; no other process is ever touched. Only tests import it.
package harness
