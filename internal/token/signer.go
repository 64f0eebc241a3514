package token

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Audience is what a signed token is made for.
type Audience string

// The audiences. A token of one is refused wherever another is asked for.
const (
	AudienceAccess Audience = "catalyst:access"
	AudienceSFTP   Audience = "catalyst:sftp"
	// AudienceActivity is of what a node names a session by when it tells what that has done.
	AudienceActivity Audience = "catalyst:activity"
	AudienceDownload Audience = "catalyst:download"
	AudienceUpload   Audience = "catalyst:upload"
)

const (
	issuer = "catalyst"
	// maxLength bounds what is parsed at all, in bytes.
	maxLength = 4096
	// leeway is what the clocks of two panel instances may differ by.
	leeway = 5 * time.Second
)

// ErrInvalid is returned for a token that is malformed, forged, or made for something else.
var ErrInvalid = errors.New("the token is not valid here")

// ErrExpired is returned for a token that was good once.
var ErrExpired = errors.New("the token has expired")

// Claims is what a signed token says.
type Claims struct {
	// UserID is whom it speaks for.
	UserID string
	// SessionID is the sign-in that it came from, if it came from one.
	SessionID string
	// Version is the account's token version when it was made; a raised version ends it.
	Version int
	// Resource is the one thing that it is good for, if it is limited to one.
	Resource string
	// ID is unique for each token. Sign sets it.
	ID string
	// ExpiresAt is its end. Sign sets it.
	ExpiresAt time.Time
}

// wire is Claims as they stand in the JWT.
type wire struct {
	jwt.RegisteredClaims
	SessionID string `json:"sid,omitempty"`
	Version   int    `json:"ver,omitempty"`
	Resource  string `json:"res,omitempty"`
}

// Signer makes and verifies signed tokens. It is safe for concurrent use.
type Signer struct {
	key    ed25519.PrivateKey
	keyID  string
	now    func() time.Time
	parser func(Audience) *jwt.Parser
}

// New returns a Signer under key. The clock is time.Now when now is nil.
func New(key ed25519.PrivateKey, now func() time.Time) (*Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("the signing key is not an Ed25519 key")
	}
	if now == nil {
		now = time.Now
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the signing key has no public half")
	}
	sum := sha256.Sum256(public)
	return &Signer{
		key:   key,
		keyID: base64.RawURLEncoding.EncodeToString(sum[:12]),
		now:   now,
		parser: func(a Audience) *jwt.Parser {
			return jwt.NewParser(
				jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
				jwt.WithIssuer(issuer), jwt.WithAudience(string(a)),
				jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
				jwt.WithLeeway(leeway), jwt.WithTimeFunc(now),
				jwt.WithStrictDecoding(),
			)
		},
	}, nil
}

// Sign makes a token for one audience that lives for ttl, and returns it with its end.
func (s *Signer) Sign(a Audience, c Claims, ttl time.Duration) (string, time.Time, error) {
	now := s.now().UTC().Truncate(time.Second)
	expires := now.Add(ttl)
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, wire{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    issuer,
			Subject:   c.UserID,
			Audience:  jwt.ClaimStrings{string(a)},
			ExpiresAt: jwt.NewNumericDate(expires),
			IssuedAt:  jwt.NewNumericDate(now),
			ID:        uuid.NewString(),
		},
		SessionID: c.SessionID,
		Version:   c.Version,
		Resource:  c.Resource,
	})
	t.Header["kid"] = s.keyID
	signed, err := t.SignedString(s.key)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign a token: %w", err)
	}
	return signed, expires, nil
}

// Verify returns what the token says if this Signer's key made it for exactly this audience and it has not expired.
// The error wraps ErrExpired or ErrInvalid and never holds the token.
func (s *Signer) Verify(a Audience, signed string) (Claims, error) {
	if len(signed) > maxLength {
		return Claims{}, fmt.Errorf("%w: too long", ErrInvalid)
	}
	var w wire
	_, err := s.parser(a).ParseWithClaims(signed, &w, s.keyFor)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Claims{}, ErrExpired
	case err != nil:
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	case len(w.Audience) != 1 || w.Subject == "":
		return Claims{}, fmt.Errorf("%w: not one audience and one subject", ErrInvalid)
	}
	return Claims{
		UserID: w.Subject, SessionID: w.SessionID, Version: w.Version, Resource: w.Resource,
		ID: w.ID, ExpiresAt: w.ExpiresAt.Time,
	}, nil
}

// keyFor returns the public key for a token that names it.
func (s *Signer) keyFor(t *jwt.Token) (any, error) {
	if id, _ := t.Header["kid"].(string); id != s.keyID {
		return nil, errors.New("signed with another key")
	}
	return s.key.Public(), nil
}
