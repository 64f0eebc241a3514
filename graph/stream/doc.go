// Package stream is the one way in which a subscription produces events. A service's blocking producer runs in a
// goroutine that the [Runner] waits for; each event is handed over or given up when the subscription ends; a panic ends
// the subscription and not the process; the producer's error reaches the client as the end of its subscription.
//
// Nothing is buffered: a slow client holds up its own producer, whose service then says what was missed.
package stream
