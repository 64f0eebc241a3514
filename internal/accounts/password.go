package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// minPassword is in characters, maxPassword in bytes: bcrypt reads no more.
	minPassword = 8
	maxPassword = 72
)

// hasher checks and makes password hashes, a bounded number at a time: each costs a processor a quarter of a second.
type hasher struct {
	cost  int
	slots chan struct{}
	dummy func() []byte
}

func newHasher(cost, parallel int) *hasher {
	return &hasher{
		cost:  cost,
		slots: make(chan struct{}, max(parallel, 1)),
		dummy: sync.OnceValue(func() []byte {
			// The error cannot occur: the password is short and the cost was checked.
			hash, _ := bcrypt.GenerateFromPassword([]byte(rand.Text()), cost)
			return hash
		}),
	}
}

// hash returns the hash of a password that the policy has accepted.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return string(hash), nil
}

// matches reports whether the password belongs to the hash. Without a hash it takes as long and reports false.
func (h *hasher) matches(ctx context.Context, hash, password string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	known := hash != "" && len(password) <= maxPassword
	against := h.dummy()
	if known {
		against = []byte(hash)
	}
	err := bcrypt.CompareHashAndPassword(against, []byte(password))
	switch {
	case err == nil:
		return known, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	default:
		return false, fmt.Errorf("check a password: %w", err)
	}
}

func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait to check a password: %w", ctx.Err())
	}
}

func (h *hasher) leave() { <-h.slots }

// checkPassword applies the policy to a password that somebody chooses: its length, and that it is neither among those
// that are tried first nor the account's own name.
func checkPassword(field, password, username, email string) error {
	if err := checkPasswordLength(field, password); err != nil {
		return err
	}
	lower := strings.ToLower(password)
	if _, common := commonPasswords[lower]; common {
		return fault.Input(field, "This password is one of those that are tried first. Choose another.")
	}
	if lower == strings.ToLower(username) || lower == strings.ToLower(email) {
		return fault.Input(field, "The password must not be the account's own name. Choose another.")
	}
	if strings.Count(password, password[:1]) == len(password) {
		return fault.Input(field, "The password must not be one character repeated. Choose another.")
	}
	return nil
}

func checkPasswordLength(field, password string) error {
	switch {
	case !utf8.ValidString(password):
		return fault.Input(field, "The password is not valid text.")
	case utf8.RuneCountInString(password) < minPassword:
		return fault.Input(field, "The password is too short: use at least %d characters.", minPassword)
	case len(password) > maxPassword:
		return fault.Input(field, "The password is too long: use at most %d bytes.", maxPassword)
	}
	return nil
}

// commonPasswords are those of at least eight characters that head every list of stolen ones.
var commonPasswords = set(
	"password", "password1", "password12", "password123", "password1234", "passw0rd", "p@ssw0rd", "p@ssword",
	"12345678", "123456789", "1234567890", "0123456789", "87654321", "987654321", "0987654321", "123123123",
	"11223344", "12341234", "1q2w3e4r", "1q2w3e4r5t", "1qaz2wsx", "qazwsxedc", "zaq12wsx", "q1w2e3r4",
	"qwertyui", "qwertyuiop", "qwerty123", "qwerty12", "qwerty1234", "asdfghjkl", "asdfasdf", "zxcvbnm1",
	"abcd1234", "abc12345", "abcdefgh", "a1b2c3d4", "iloveyou", "iloveyou1", "sunshine", "princess", "football",
	"baseball", "superman", "trustno1", "welcome1", "letmein1", "dragon123", "monkey123", "master123", "shadow123",
	"whatever", "computer", "internet", "starwars", "michelle", "jennifer", "changeme", "change-me", "administrator",
	"admin123", "admin1234", "adminadmin", "rootroot", "test1234", "testtest", "minecraft", "catalyst", "pokemon123",
)

func set(words ...string) map[string]struct{} {
	out := make(map[string]struct{}, len(words))
	for _, w := range words {
		out[w] = struct{}{}
	}
	return out
}
