package accounts

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238's default, which is what every authenticator app speaks
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/token"
)

// totpDigits is how many digits a code has; what is longer is a recovery code.
const totpDigits = 6

// totpPeriod is RFC 6238's time step; a code of the step before or after passes too, for clocks that differ.
const totpPeriod = 30 * time.Second

// proof is what somebody has shown of the second factor.
type proof struct {
	// step is the time step of a code.
	step int64
	// recovery is the hash of a recovery code, which stands in for one.
	recovery string
}

// checkTOTP checks the second factor of an account, if it has one. A code of a step that was accepted before is refused;
// the caller stores the step under the condition that it is still newer, and spends a recovery code.
func (s *Service) checkTOTP(row *ent.User, code *string) (proof, error) {
	if !row.TotpEnabled {
		return proof{}, nil
	}
	if code == nil || strings.TrimSpace(*code) == "" {
		return proof{}, fault.Input("totp", "This account has a second factor: give the code that the authenticator shows, or a recovery code.")
	}
	given := strings.TrimSpace(*code)
	if len(given) > totpDigits {
		return proof{recovery: token.Hash(normalRecovery(given))}, nil
	}
	secret, err := s.totpSecret(row)
	if err != nil {
		return proof{}, err
	}
	if step, ok := s.totpStep(secret, given, row.TotpStep); ok {
		return proof{step: step}, nil
	}
	return proof{}, wrongLogin()
}

// totpStep returns the time step of a code that is good now and was not used before.
func (s *Service) totpStep(secret []byte, code string, used int64) (int64, bool) {
	now := s.clock().Unix() / int64(totpPeriod/time.Second)
	for step := now - 1; step <= now+1; step++ {
		if subtle.ConstantTimeCompare([]byte(code), []byte(totpCode(secret, step))) == 1 && step > used {
			return step, true
		}
	}
	return 0, false
}

// totpSecret opens the secret of an account's second factor.
func (s *Service) totpSecret(row *ent.User) ([]byte, error) {
	if row.TotpSecret == nil {
		return nil, errors.New("an account has a second factor without a secret")
	}
	sealed, err := base64.StdEncoding.DecodeString(*row.TotpSecret)
	if err != nil {
		return nil, fmt.Errorf("read the secret of a second factor: %w", err)
	}
	secret, err := s.secrets.Open(sealed, row.ID)
	if err != nil {
		return nil, fmt.Errorf("read the secret of a second factor: %w", err)
	}
	return secret, nil
}

// totpCode returns the six digits of a time step (RFC 6238; RFC 4226, section 5.3).
func totpCode(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%06d", number%1_000_000)
}
