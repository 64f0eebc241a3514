package accounts_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// TestA9SecondFactor uses the secret and the codes of RFC 6238, appendix B (SHA-1, cut to six digits).
func TestA9SecondFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c, _ := w.person("ada")
		secret := base64.StdEncoding.EncodeToString(w.box.Seal([]byte("12345678901234567890"), c.User.ID))
		w.write(func(ctx context.Context, t *ent.Tx) error {
			return t.User.UpdateOneID(c.User.ID).SetTotpSecret(secret).SetTotpEnabled(true).Exec(ctx)
		})
		login := func(code *string) error {
			_, err := w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword, TOTP: code})
			return err
		}
		at := func(unix int64) { w.clock.move(time.Unix(unix, 0).Sub(w.clock.now())) }
		code := func(s string) *string { return &s }

		at(1111111109)
		wantCode(t, "no code", login(nil), fault.BadUserInput)
		wantCode(t, "an empty code", login(code(" ")), fault.BadUserInput)
		wantCode(t, "a wrong code", login(code("123456")), fault.Unauthenticated)
		wantCode(t, "another time's code", login(code("005924")), fault.Unauthenticated)
		wantCode(t, "the good code", login(code("081804")), "")
		wantCode(t, "the good code again", login(code("081804")), fault.Unauthenticated)

		at(1234567890 + 40) // one step later than the code's
		var wg sync.WaitGroup
		results := make([]error, 50)
		for i := range results {
			wg.Go(func() { results[i] = login(code("005924")) })
		}
		wg.Wait()
		good := 0
		for _, err := range results {
			if err == nil {
				good++
			} else {
				wantCode(t, "a replay", err, fault.Unauthenticated)
			}
		}
		if good != 1 {
			t.Errorf("%d of 50 parallel uses of one code succeeded", good)
		}
	})
}

// TestSecondFactorFromEndToEnd switches a second factor on and off as its owner does, and tries what must not work.
func TestSecondFactorFromEndToEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, ctx := w.person("ada")
		other, err := w.Login(w.anyone(), accounts.LoginInput{Login: "ada", Password: goodPassword})
		must(t, err)
		_, err = w.EnableTOTP(ctx, "guess")
		wantCode(t, "without the password", err, fault.BadUserInput)
		_, err = w.ConfirmTOTP(ctx, "123456")
		wantCode(t, "before there is a secret", err, fault.Conflict)
		factor, err := w.EnableTOTP(ctx, goodPassword)
		must(t, err)
		if !strings.HasPrefix(factor.URI, "otpauth://totp/Catalyst:ada?") || !strings.Contains(factor.URI, factor.Secret) {
			t.Errorf("the address is %s", factor.URI)
		}
		if row := w.store.Client.User.Query().Where(user.Username("ada")).OnlyX(w.system()); strings.Contains(*row.TotpSecret, factor.Secret) {
			t.Error("the secret lies in the database as it is")
		}
		login := func(code string) error {
			in := accounts.LoginInput{Login: "ada", Password: goodPassword}
			if code != "" {
				in.TOTP = &code
			}
			_, err := w.Login(w.anyone(), in)
			return err
		}
		wantCode(t, "it does not hold before it is confirmed", login(""), "")
		_, err = w.ConfirmTOTP(ctx, "000000")
		wantCode(t, "confirmed with a wrong code", err, fault.BadUserInput)
		codes, err := w.ConfirmTOTP(ctx, w.code(factor.Secret))
		must(t, err)
		if len(codes) != 10 {
			t.Fatalf("%d recovery codes", len(codes))
		}
		w.refused("another session", other.AccessToken)
		wantCode(t, "without a code", login(""), fault.BadUserInput)
		wantCode(t, "with the code that confirmed it", login(w.code(factor.Secret)), fault.Unauthenticated)
		wantCode(t, "with a recovery code", login(strings.ToUpper(codes[0])), "")
		wantCode(t, "with the same one", login(codes[0]), fault.Unauthenticated)
		wantCode(t, "with one that is none", login("aaaaa-bbbbb-ccccc"), fault.Unauthenticated)
		_, err = w.EnableTOTP(ctx, goodPassword)
		wantCode(t, "another one", err, fault.Conflict)
		_, err = w.DisableTOTP(ctx, goodPassword, codes[0])
		wantCode(t, "disabled with a used recovery code", err, fault.BadUserInput)
		w.clock.move(time.Minute)
		ctx = w.again("ada", codes[1])
		got, err := w.DisableTOTP(ctx, goodPassword, w.code(factor.Secret))
		if err != nil || got.TotpEnabled {
			t.Errorf("disabled: %v, %v", got, err)
		}
		wantCode(t, "afterwards", login(""), "")

		factor, err = w.EnableTOTP(ctx, goodPassword)
		must(t, err)
		_, err = w.ConfirmTOTP(ctx, w.code(factor.Secret))
		must(t, err)
		must(t, w.ClearTOTP(w.system(), "ada"))
		wantCode(t, "after an emergency", login(""), "")
	})
}

// again signs somebody in anew.
func (w *world) again(name, code string) context.Context {
	w.t.Helper()
	c, err := w.Login(w.anyone(), accounts.LoginInput{Login: name, Password: goodPassword, TOTP: &code})
	must(w.t, err)
	return w.as(c.AccessToken)
}

// code is what an authenticator shows now (RFC 6238), worked out apart from what is tested.
func (w *world) code(secret string) string {
	w.t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	must(w.t, err)
	mac := hmac.New(sha1.New, key)
	must(w.t, binary.Write(mac, binary.BigEndian, w.clock.now().Unix()/30))
	sum := mac.Sum(nil)
	offset := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[offset:])&0x7fffffff)%1e6)
}
