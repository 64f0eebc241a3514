// Package egress makes HTTP requests to addresses that people have typed in. It holds one rule: the address that is
// dialled, after every look-up and whatever the name said before, must be a public one, or in a network that the
// operator has allowed. Redirects are not followed, and proxies not used. It imports nothing of ours, so that the agent
// may use it, too.
package egress
