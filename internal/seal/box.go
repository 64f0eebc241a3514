package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// version is the first byte of what is sealed, so that the way may change.
const version = 1

// ErrBroken is returned for what was not sealed by this key for this purpose.
var ErrBroken = errors.New("the secret cannot be opened with this key")

// Box seals and opens with one key.
type Box struct{ aead cipher.AEAD }

// New returns a box whose key is derived from a secret of at least 16 bytes.
func New(secret []byte) (*Box, error) {
	if len(secret) < 16 {
		return nil, errors.New("the key that secrets are sealed with is too short")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "catalyst secrets at rest", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of secrets: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of secrets: %w", err)
	}
	return &Box{aead}, nil
}

// Seal encrypts a secret for a purpose, such as the identifier of what it belongs to: it can be opened for that only.
func (b *Box) Seal(secret []byte, purpose string) []byte {
	return append([]byte{version}, b.aead.Seal(nil, nil, secret, []byte(purpose))...) //nolint:gosec // this cipher draws its nonces itself
}

// Open decrypts what was sealed for the purpose, or fails with ErrBroken.
func (b *Box) Open(sealed []byte, purpose string) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != version {
		return nil, ErrBroken
	}
	secret, err := b.aead.Open(nil, nil, sealed[1:], []byte(purpose))
	if err != nil {
		return nil, ErrBroken
	}
	return secret, nil
}

// NewKey returns a key for New.
func NewKey() []byte { return []byte(rand.Text() + rand.Text()) }
