package accounts

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/recoverycode"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/token"
)

const (
	// totpSecretBytes is the length of a secret: that of the hash (RFC 4226, section 4).
	totpSecretBytes = 20
	// recoveryCodes is how many recovery codes an account gets.
	recoveryCodes = 10
	// issuer is what an authenticator shows above the account.
	issuer = "Catalyst"
)

// SecondFactor is a second factor that is to be confirmed.
type SecondFactor struct {
	// Secret is what an authenticator needs, in base32, URI the same as it is shown in a QR code.
	Secret, URI string
}

// EnableTOTP makes a secret for the viewer's second factor, which holds once ConfirmTOTP has shown that an authenticator
// has it. It needs the password, so that nobody with a stolen token locks the owner out. CONFLICT when there is one.
func (s *Service) EnableTOTP(ctx context.Context, password string) (*SecondFactor, error) {
	row, err := s.withPassword(ctx, "password", password)
	if err != nil {
		return nil, err
	}
	if row.TotpEnabled {
		return nil, fault.New(fault.Conflict, "This account has a second factor already: disable it first.")
	}
	secret := make([]byte, totpSecretBytes)
	rand.Read(secret)
	e := audit.Entry{Action: "user.totp_prepare", TargetType: "User", TargetID: row.ID}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		sealed := base64.StdEncoding.EncodeToString(s.secrets.Seal(secret, row.ID))
		err := u.User.UpdateOneID(row.ID).Where(user.TotpEnabled(false)).SetTotpSecret(sealed).SetTotpStep(0).Exec(ctx)
		return missing(err, "user")
	})
	if err != nil {
		return nil, err
	}
	shown := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	uri := url.URL{
		Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + row.Username,
		RawQuery: url.Values{"secret": {shown}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}.Encode(),
	}
	return &SecondFactor{Secret: shown, URI: uri.String()}, nil
}

// ConfirmTOTP switches the viewer's second factor on, with the first code that an authenticator shows, and returns the
// recovery codes, each of which stands in for a code once. They are not shown again. Other sessions end.
func (s *Service) ConfirmTOTP(ctx context.Context, code string) ([]string, error) {
	v, err := inPerson(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.limit(ctx, checkLogin, v.UserID); err != nil {
		return nil, err
	}
	row, err := s.client.User.Get(s.asSystem(ctx, "confirm a second factor"), v.UserID)
	if err != nil {
		return nil, missing(err, "user")
	}
	if row.TotpEnabled || row.TotpSecret == nil {
		return nil, fault.New(fault.Conflict, "There is nothing to confirm: begin with enableTotp.")
	}
	secret, err := s.totpSecret(row)
	if err != nil {
		return nil, err
	}
	step, ok := s.totpStep(secret, strings.TrimSpace(code), row.TotpStep)
	if !ok {
		return nil, fault.Input("code", "This is not the code that the authenticator shows now. Is its clock right?")
	}
	var codes []string
	e := audit.Entry{Action: "user.totp_enable", TargetType: "User", TargetID: v.UserID}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		err := u.User.UpdateOneID(v.UserID).Where(user.TotpEnabled(false), user.TotpSecret(*row.TotpSecret)).
			SetTotpEnabled(true).SetTotpStep(step).Exec(ctx)
		if err != nil {
			return missing(err, "user")
		}
		if codes, err = s.newRecoveryCodes(ctx, u, v.UserID); err != nil {
			return err
		}
		return s.endSessions(ctx, u, v.UserID, v.SessionID)
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// DisableTOTP switches the viewer's second factor off. It needs the password and a code, or a recovery code.
func (s *Service) DisableTOTP(ctx context.Context, password, code string) (*ent.User, error) {
	row, err := s.withPassword(ctx, "password", password)
	if err != nil {
		return nil, err
	}
	if !row.TotpEnabled {
		return nil, fault.New(fault.Conflict, "This account has no second factor.")
	}
	wrong := fault.Input("code", "This is not the code that the authenticator shows now, nor an unused recovery code.")
	shown, err := s.checkTOTP(row, &code)
	if fault.CodeOf(err) == fault.Unauthenticated || fault.CodeOf(err) == fault.BadUserInput {
		return nil, wrong
	}
	if err != nil {
		return nil, err
	}
	var out *ent.User
	e := audit.Entry{Action: "user.totp_disable", TargetType: "User", TargetID: row.ID}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if err := s.spendRecovery(ctx, u, row.ID, shown.recovery); fault.CodeOf(err) == fault.Unauthenticated {
			return wrong
		} else if err != nil {
			return err
		}
		out, err = s.clearTOTP(ctx, u, row.ID)
		return err
	})
	return unwrapUser(out, err)
}

