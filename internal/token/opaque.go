package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Prefix begins an opaque token and says what it is for.
type Prefix string

// The prefixes. They let people, logs and secret scanners recognise a token; they are part of the API.
const (
	PrefixRefresh       Prefix = "cr_"
	PrefixAPIKey        Prefix = "ck_"
	PrefixEnrolment     Prefix = "ce_"
	PrefixInvite        Prefix = "ci_"
	PrefixPasswordReset Prefix = "cp_"
)

// secretBytes is the length of the random part before it is encoded.
const secretBytes = 32

// hintLength is how many characters of a token Hint shows.
const hintLength = 10

// Opaque is a fresh opaque token.
type Opaque struct {
	// Plain is what its owner gets, once.
	Plain string
	// Hash is what is stored.
	Hash string
}

// NewOpaque makes a token of the kind that p names.
func NewOpaque(p Prefix) Opaque {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // it ends the program rather than return an error
	plain := string(p) + base64.RawURLEncoding.EncodeToString(secret)
	return Opaque{Plain: plain, Hash: Hash(plain)}
}

// Hint returns the first characters of the token, by which its owner recognises it and nobody can use it.
func (o Opaque) Hint() string { return o.Plain[:hintLength] }

// Hash returns the SHA-256 of an opaque token in hexadecimal. The tokens are too random for a slow hash to be of use.
func Hash(plain string) string {
	sum := sha256.Sum256([]byte(plain))
	return hex.EncodeToString(sum[:])
}

// IsOpaque reports whether plain has the form of a token of the kind that p names. Nothing else needs to be looked up.
func IsOpaque(p Prefix, plain string) bool {
	secret, ok := strings.CutPrefix(plain, string(p))
	if !ok || len(secret) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return false
	}
	_, err := base64.RawURLEncoding.DecodeString(secret)
	return err == nil
}
