package agentlink

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

const (
	nonceTimeSize   = 8
	nonceRandomSize = 16
	noncePlainSize  = nonceTimeSize + nonceRandomSize
	nonceSize       = noncePlainSize + sha256.Size
	// nonceSkew is how far ahead the clock of another panel instance may be that made the nonce.
	nonceSkew = 10 * time.Second
	// usedNonces is how many spent nonces are remembered. Only authenticated agents add to them, and a nonce is only
	// good for a minute, so that none is forgotten too early below a thousand connections a second.
	usedNonces = 65536
	// minNonceKey is the least length of the panel's key, in bytes.
	minNonceKey = 32
)

var errNonce = errors.New("the nonce is not one of this panel's, or it has expired")

// nonces makes and checks the random values that a node signs. They are stateless: a nonce is a time stamp and random
// bytes with a MAC over them, so that asking for nonces costs the panel nothing, and one instance's nonce is good on
// another one. Time is the panel's; the node's clock does not matter.
type nonces struct {
	key  []byte
	used *lru.Cache[[nonceRandomSize]byte, struct{}]
}

func newNonces(key []byte) (*nonces, error) {
	if len(key) < minNonceKey {
		return nil, fmt.Errorf("the key for nonces has %d bytes, at least %d are needed", len(key), minNonceKey)
	}
	used, err := lru.New[[nonceRandomSize]byte, struct{}](usedNonces)
	if err != nil {
		return nil, fmt.Errorf("set up the memory of used nonces: %w", err)
	}
	return &nonces{key: key, used: used}, nil
}

// issue returns a fresh nonce.
func (n *nonces) issue() string {
	plain := make([]byte, noncePlainSize, nonceSize)
	binary.BigEndian.PutUint64(plain, uint64(time.Now().UnixMilli()))
	_, _ = rand.Read(plain[nonceTimeSize:]) // never fails
	return base64.RawURLEncoding.EncodeToString(append(plain, n.mac(plain)...))
}

// verify checks that the nonce is this panel's and still good. It returns the part that makes it unique, for spend.
func (n *nonces) verify(nonce string) ([nonceRandomSize]byte, error) {
	var id [nonceRandomSize]byte
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(raw) != nonceSize || base64.RawURLEncoding.EncodeToString(raw) != nonce {
		return id, errNonce
	}
	plain, mac := raw[:noncePlainSize], raw[noncePlainSize:]
	if !hmac.Equal(mac, n.mac(plain)) {
		return id, errNonce
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))
	if age := time.Since(made); age > protocol.NonceLifetime || age < -nonceSkew {
		return id, errNonce
	}
	copy(id[:], plain[nonceTimeSize:])
	return id, nil
}

// spend marks a nonce as used and reports whether it was unused. It is called after the signature was found good, so
// that a stranger can neither use up a node's nonce nor fill the memory.
func (n *nonces) spend(id [nonceRandomSize]byte) bool {
	used, _ := n.used.ContainsOrAdd(id, struct{}{})
	return !used
}

func (n *nonces) mac(plain []byte) []byte {
	h := hmac.New(sha256.New, n.key)
	h.Write([]byte("catalyst agent nonce v1\n"))
	h.Write(plain)
	return h.Sum(nil)
}
