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

// familyBytes is the length of the part that the refresh tokens of one sign-in share.
const familyBytes = 16

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
func NewOpaque(p Prefix) Opaque { return opaque(string(p) + random(secretBytes)) }

// NewFamily makes what the refresh tokens of one sign-in have in common. It is secret like the tokens themselves.
func NewFamily() string { return random(familyBytes) }

// NewRefresh makes the next refresh token of a family.
func NewRefresh(family string) Opaque {
	return opaque(string(PrefixRefresh) + family + random(secretBytes))
}

// FamilyOf returns the family of a refresh token; ok is false for what does not have the form of one. A token whose
// family is known while it is not the family's newest has been used before.
func FamilyOf(refresh string) (family string, ok bool) {
	rest, ok := strings.CutPrefix(refresh, string(PrefixRefresh))
	size := base64.RawURLEncoding.EncodedLen(familyBytes)
	if !ok || len(rest) != size+base64.RawURLEncoding.EncodedLen(secretBytes) {
		return "", false
	}
	if !encoded(rest[:size]) || !encoded(rest[size:]) {
		return "", false
	}
	return rest[:size], true
}

func opaque(plain string) Opaque { return Opaque{Plain: plain, Hash: Hash(plain)} }

func random(size int) string {
	b := make([]byte, size)
	_, _ = rand.Read(b) // it ends the program rather than return an error
	return base64.RawURLEncoding.EncodeToString(b)
}

func encoded(s string) bool {
	_, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil
}

// Hint returns the first characters of the token, by which its owner recognises it and nobody can use it.
func (o Opaque) Hint() string { return o.Plain[:hintLength] }

// Hash returns the SHA-256 of an opaque token in hexadecimal. The tokens are too random for a slow hash to be of use.
func Hash(plain string) string {
	sum := sha256.Sum256([]byte(plain))
	return hex.EncodeToString(sum[:])
}

// IsOpaque reports whether plain has the form of a token of the kind that p names, refresh tokens excepted (FamilyOf).
// Nothing else needs to be looked up.
func IsOpaque(p Prefix, plain string) bool {
	secret, ok := strings.CutPrefix(plain, string(p))
	return ok && len(secret) == base64.RawURLEncoding.EncodedLen(secretBytes) && encoded(secret)
}
