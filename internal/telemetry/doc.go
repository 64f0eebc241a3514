// Package telemetry counts and measures what a panel does, in the terms of Prometheus. It owns the registry and the page
// that shows it; what it shows comes from those it is told by and those it asks. Labels are from closed lists: routes,
// statuses, fields of the schema, states.
//
// The page is for operators: without a token it answers only to this machine, and not to what a proxy passes on.
package telemetry
