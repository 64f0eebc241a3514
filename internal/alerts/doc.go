// Package alerts watches what is stored of servers and nodes and tells people when something is not as it should be.
// It owns the rules and the alerts that they raise.
//
// Rules are evaluated on the stored state alone, every 30 seconds and when a server has crashed or a node has gone: an
// evaluation remembers nothing, so that any instance may do it, and a restart forgets nothing. Of several instances one
// evaluates at a time. While a rule's condition holds for something, there is one open alert of it; when the condition
// has gone, the alert resolves itself; it is not raised again within five minutes.
//
// Rules need alertrule.*, alerts alert.read and alert.resolve, for those of a server on that server. Raised and resolved
// alerts are events for webhooks, and the rule's own webhooks are told in any case.
package alerts
