package sftpd

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
)

// rsaBits is the length of the RSA host key, for clients that know nothing newer.
const rsaBits = 3072

// HostKeys reads the host keys in a directory, an Ed25519 one and an RSA one, and makes those that are missing. They must be
// kept: clients take a server with other keys for somebody else's.
func HostKeys(dir string) ([]ssh.Signer, error) {
	kinds := []struct {
		file string
		make func() (crypto.PrivateKey, error)
	}{
		{"sftp_ed25519", func() (crypto.PrivateKey, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		}},
		{"sftp_rsa", func() (crypto.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }},
	}
	keys := make([]ssh.Signer, 0, len(kinds))
	for _, k := range kinds {
		file := filepath.Join(dir, k.file)
		key, err := hostKey(file)
		if errors.Is(err, fs.ErrNotExist) {
			if err := makeHostKey(file, k.make); err != nil && !errors.Is(err, fs.ErrExist) {
				return nil, err
			}
			key, err = hostKey(file)
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func hostKey(file string) (ssh.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read a host key: %w", err)
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("read the host key %s: %w", file, err)
	}
	return key, nil
}

// makeHostKey makes a key that appears as a whole or not at all, and that replaces none.
func makeHostKey(file string, generate func() (crypto.PrivateKey, error)) error {
	key, err := generate()
	if err != nil {
		return fmt.Errorf("make a host key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, "catalyst")
	if err != nil {
		return fmt.Errorf("encode a host key: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), ".hostkey")
	if err != nil {
		return fmt.Errorf("make a host key: %w", err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(pem.EncodeToMemory(block))
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return fmt.Errorf("write a host key: %w", err)
	}
	if err := os.Link(temporary.Name(), file); err != nil {
		return fmt.Errorf("keep a host key: %w", err)
	}
	return nil
}
