// Package request carries what is known about an HTTP request, before anybody has signed in, through a context: its
// id, the client's address and program. It also has the log handler that adds the id to every line of the request.
//
// It is a leaf that imports the standard library only, so that the HTTP edge can fill it in and everything below can
// read it. Who the caller is stands in package viewer.
package request
