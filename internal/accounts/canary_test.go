package accounts_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"testing"

	"entgo.io/ent/dialect"

	"github.com/catalyst-panel/catalyst/internal/accounts"
	"github.com/catalyst-panel/catalyst/internal/testkit"
)

// TestA7NoSecretIsStored makes every secret of this package and looks for them in the bytes of the database.
func TestA7NoSecretIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Store(t, dialect.SQLite), nil)
	ada, ctx := w.person("ada")
	srv := w.server("one", ada.User.ID)
	_, key, err := w.CreateAPIKey(ctx, accounts.CreateAPIKeyInput{Name: "k", Permissions: []string{"server.read"}})
	must(t, err)
	_, _, invite, err := w.GrantServerAccess(ctx, accounts.GrantServerAccessInput{ServerID: srv, Email: new("a@example.com")})
	must(t, err)
	next, err := w.RefreshSession(w.anyone(), ada.RefreshToken)
	must(t, err)
	for _, login := range []string{"ada", "typed in the wrong box 1"} {
		_, err = w.Login(w.anyone(), accounts.LoginInput{Login: login, Password: "typed in vain 12"})
		if err == nil {
			t.Fatal("signed in with a wrong password")
		}
	}
	_, err = w.ChangePassword(ctx, accounts.ChangePasswordInput{CurrentPassword: goodPassword, NewPassword: "other harbour 43"})
	must(t, err)

	var path string
	must(t, w.store.DB.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list").Scan(&path))
	var stored []byte
	for _, name := range []string{path, path + "-wal"} {
		data, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		stored = append(stored, data...)
	}
	if !bytes.Contains(stored, []byte("ada@example.com")) {
		t.Fatal("the database's bytes were not read, so the test proves nothing")
	}
	for name, secret := range map[string]string{
		"password": goodPassword, "new password": "other harbour 43", "wrong password": "typed in vain 12",
		"login of nobody": "typed in the wrong box 1", "access token": ada.AccessToken, "refresh token": ada.RefreshToken,
		"next refresh token": next.RefreshToken, "family": next.RefreshToken[3:25], "API key": key, "invitation": *invite,
	} {
		if bytes.Contains(stored, []byte(secret)) {
			t.Errorf("the %s is in the database", name)
		}
	}
}
