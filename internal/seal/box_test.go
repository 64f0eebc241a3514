package seal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/catalyst-panel/catalyst/internal/seal"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.key")
	box, err := seal.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed := box.Seal([]byte("hunter2"), "hook_1")
	if bytes.Contains(sealed, []byte("hunter2")) || bytes.Equal(sealed, box.Seal([]byte("hunter2"), "hook_1")) {
		t.Error("the secret shows in what is sealed, or the same is sealed alike")
	}
	again, err := seal.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(sealed, "hook_1"); err != nil || string(got) != "hunter2" {
		t.Errorf("opened %q, %v", got, err)
	}
	other, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"for another purpose": func() ([]byte, error) { return box.Open(sealed, "hook_2") },
		"with another key":    func() ([]byte, error) { return other.Open(sealed, "hook_1") },
		"with a flipped bit":  func() ([]byte, error) { return box.Open(flipped, "hook_1") },
		"cut short":           func() ([]byte, error) { return box.Open(sealed[:5], "hook_1") },
		"nothing":             func() ([]byte, error) { return box.Open(nil, "hook_1") },
	} {
		if _, err := open(); !errors.Is(err, seal.ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.LoadOrCreate(path); err == nil {
		t.Error("a key that others may read was taken")
	}
}
