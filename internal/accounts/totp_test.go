package accounts_test

import (
	"context"
	"encoding/base32"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// TestA9SecondFactor uses the secret and the codes of RFC 6238, appendix B (SHA-1, cut to six digits).
func TestA9SecondFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c, _ := w.person("ada")
		secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte("12345678901234567890"))
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
