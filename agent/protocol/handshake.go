package protocol

import "time"

// Version is the version of the protocol that this build speaks. It is negotiated by the WebSocket subprotocol and
// repeated in Hello; a peer that offers no common version is refused with a clear error.
const Version = 1

const (
	// Subprotocol is the WebSocket subprotocol of Version 1.
	Subprotocol = "catalyst.agent.v1"
	// ConnectPath is where an enrolled agent opens its WebSocket.
	ConnectPath = "/agent/v1/connect"
	// NoncePath answers GET with a JSON Nonce, which the agent signs to prove who it is.
	NoncePath = "/agent/v1/nonce"
	// EnrolPath takes a JSON EnrolRequest by POST and answers an EnrolResponse.
	EnrolPath = "/agent/v1/enrol"
	// AuthScheme is the scheme of the Authorization header: "Catalyst-Node <node id>.<nonce>.<signature>", each part
	// base64url without padding except the node id. The signature is Ed25519 over SigningInput.
	AuthScheme = "Catalyst-Node"
)

const (
	// PingInterval is how often each side pings the other over the WebSocket.
	PingInterval = 5 * time.Second
	// PingTimeout is how long a side waits for the pong before it gives the link up.
	PingTimeout = 15 * time.Second
	// NonceLifetime is how long a nonce may be used, by the panel's clock. A node's clock does not matter.
	NonceLifetime = time.Minute
	// MaxConcurrentStreams is the number of HTTP/2 streams an agent accepts; Go's default of 250 would stall silently.
	MaxConcurrentStreams = 10_000
	// MaxConsoleSkip is how many console lines a server can have lost at once. A number that is further from the last one
	// is not believed: it would use the numbers up.
	MaxConsoleSkip = 1 << 40
)

// Nonce is the panel's answer at NoncePath.
type Nonce struct {
	// Nonce is base64url: a time stamp of the panel and a MAC over it. It is opaque to the agent.
	Nonce string `json:"nonce"`
}

// EnrolRequest exchanges a one-time enrolment token for an identity.
type EnrolRequest struct {
	// Token is the one-time token that createNode or createEnrolmentToken showed.
	Token string `json:"token"`
	// PublicKey is the agent's new Ed25519 public key (32 bytes, base64 in JSON).
	PublicKey []byte `json:"publicKey"`
	// Versions are the protocol versions that the agent speaks.
	Versions []int `json:"versions"`
}

// EnrolResponse names the node that the key now stands for.
type EnrolResponse struct {
	// NodeID is the node's TypeID.
	NodeID string `json:"nodeId"`
	// Version is the protocol version to use.
	Version int `json:"version"`
}

// ErrorResponse is the JSON body of a refused handshake request.
type ErrorResponse struct {
	// Code is one of the API's error codes.
	Code string `json:"code"`
	// Message says what to do.
	Message string `json:"message"`
}

// SigningInput returns the bytes that a node signs for a nonce. The prefix keeps the signature from meaning anything
// elsewhere.
func SigningInput(nodeID, nonce string) []byte {
	return []byte("catalyst agent link v1\n" + nodeID + "\n" + nonce)
}
