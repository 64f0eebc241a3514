// Package identity holds who a node is: the key pair that its agent made when it was enrolled, and the node's id.
//
// The private key never leaves the machine. It lies in node.key (mode 0600) in the agent's directory, the id beside it
// in node.json. A one-time enrolment token is needed once; where an identity exists a token is not looked at.
package identity
