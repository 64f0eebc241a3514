package identity

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/catalyst-panel/catalyst/agent/durable"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	keyFile  = "node.key"
	nodeFile = "node.json"
)

// ErrNotEnrolled is returned by Load where the machine has no identity yet.
var ErrNotEnrolled = errors.New("this machine is not enrolled")

// Identity is a node's id and key.
type Identity struct {
	nodeID string
	key    ed25519.PrivateKey
}

// nodeRecord is the content of node.json.
type nodeRecord struct {
	NodeID string `json:"nodeId"`
}

// NodeID returns the node's TypeID.
func (i *Identity) NodeID() string { return i.nodeID }

// Authorization returns the value of the header that proves to the panel, which gave the nonce, who this node is.
func (i *Identity) Authorization(nonce string) string {
	signature := ed25519.Sign(i.key, protocol.SigningInput(i.nodeID, nonce))
	return protocol.AuthScheme + " " + i.nodeID + "." + nonce + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Load reads the identity from the agent's directory; ErrNotEnrolled says that there is none.
func Load(dir string) (*Identity, error) {
	content, err := os.ReadFile(filepath.Join(dir, nodeFile))
	if errors.Is(err, fs.ErrNotExist) {
		// A key without an id was never accepted by a panel.
		return nil, ErrNotEnrolled
	}
	if err != nil {
		return nil, fmt.Errorf("read node identity: %w", err)
	}
	var record nodeRecord
	if err := json.Unmarshal(content, &record); err != nil {
		return nil, fmt.Errorf("read node identity: %w", err)
	}
	if !kind.ValidID(kind.PrefixNode, record.NodeID) {
		return nil, fmt.Errorf("read node identity: %s names no node", nodeFile)
	}
	key, err := loadKey(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, fmt.Errorf("read node key: %w", err)
	}
	return &Identity{nodeID: record.NodeID, key: key}, nil
}

func loadKey(path string) (ed25519.PrivateKey, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errors.New("not a PEM file")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("an Ed25519 key is needed, not %T", parsed)
	}
	return key, nil
}

// save writes the key first and the id last, since the id is what makes the identity exist.
func (i *Identity) save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		return err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := durable.WriteFile(filepath.Join(dir, keyFile), key); err != nil {
		return err
	}
	record, err := json.Marshal(nodeRecord{NodeID: i.nodeID})
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, nodeFile), append(record, '\n'))
}