// ClearTOTP switches an account's second factor off in an emergency. Catalyst itself asks.
func (s *Service) ClearTOTP(ctx context.Context, login string) error {
	row, err := s.byLogin(ctx, login)
	if err != nil {
		return err
	}
	if row == nil {
		return fault.Missing("user")
	}
	e := audit.Entry{Action: "user.totp_disable", TargetType: "User", TargetID: row.ID}
	return s.do(ctx, e, func(ctx context.Context, u unit) error {
		_, err := s.clearTOTP(ctx, u, row.ID)
		return err
	})
}

func (s *Service) clearTOTP(ctx context.Context, u unit, userID string) (*ent.User, error) {
	if _, err := u.RecoveryCode.Delete().Where(recoverycode.UserID(userID)).Exec(ctx); err != nil {
		return nil, fmt.Errorf("remove recovery codes: %w", err)
	}
	row, err := u.User.UpdateOneID(userID).ClearTotpSecret().SetTotpEnabled(false).SetTotpStep(0).Save(ctx)
	if err != nil {
		return nil, missing(err, "user")
	}
	return row, nil
}

// withPassword returns the viewer's account, whose password they have given once more in an input's field.
func (s *Service) withPassword(ctx context.Context, field, password string) (*ent.User, error) {
	v, err := inPerson(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.limit(ctx, checkLogin, v.UserID); err != nil {
		return nil, err
	}
	row, err := s.client.User.Get(s.asSystem(ctx, "check a password once more"), v.UserID)
	if err != nil {
		return nil, missing(err, "user")
	}
	good, err := s.passwords.matches(ctx, row.PasswordHash, password)
	if err != nil {
		return nil, err
	}
	if !good {
		return nil, fault.Input(field, "This is not the present password.")
	}
	return row, nil
}

// newRecoveryCodes replaces the recovery codes of an account.
func (s *Service) newRecoveryCodes(ctx context.Context, u unit, userID string) ([]string, error) {
	if _, err := u.RecoveryCode.Delete().Where(recoverycode.UserID(userID)).Exec(ctx); err != nil {
		return nil, fmt.Errorf("remove recovery codes: %w", err)
	}
	codes := make([]string, recoveryCodes)
	for i := range codes {
		text := strings.ToLower(rand.Text())
		codes[i] = text[:5] + "-" + text[5:10] + "-" + text[10:15]
		err := u.RecoveryCode.Create().SetUserID(userID).SetCodeHash(token.Hash(normalRecovery(codes[i]))).Exec(ctx)
		if err != nil {
			return nil, fmt.Errorf("store a recovery code: %w", err)
		}
	}
	return codes, nil
}

// normalRecovery is a recovery code as it is hashed, however it was typed.
func normalRecovery(code string) string {
	return strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(code))
}

// spendRecovery uses a recovery code, if that is what was shown. One statement does it, so that of two callers one may.
func (s *Service) spendRecovery(ctx context.Context, u unit, userID, hash string) error {
	if hash == "" {
		return nil
	}
	n, err := u.RecoveryCode.Update().Where(recoverycode.UserID(userID), recoverycode.CodeHash(hash), recoverycode.UsedAtIsNil()).
		SetUsedAt(s.now()).Save(ctx)
	if err != nil {
		return fmt.Errorf("spend a recovery code: %w", err)
	}
	if n == 0 {
		return wrongLogin()
	}
	return nil
}
