// Package telemetry shows what an agent does, in the terms of Prometheus: the servers by state, the link to the panel, the
// events that wait for it, and what the node itself uses. It owns the page and the registry, and asks others for the
// figures when the page is shown. Labels are from closed lists.
//
// The page is for the node's operator: it is on loopback only, or asks for a token.
package telemetry
