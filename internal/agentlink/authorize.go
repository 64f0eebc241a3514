package agentlink

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// maxCredential is the longest Authorization header that is looked at, in bytes.
const maxCredential = 512

// errCredentials is the one answer to every credential that does not prove a node, so that it tells nothing about which
// nodes exist.
var errCredentials = fault.New(fault.Unauthenticated,
	"The node's credentials are not valid. Ask for a nonce and sign it; if that does not help, enrol the node again.")

// credential is a parsed Authorization header.
type credential struct {
	nodeID    string
	nonce     string
	signature []byte
}

// parseCredential reads "Catalyst-Node <node id>.<nonce>.<signature>".
func parseCredential(header string) (credential, error) {
	if len(header) > maxCredential {
		return credential{}, errors.New("the Authorization header is too long")
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, protocol.AuthScheme) {
		return credential{}, fmt.Errorf("the scheme is not %s", protocol.AuthScheme)
	}
	parts := strings.Split(strings.TrimSpace(rest), ".")
	if len(parts) != 3 {
		return credential{}, errors.New("the credential does not have three parts")
	}
	if !kind.ValidID(kind.PrefixNode, parts[0]) {
		return credential{}, errors.New("the first part is not a node's id")
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(signature) != ed25519.SignatureSize {
		return credential{}, errors.New("the third part is not a signature")
	}
	return credential{nodeID: parts[0], nonce: parts[1], signature: signature}, nil
}

// authenticate proves which node sent the header. It changes nothing for anybody unless the proof is good. An error
// that is not a fault means that the proof could not be checked.
func (l *Link) authenticate(ctx context.Context, header string) (nodeID string, err error) {
	cred, err := parseCredential(header)
	if err != nil {
		return "", errCredentials.Wrap(err)
	}
	nonceID, err := l.nonces.verify(cred.nonce)
	if err != nil {
		return "", errCredentials.Wrap(err)
	}
	key, err := l.cfg.Nodes.PublicKey(ctx, cred.nodeID)
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return "", errCredentials.Wrap(err)
	case err != nil:
		return "", fmt.Errorf("load the node's key: %w", err)
	case len(key) != ed25519.PublicKeySize:
		return "", errCredentials.Wrap(errors.New("the node has not enrolled"))
	}
	if !ed25519.Verify(key, protocol.SigningInput(cred.nodeID, cred.nonce), cred.signature) {
		return "", errCredentials.Wrap(errors.New("the signature is wrong"))
	}
	if !l.nonces.spend(nonceID) {
		return "", errCredentials.Wrap(errors.New("the nonce was used before"))
	}
	return cred.nodeID, nil
}
