// Package token makes and recognises the credentials that Catalyst hands out.
//
// Signed tokens are JWTs under one Ed25519 key. Each is made for one audience and is good for nothing else: Verify takes
// exactly one algorithm, one issuer and one audience. They say who and until when; whether the session behind them still
// stands is for package accounts to ask.
//
// Opaque tokens (refresh tokens, API keys, enrolment tokens, invitations, password resets) are random, carry a prefix
// that says what they are, and only their SHA-256 hash is ever stored.
//
// Every service may call it. It returns ErrInvalid and ErrExpired, never a fault: what an unusable credential means is
// decided by the caller.
package token
