package accounts

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238's default, which is what every authenticator app speaks
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// totpPeriod is RFC 6238's time step; a code of the step before or after passes too, for clocks that differ.
const totpPeriod = 30 * time.Second

// checkTOTP checks the second factor of an account, if it has one, and returns the time step of the code. A code of a
// step that was accepted before is refused; the caller stores the step under the condition that it is still newer.
func (s *Service) checkTOTP(row *ent.User, code *string) (int64, error) {
	if !row.TotpEnabled {
		return 0, nil
	}
	if row.TotpSecret == nil {
		return 0, errors.New("an account has a second factor without a secret")
	}
	if code == nil || strings.TrimSpace(*code) == "" {
		return 0, fault.Input("totp", "This account has a second factor: give the code that the authenticator shows.")
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(*row.TotpSecret)
	if err != nil {
		return 0, fmt.Errorf("read the secret of a second factor: %w", err)
	}
	given := []byte(strings.TrimSpace(*code))
	now := s.clock().Unix() / int64(totpPeriod/time.Second)
	for step := now - 1; step <= now+1; step++ {
		if subtle.ConstantTimeCompare(given, []byte(totpCode(secret, step))) == 1 && step > row.TotpStep {
			return step, nil
		}
	}
	return 0, wrongLogin()
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
